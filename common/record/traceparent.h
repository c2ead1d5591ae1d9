/* The trace context that comes along with an operation (Kafka header `traceparent`), in the form of the W3C:
 * version-traceid-parentid-flags. It travels on into HTTP headers and environments, so whatever is no such form is nothing. */
#ifndef BGOP_RECORD_TRACEPARENT_H
#define BGOP_RECORD_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRACEPARENT_LENGTH = 55, /* of version 00, exactly; later versions may add "-..." */
    TRACEPARENT_SIZE = 128,  /* room for any that is taken, with its NUL */
};

enum { TRACE_ID_LENGTH = 32, SPAN_ID_LENGTH = 16 };

bool traceparent_is_valid(const char *text, size_t size);

/* ---- of one that is valid ---- */

bool traceparent_is_sampled(const char *text);
/* Its two ids, as they stand in it (no NUL behind them): TRACE_ID_LENGTH and SPAN_ID_LENGTH characters. */
const char *traceparent_trace_id(const char *text);
const char *traceparent_span_id(const char *text);
/* What is handed on inside the span span_id: the same trace, sampled as it is, of version 00. */
void traceparent_child(char text[TRACEPARENT_SIZE], const char *parent, uint64_t span_id);

#endif
