/* The last line that was not blank, of any amount of text, in bounded memory: a handler's stderr, whose last line is
 * the operation's Error. Of a long line the beginning is kept. */
#ifndef BGOP_WORKER_HANDLERS_LAST_LINE_H
#define BGOP_WORKER_HANDLERS_LAST_LINE_H

#include <stddef.h>

struct last_line {
    char line[1020]; /* under way; 255 characters of 4 bytes */
    size_t size;
    char last[1020]; /* complete and not blank */
    size_t last_size;
};

void last_line_feed(struct last_line *last, const char *data, size_t size);
/* Its text (not NUL-terminated) and *size; size 0: there was none. */
const char *last_line_text(struct last_line *last, size_t *size);

#endif
