/* The trace context that comes along with an operation (Kafka header `traceparent`), in the form of the W3C:
 * version-traceid-parentid-flags. It travels on into HTTP headers and environments, so whatever is no such form is nothing. */
#ifndef BGOP_RECORD_TRACEPARENT_H
#define BGOP_RECORD_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TRACEPARENT_LENGTH = 55, /* of version 00, exactly; later versions may add "-..." */
    TRACEPARENT_SIZE = 128,  /* room for any that is taken, with its NUL */
};

bool traceparent_is_valid(const char *text, size_t size);

#endif
