#include "common/record/traceparent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 0, TRACE = 3, PARENT = 36, FLAGS = 53 };

static bool is_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    }
    return true;
}

static bool is_zero(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '0')
            return false;
    }
    return true;
}

/* What a later version added: unknown, but nothing that could end a header's value. */
static bool is_addition(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return size == 0 || (size > 1 && text[0] == '-');
}

bool traceparent_is_valid(const char *text, size_t size)
{
    if (size < TRACEPARENT_LENGTH || size >= TRACEPARENT_SIZE)
        return false;
    if (!is_hex(text + VERSION, 2) || memcmp(text, "ff", 2) == 0 || text[TRACE - 1] != '-')
        return false;
    if (!is_hex(text + TRACE, 32) || is_zero(text + TRACE, 32) || text[PARENT - 1] != '-')
        return false;
    if (!is_hex(text + PARENT, 16) || is_zero(text + PARENT, 16) || text[FLAGS - 1] != '-' || !is_hex(text + FLAGS, 2))
        return false;
    return memcmp(text, "00", 2) == 0 ? size == TRACEPARENT_LENGTH
                                      : is_addition(text + TRACEPARENT_LENGTH, size - TRACEPARENT_LENGTH);
}

bool traceparent_is_sampled(const char *text)
{
    char digit = text[FLAGS + 1]; /* the low four flags; the lowest one says sampled */

    return ((digit <= '9' ? digit - '0' : digit - 'a' + 10) & 1) != 0;
}

const char *traceparent_trace_id(const char *text)
{
    return text + TRACE;
}

const char *traceparent_span_id(const char *text)
{
    return text + PARENT;
}

void traceparent_child(char text[TRACEPARENT_SIZE], const char *parent, uint64_t span_id)
{
    snprintf(text, TRACEPARENT_SIZE, "00-%.*s-%016" PRIx64 "-%s", TRACE_ID_LENGTH, parent + TRACE, span_id,
             traceparent_is_sampled(parent) ? "01" : "00");
}
