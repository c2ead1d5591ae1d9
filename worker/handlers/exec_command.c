/* One pass over the text; the characters of the argument under way gather in a buffer. */
#include "worker/handlers/exec_command.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

struct splitter {
    char **argv;
    size_t count, capacity;
    char *word; /* room for the whole command */
    size_t size;
    bool open;  /* an argument has begun, be it empty ('') */
    char quote; /* ' or " or 0 */
};

static void end_word(struct splitter *split)
{
    if (!split->open)
        return;
    GROW(split->argv, split->count, split->capacity);
    split->argv[split->count++] = xmemdup(split->word, split->size);
    split->size = 0;
    split->open = false;
}

static void add(struct splitter *split, char c)
{
    split->word[split->size++] = c;
    split->open = true;
}

/* Takes the character at *at (and the one it escapes). */
static void take(struct splitter *split, const char **at)
{
    char c = **at, next = c ? (*at)[1] : '\0';

    if (split->quote && c == split->quote) {
        split->quote = 0;
    } else if (c == '\\' && next && (split->quote == 0 || (split->quote == '"' && (next == '"' || next == '\\')))) {
        add(split, next);
        (*at)++;
    } else if (split->quote == 0 && (c == '\'' || c == '"')) {
        split->quote = c;
        split->open = true;
    } else if (split->quote == 0 && strchr(" \t", c)) {
        end_word(split);
    } else {
        add(split, c);
    }
    (*at)++;
}

enum status exec_command_split(const char *command, char ***argv, struct err *err)
{
    struct splitter split = { .word = xmalloc(strlen(command) + 1) };

    while (*command)
        take(&split, &command);
    end_word(&split);
    free(split.word);
    GROW(split.argv, split.count, split.capacity);
    split.argv[split.count] = NULL;
    if (split.quote == 0 && split.count > 0) {
        *argv = split.argv;
        return ST_OK;
    }
    exec_command_free(split.argv);
    return split.quote ? err_set(err, ST_INVALID, "command: the quote %c is never closed", split.quote)
                       : err_set(err, ST_INVALID, "command: empty");
}

void exec_command_free(char **argv)
{
    for (char **word = argv; argv && *word; word++)
        free(*word);
    free(argv);
}
