/* Errors are formatted into a buffer of their own first, so that the old text may be an argument of the new one. */
#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

/* One line, whole characters: control characters become blanks; what vsnprintf cut in half goes. */
static void err_store(struct err *err, char *text, int wanted)
{
    size_t size = strlen(text);

    if (wanted >= 0 && (size_t)wanted > size) {
        size_t whole = size;
        while (whole > 0 && size - whole < 4 && ((unsigned char)text[whole - 1] & 0xc0) == 0x80)
            whole--;
        if (whole > 0 && (unsigned char)text[whole - 1] >= 0xc0 &&
            text_utf8_length(text + whole - 1, size - whole + 1) < 0)
            size = whole - 1;
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    memcpy(err->text, text, size);
    err->text[size] = '\0';
}

enum status err_set(struct err *err, enum status status, const char *format, ...)
{
    char text[sizeof err->text];
    va_list args;

    if (!err)
        return status;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (wanted < 0 || status == ST_OK)
        text[0] = '\0';
    err->status = status;
    err_store(err, text, wanted);
    return status;
}

enum status err_prefix(struct err *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list args;

    BGOP_ASSERT(err);
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (wanted < 0)
        return err->status;
    size_t used = strlen(text);
    int more = snprintf(text + used, sizeof text - used, ": %s", err->text);
    err_store(err, text, wanted + more);
    return err->status;
}

const char *status_name(enum status status)
{
    static const char *const names[ST_COUNT] = {
#define XX(name, meaning) [ST_##name] = #name,
        STATUS_MAP(XX)
#undef XX
    };

    return (unsigned)status < ST_COUNT ? names[status] : "UNKNOWN";
}

_Noreturn void bgop_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "bgop: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
