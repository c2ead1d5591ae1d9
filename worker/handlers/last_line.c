#include "worker/handlers/last_line.h"

#include <string.h>

static void end_line(struct last_line *last)
{
    if (last->size > 0) {
        memcpy(last->last, last->line, last->size);
        last->last_size = last->size;
    }
    last->size = 0;
}

void last_line_feed(struct last_line *last, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = data[i];

        if (c == '\n' || c == '\r')
            end_line(last);
        else if (last->size < sizeof last->line && (last->size > 0 || (c != ' ' && c != '\t')))
            last->line[last->size++] = c; /* leading blanks do not make a line */
    }
}

const char *last_line_text(struct last_line *last, size_t *size)
{
    end_line(last);
    *size = last->last_size;
    return last->last;
}
