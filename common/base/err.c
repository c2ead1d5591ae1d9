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

    if (wanted >= 0 && (size_t)wanted > size)
        size = text_utf8_whole(text, size);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    }
    memcpy(err->text, text, size);
    err->text[size] = '\0';
}

static enum status err_vset(struct err *err, enum status st, const char *server, const char *format, va_list args)
{
    char text[sizeof err->text];

    if (!err)
        return st;
    int wanted = vsnprintf(text, sizeof text, format, args);
    if (wanted < 0 || st == ST_OK)
        text[0] = '\0';
    err->status = st;
    err->server = server;
    err_store(err, text, wanted);
    return st;
}

enum status err_set(struct err *err, enum status st, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err_vset(err, st, NULL, format, args);
    va_end(args);
    return st;
}

enum status err_set_server(struct err *err, enum status st, const char *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err_vset(err, st, server, format, args);
    va_end(args);
    return st;
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

_Noreturn void bgop_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "bgop: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
