/* Groups of a call by columns; common/functions/write/columns.lua reads them. Most operations of a batch say little, and
 * much of it alike, and an argument costs Redis and Lua more than what stands in it. */
#include <string.h>

#include "common/base/memory.h"
#include "common/redis/edge.h"

enum { FIELDS_MAX = REDIS_SLOT_SIZE - 1 };

static const char MARK = '#', EACH = 'v', ALL = 'c', EMPTY = '-';

static bool is_same(const struct redis_arg *one, const struct redis_arg *other)
{
    return one->size == other->size && memcmp(one->data, other->data, one->size) == 0;
}

/* What a lone row says stands in the row. */
static char letter_of(const struct redis_arg *rows, size_t count, size_t size, size_t field)
{
    size_t same = 1;

    while (same < count && is_same(&rows[field], &rows[same * size + field]))
        same++;
    if (same == count && rows[field].size == 0)
        return EMPTY;
    return same == count && count > 1 ? ALL : EACH;
}

/* Rows that are all alike must be counted all the same: one field stands in each. */
static void letters_of(const struct redis_arg *rows, size_t count, size_t size, char *letters)
{
    bool counted = false;

    for (size_t field = 0; field < size; field++) {
        letters[field] = letter_of(rows, count, size, field);
        counted |= letters[field] == EACH;
    }
    if (!counted)
        letters[0] = EACH;
}

/* Copies the fields that have this letter; returns how many. */
static size_t copy_some(struct redis_arg *to, const struct redis_arg *row, const char *letters, size_t size,
                        char letter)
{
    size_t copied = 0;

    for (size_t field = 0; field < size; field++) {
        if (letters[field] == letter)
            to[copied++] = row[field];
    }
    return copied;
}

void redis_command_columns(struct redis_command *command, size_t first, size_t size)
{
    struct redis_arg *rows = command->args + first + 1, *to = rows, row[FIELDS_MAX];
    size_t count = (command->count - first - 1) / size;

    BGOP_ASSERT(size <= FIELDS_MAX && command->count == first + 1 + count * size);
    command->count = first;
    if (count == 0)
        return;
    char *text = redis_command_slot(command);
    text[0] = MARK;
    letters_of(rows, count, size, text + 1);
    command->args[first] = (struct redis_arg){ text, size + 1 };
    memcpy(row, rows,
           size * sizeof *row); /* the first is written over; the others are never ahead of what is written */
    to += copy_some(to, row, text + 1, size, ALL);
    to += copy_some(to, row, text + 1, size, EACH);
    for (size_t n = 1; n < count; n++)
        to += copy_some(to, rows + n * size, text + 1, size, EACH);
    command->count = (size_t)(to - command->args);
}
