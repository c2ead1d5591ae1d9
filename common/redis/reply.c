/* Replies: views into hiredis' own structures (struct redis_reply is never defined: a pointer to one is a pointer to
 * a redisReply), and what error replies mean. */
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/text.h"
#include "common/redis/edge.h"

static const redisReply *unwrap(const struct redis_reply *reply)
{
    return (const redisReply *)(const void *)reply;
}

void redis_reply_free(struct redis_reply *reply)
{
    if (reply)
        freeReplyObject(reply);
}

enum redis_reply_kind redis_reply_kind(const struct redis_reply *reply)
{
    if (!reply)
        return REDIS_NIL;
    switch (unwrap(reply)->type) {
    case REDIS_REPLY_STRING: return REDIS_TEXT;
    case REDIS_REPLY_ARRAY: return REDIS_ARRAY;
    case REDIS_REPLY_INTEGER: return REDIS_INTEGER;
    case REDIS_REPLY_STATUS: return REDIS_STATUS;
    case REDIS_REPLY_ERROR: return REDIS_ERROR;
    default: return REDIS_NIL;
    }
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return redis_reply_kind(reply) == REDIS_ARRAY ? unwrap(reply)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, size_t index)
{
    if (index >= redis_reply_count(reply))
        return NULL;
    return (const struct redis_reply *)(const void *)unwrap(reply)->element[index];
}

const char *redis_reply_text(const struct redis_reply *reply, size_t *size)
{
    enum redis_reply_kind kind = redis_reply_kind(reply);
    bool text = kind == REDIS_TEXT || kind == REDIS_STATUS || kind == REDIS_ERROR;

    if (size)
        *size = text ? unwrap(reply)->len : 0;
    return text ? unwrap(reply)->str : "";
}

int64_t redis_reply_int(const struct redis_reply *reply, int64_t otherwise)
{
    int64_t number;

    if (redis_reply_kind(reply) == REDIS_INTEGER)
        return unwrap(reply)->integer;
    if (redis_reply_kind(reply) == REDIS_TEXT && text_parse_int64(unwrap(reply)->str, INT64_MIN, INT64_MAX, &number))
        return number;
    return otherwise;
}

/* By first word. AGAIN: the server, not the call, is the matter. */
static const struct { const char *word; enum status status; bool new_connection; } error_words[] = {
    { "FENCED", ST_FENCED, false },
    { "RECOVERING", ST_RECOVERING, false },
    { "STALE", ST_STALE, false },
    { "LOADING", ST_AGAIN, false },
    { "BUSY", ST_AGAIN, false },
    { "OOM", ST_AGAIN, false },
    { "MISCONF", ST_AGAIN, false },
    { "NOREPLICAS", ST_AGAIN, false },
    { "TRYAGAIN", ST_AGAIN, false },
    { "CLUSTERDOWN", ST_AGAIN, false },
    { "MASTERDOWN", ST_AGAIN, true },
    { "READONLY", ST_AGAIN, true },
    { "NOAUTH", ST_AGAIN, true },
    { "WRONGPASS", ST_AGAIN, true },
    { "NOPERM", ST_AGAIN, true },
    { "DENIED", ST_AGAIN, true },
};

/* The server's own ERR replies that are no verdict on the call either. */
static const char *const error_starts[] = {
    "ERR Function not found",
    "ERR max number of clients reached",
    "ERR BUSY ",
};

static size_t find_word(const char *text)
{
    size_t length = strcspn(text, " ");
    size_t i = 0;

    while (i < sizeof error_words / sizeof *error_words &&
           (strncmp(error_words[i].word, text, length) != 0 || error_words[i].word[length] != '\0'))
        i++;
    return i;
}

enum status redis_error_status(const char *text)
{
    size_t word = find_word(text);

    if (word < sizeof error_words / sizeof *error_words)
        return error_words[word].status;
    for (size_t i = 0; i < sizeof error_starts / sizeof *error_starts; i++)
        if (strncmp(text, error_starts[i], strlen(error_starts[i])) == 0)
            return ST_AGAIN;
    return ST_INVALID;
}

bool redis_error_wants_new_connection(const char *text)
{
    size_t word = find_word(text);

    return word < sizeof error_words / sizeof *error_words && error_words[word].new_connection;
}
