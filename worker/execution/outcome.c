/* Foreign bytes are made presentable here, once, so that nobody behind has to doubt them. */
#include "worker/execution/outcome.h"

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

static char *text_clean(const char *text, size_t size)
{
    char clean[RECORD_STRING_SIZE];
    size_t used = text_one_line(clean, RECORD_STRING_MAX_CHARACTERS, text, size);

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

void outcome_add(struct outcome *outcome, const char *format, ...)
{
    char note[RECORD_STRING_MAX_CHARACTERS], text[RECORD_STRING_SIZE + sizeof note];
    const char *before = outcome->text ? outcome->text : "";
    size_t size = strlen(before);
    long characters;
    va_list args;

    va_start(args, format);
    vsnprintf(note, sizeof note, format, args);
    va_end(args);
    characters = text_utf8_length(note, strlen(note));
    if (characters < 0)
        characters = (long)strlen(note);
    if (RECORD_STRING_MAX_CHARACTERS > characters + 2)
        size = text_utf8_cut(before, size, (size_t)(RECORD_STRING_MAX_CHARACTERS - characters - 2));
    snprintf(text, sizeof text, "%.*s%s%s", (int)size, before, size ? "; " : "", note);
    outcome_set(outcome, outcome->kind, text, strlen(text));
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
        size = text_utf8_whole(data, RESULT_MAX_BYTES - mark_size);
    outcome->result = xmalloc(size + mark_size + 1);
    memcpy(outcome->result, data, size);
    memcpy(outcome->result + size, mark, mark_size + 1);
    outcome->result_size = size + mark_size;
}
