/* Replies: views into hiredis' own structures (struct redis_reply is never defined: a pointer to one is a pointer to
 * a redisReply), and what error replies mean. */
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/text.h"
#include "common/redis/edge.h"
#include "common/server/sentinel.h"

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

/* Words of Redis by which it refuses a user, wherever they stand in a text of ours, and ours for a wrong address. */
static const char *const refusals[] = {
    "NOPERM",
    "NOAUTH",
    "WRONGPASS",
    "DENIED",
    "ERR AUTH",
    "ERR Client sent AUTH",
    "ERR invalid password",
    "The user executing the script",
    "ACL failure in script",
    SENTINEL_REFUSED,
    REDIS_IS_SENTINEL,
};

bool redis_is_refusal(const struct err *err)
{
    if (err->status != ST_AGAIN)
        return false;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strstr(err->text, refusals[i]))
            return true;
    }
    return false;
}
