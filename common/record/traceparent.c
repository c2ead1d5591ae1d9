#include "common/record/traceparent.h"

#include <string.h>

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
    enum { VERSION = 0, TRACE = 3, PARENT = 36, FLAGS = 53 };

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
