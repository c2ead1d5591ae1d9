/* How long a handler wishes to be left alone before the next attempt: a number in the words of many languages, or the
 * date of an HTTP header. */
#ifndef BGOP_WORKER_HANDLERS_RETRY_AFTER_H
#define BGOP_WORKER_HANDLERS_RETRY_AFTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text[size] as a decimal number (3000, 3000.0, 3e3; blanks around it) of so many milliseconds each. *ms is rounded up,
 * and cut at RETRY_DELAY_MAX_MS (the queue's own maximum is applied later). NULL: fine; else what is wrong. */
const char *retry_after_number(const char *text, size_t size, int64_t unit_ms, int64_t *ms);
/* A Retry-After header's value: seconds, or an HTTP date (one that is past means at once). */
const char *retry_after_header(const char *text, int64_t wall_now_ms, int64_t *ms);

#endif
