/* A growing byte buffer with a maximum it was born with: running over it is an ordinary error, kept in the
 * buffer (like ferror) so that a run of appends is checked once at its end. data is always followed by a NUL. */
#ifndef BGOP_BASE_BUF_H
#define BGOP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdarg.h>

struct buf {
    char *data; /* owned; never NULL after the first append; NUL after size bytes */
    size_t size;
    size_t capacity;
    size_t max;    /* most bytes it may hold */
    bool overflow; /* an append was refused (too long, or no memory); nothing of it was written */
};

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf); /* leaves an empty, reusable buffer */
void buf_clear(struct buf *buf);   /* size 0, overflow false, memory kept */
bool buf_append(struct buf *buf, const void *data, size_t size);
bool buf_append_string(struct buf *buf, const char *text);
bool buf_append_char(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *buf, const char *format, va_list args);
/* Room for size more bytes, which the caller fills; NULL when they do not fit. */
char *buf_extend(struct buf *buf, size_t size);
/* Text fit to be shown: what is not plain (common/base/text.h) escaped, but for the characters of kept ("\n\t"). */
bool buf_append_shown(struct buf *buf, const char *text, size_t size, const char *kept);
/* A JSON string with its quotes, in plain characters (others as \uNNNN); bytes that are not UTF-8 become U+FFFD. */
bool buf_append_json(struct buf *buf, const char *text, size_t size);
/* A word for a shell: as it is when that is safe, else in single quotes. */
bool buf_append_shell(struct buf *buf, const char *text);
char *buf_take(struct buf *buf); /* the caller frees; the buffer is empty afterwards */

#endif
