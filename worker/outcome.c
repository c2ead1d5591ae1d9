/* Foreign bytes are made presentable here, once, so that nobody behind has to doubt them. */
#include "worker/outcome.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/tables.h"

void outcome_release(struct outcome *outcome)
{
    free(outcome->text);
    free(outcome->result);
    *outcome = (struct outcome)OUTCOME_INIT;
}

/* Bytes of the valid UTF-8 character at text, or 0. */
static size_t character_size(const char *text, size_t size)
{
    for (size_t length = 1; length <= 4 && length <= size; length++)
        if (text_utf8_length(text, length) == 1)
            return length;
    return 0;
}

static char *text_clean(const char *text, size_t size)
{
    char clean[RECORD_STRING_SIZE];
    size_t used = 0, characters = 0;

    while (size > 0 && characters < RECORD_STRING_MAX_CHARACTERS) {
        size_t length = character_size(text, size);
        bool plain = length > 1 || (length == 1 && (unsigned char)*text >= 0x20 && *text != 0x7f);

        if (plain)
            memcpy(clean + used, text, length);
        else
            clean[used] = length == 1 ? ' ' : '?';
        used += plain ? length : 1;
        text += length ? length : 1;
        size -= length ? length : 1;
        characters++;
    }
    while (used > 0 && clean[used - 1] == ' ')
        used--;
    return used ? xmemdup(clean, used) : NULL;
}

void outcome_set(struct outcome *outcome, enum entry_kind kind, const char *text, size_t size)
{
    free(outcome->text);
    outcome->kind = kind;
    outcome->text = text ? text_clean(text, size) : NULL;
}

void outcome_setf(struct outcome *outcome, enum entry_kind kind, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    outcome_set(outcome, kind, text, strlen(text));
}

/* Greatest size' <= size, at most three bytes less, that does not cut a UTF-8 character. */
static size_t cut_between_characters(const char *data, size_t size)
{
    size_t cut = size;

    while (cut > 0 && size - cut < 3 && ((unsigned char)data[cut] & 0xc0) == 0x80)
        cut--;
    return ((unsigned char)data[cut] & 0xc0) == 0x80 ? size : cut;
}

void outcome_set_result(struct outcome *outcome, const char *data, size_t size, size_t total)
{
    char mark[64];
    size_t mark_size;

    free(outcome->result);
    outcome->result = NULL;
    outcome->result_size = 0;
    if (total == 0)
        return;
    if (total <= RESULT_MAX_BYTES && size == total) {
        outcome->result = xmemdup(data, size);
        outcome->result_size = size;
        return;
    }
    mark_size = (size_t)snprintf(mark, sizeof mark, "\n[cut: %zu bytes]", total);
    if (size > RESULT_MAX_BYTES - mark_size)
        size = cut_between_characters(data, RESULT_MAX_BYTES - mark_size);
    outcome->result = xmalloc(size + mark_size + 1);
    memcpy(outcome->result, data, size);
    memcpy(outcome->result + size, mark, mark_size + 1);
    outcome->result_size = size + mark_size;
}
