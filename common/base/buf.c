/* Memory doubles up to the maximum. An overflow sticks: later appends are refused too, so that a text with a hole in
 * it never looks whole. */
#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){ .max = max };
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Room for size more bytes and the NUL. */
static bool buf_reserve(struct buf *buf, size_t size)
{
    if (buf->overflow || size > buf->max - buf->size)
        goto refused;
    size_t needed = buf->size + size;
    if (buf->data && needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < needed)
        capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
    if (capacity > buf->max)
        capacity = buf->max;
    char *data = realloc(buf->data, capacity + 1);
    if (!data)
        goto refused;
    buf->data = data;
    buf->capacity = capacity;
    return true;
refused:
    buf->overflow = true;
    return false;
}

char *buf_extend(struct buf *buf, size_t size)
{
    if (!buf_reserve(buf, size))
        return NULL;
    char *room = buf->data + buf->size;
    buf->size += size;
    buf->data[buf->size] = '\0';
    return room;
}

bool buf_append(struct buf *buf, const void *data, size_t size)
{
    char *room = buf_extend(buf, size);

    if (room && size)
        memcpy(room, data, size);
    return room != NULL;
}

bool buf_append_string(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

bool buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

bool buf_append_shell(struct buf *buf, const char *text)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=@%+,-";
    size_t length = strspn(text, safe);

    if (length > 0 && text[length] == '\0')
        return buf_append_string(buf, text);
    buf_append_char(buf, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_append_string(buf, "'\\''");
        else
            buf_append_char(buf, *text);
    }
    return buf_append_char(buf, '\'');
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    bool done = buf_vprintf(buf, format, args);
    va_end(args);
    return done;
}

bool buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;

    if (!buf_reserve(buf, 0))
        return false;
    va_copy(again, args);
    size_t room = buf->capacity - buf->size;
    int wanted = vsnprintf(buf->data + buf->size, room + 1, format, args);
    if (wanted > 0 && (size_t)wanted > room) {
        if (buf_reserve(buf, (size_t)wanted))
            vsnprintf(buf->data + buf->size, (size_t)wanted + 1, format, again);
    } else if (wanted < 0) {
        buf->overflow = true;
    }
    va_end(again);
    if (buf->overflow) {
        buf->data[buf->size] = '\0';
        return false;
    }
    buf->size += (size_t)wanted;
    return true;
}

bool buf_append_shown(struct buf *buf, const char *text, size_t size, const char *kept)
{
    for (size_t at = 0; at < size;) {
        size_t plain = text_plain_size(text + at, size - at);
        char escape[TEXT_ESCAPE_SIZE];

        if (plain == 0 && text[at] && strchr(kept, text[at]))
            plain = 1;
        if (plain) {
            buf_append(buf, text + at, plain);
            at += plain;
        } else {
            at += text_escape(escape, text + at, size - at);
            buf_append_string(buf, escape);
        }
    }
    return buf_append(buf, "", 0);
}

bool buf_append_json(struct buf *buf, const char *text, size_t size)
{
    buf_append_char(buf, '"');
    for (size_t at = 0; at < size;) {
        size_t whole = text_utf8_cut(text + at, size - at, 1);
        unsigned char byte = (unsigned char)text[at];
        char escape[TEXT_ESCAPE_SIZE];
        if (whole == 0)
            buf_append_string(buf, "\\ufffd");
        else if (whole == 1 && (byte < ' ' || byte == 0x7f))
            buf_printf(buf, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            buf_printf(buf, "\\%c", byte);
        else if (whole == 1 || text_plain_size(text + at, whole))
            buf_append(buf, text + at, whole);
        else if (text_escape(escape, text + at, whole))
            buf_append_string(buf, escape);
        at += whole ? whole : 1;
    }
    return buf_append_char(buf, '"');
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data ? buf->data : calloc(1, 1);

    buf->data = NULL;
    buf_release(buf);
    return data;
}
