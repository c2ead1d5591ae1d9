/* How one attempt of one operation ended, as it will stand in the status log. Owns its texts. */
#ifndef BGOP_WORKER_EXECUTION_OUTCOME_H
#define BGOP_WORKER_EXECUTION_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include "common/codec/codec.h"

struct outcome {
    enum entry_kind kind;   /* 0: not known yet */
    int64_t retry_after_ms; /* the handler's own wish; -1: none */
    char *text;             /* Error: valid UTF-8, one line, at most 255 characters; NULL: none */
    char *result;           /* at most RESULT_MAX_BYTES; NULL: none */
    size_t result_size;
};
#define OUTCOME_INIT         \
    {                        \
        .retry_after_ms = -1 \
    }

void outcome_release(struct outcome *outcome); /* leaves one that is not known yet */
/* Sets kind and text. The text may be any bytes: what is not UTF-8 becomes '?', control characters become blanks. */
void outcome_set(struct outcome *outcome, enum entry_kind kind, const char *text, size_t size);
void outcome_setf(struct outcome *outcome, enum entry_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds "; " and this to the text, which gives way: what is added is there in full. */
void outcome_add(struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* data[size] are the first bytes of a result that had total bytes. What is longer than RESULT_MAX_BYTES is cut (between
 * characters, when it is text) and ends in "\n[cut: <total> bytes]". */
void outcome_set_result(struct outcome *outcome, const char *data, size_t size, size_t total);

#endif
