#include "common/redis/listening.h"

#include <stdio.h>
#include <string.h>

#include "common/redis/wire.h"

static const char workers_channel[] = "bgop:{0}:workers";

static enum status send_words(struct redis *redis, const char *word, const char *channel, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);

    redis_command_add_text(command, word);
    if (channel)
        redis_command_add_text(command, channel);
    return redis_listen_send(redis, command, err);
}

enum status listening_begin(struct redis *redis, struct err *err)
{
    enum status status = redis_connect(redis, err);

    return status == ST_OK ? send_words(redis, "SSUBSCRIBE", workers_channel, err) : status;
}

enum status listening_to(struct redis *redis, int shard, const char *type, bool on, struct err *err)
{
    char key[SHARD_KEY_SIZE], channel[SHARD_KEY_SIZE + 320];

    snprintf(channel, sizeof channel, "%s:hints:%s", functions_shard_key(key, shard, ""), type);
    return send_words(redis, on ? "SSUBSCRIBE" : "SUNSUBSCRIBE", channel, err);
}

enum status listening_ping(struct redis *redis, struct err *err)
{
    return send_words(redis, "PING", NULL, err);
}

/* [smessage, bgop:{7}:hints:WebCart, Ids], or an answer: [pong, ""], [ssubscribe, channel, how many] ... */
enum status listening_hear(struct redis *redis, struct heard *heard, struct err *err)
{
    enum status status;
    int behind_shard = 0;

    *heard = (struct heard){ .kind = HEARD_NOTHING };
    status = redis_listen_receive(redis, &heard->memory, err);
    if (status != ST_OK || !heard->memory)
        return status;
    heard->kind = HEARD_OTHER;
    if (strcmp(redis_reply_text(redis_reply_at(heard->memory, 0), NULL), "smessage") == 0) {
        const char *channel = redis_reply_text(redis_reply_at(heard->memory, 1), NULL);

        if (sscanf(channel, "bgop:{%d}:hints:%n", &heard->shard, &behind_shard) == 1 && behind_shard > 0) {
            heard->kind = HEARD_HINTS;
            heard->type = channel + behind_shard;
            heard->ids = redis_reply_text(redis_reply_at(heard->memory, 2), &heard->ids_size);
        }
    }
    return ST_OK;
}

void heard_release(struct heard *heard)
{
    redis_reply_free(heard->memory);
    *heard = (struct heard){ .kind = HEARD_NOTHING };
}

enum status listeners_ask(struct redis *redis, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);

    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    redis_command_add_text(command, "PUBSUB");
    redis_command_add_text(command, "SHARDNUMSUB");
    redis_command_add_text(command, workers_channel);
    return redis_listen_send(redis, command, err);
}

enum status listeners_take(struct redis *redis, int *count, struct err *err)
{
    struct redis_reply *reply;
    enum status status = redis_listen_receive(redis, &reply, err);

    *count = reply ? (int)redis_reply_int(redis_reply_at(reply, 1), 0) : -1;
    redis_reply_free(reply);
    return status;
}
