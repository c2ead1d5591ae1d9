/* Pub/Sub needs RESP2's own mode of a connection: behind SSUBSCRIBE replies and messages come mixed, as arrays whose first
 * element says which. */
#include "common/redis/subscriber.h"

#include <stdio.h>
#include <string.h>

#include "common/record/keys.h"
#include "common/redis/edge.h"

/* What Redis sends: an array of these. */
enum { PUBLISHED_KIND, PUBLISHED_CHANNEL, PUBLISHED_PAYLOAD };

static enum status send_words(struct redis *redis, const char *word, const char *channel, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);

    redis_command_add_text(command, word);
    if (channel)
        redis_command_add_text(command, channel);
    return redis_enqueue(redis, command, err);
}

enum status subscriber_connect(struct redis *redis, struct err *err)
{
    enum status st = redis_connect(redis, err);
    char channel[KEY_SIZE];

    if (st != ST_OK || redis_shard_away(redis, 0))
        return st;
    return send_words(redis, "SSUBSCRIBE", key_format(channel, sizeof channel, KEY_LISTENERS, 0, NULL), err);
}

enum status subscriber_subscribe(struct redis *redis, int shard, const char *type, bool on, struct err *err)
{
    char channel[KEY_SIZE];

    key_format(channel, sizeof channel, KEY_HINTS, shard, type);
    return send_words(redis, on ? "SSUBSCRIBE" : "SUNSUBSCRIBE", channel, err);
}

enum status subscriber_ping(struct redis *redis, struct err *err)
{
    return send_words(redis, "PING", NULL, err);
}

/* [smessage, bgop:{7}:hints:WebCart, Ids], or an answer: [pong, ""], [ssubscribe, channel, how many] ... */
enum status subscriber_receive(struct redis *redis, struct published *published, struct err *err)
{
    enum status st;

    *published = (struct published){ .kind = PUBLISHED_NOTHING };
    st = redis_poll(redis, &published->memory, err);
    if (st != ST_OK || !published->memory)
        return st;
    published->kind = PUBLISHED_REPLY;
    if (strcmp(redis_reply_text(redis_reply_at(published->memory, PUBLISHED_KIND), NULL), "smessage") == 0) {
        const char *rest =
            key_rest(redis_reply_text(redis_reply_at(published->memory, PUBLISHED_CHANNEL), NULL), &published->shard);

        published->type = rest ? key_rest_of(rest, KEY_HINTS) : NULL;
        if (published->type) {
            published->kind = PUBLISHED_HINTS;
            published->ids =
                redis_reply_text(redis_reply_at(published->memory, PUBLISHED_PAYLOAD), &published->ids_size);
        }
    }
    return ST_OK;
}

void published_release(struct published *published)
{
    redis_reply_free(published->memory);
    *published = (struct published){ .kind = PUBLISHED_NOTHING };
}

enum status subscribers_count_send(struct redis *redis, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);
    char channel[KEY_SIZE];

    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    redis_command_add_text(command, "PUBSUB");
    redis_command_add_text(command, "SHARDNUMSUB");
    redis_command_add_text(command, key_format(channel, sizeof channel, KEY_LISTENERS, 0, NULL));
    return redis_enqueue(redis, command, err);
}

enum status subscribers_count_receive(struct redis *redis, int *count, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_poll(redis, &reply, err);

    *count = reply ? (int)redis_reply_int(redis_reply_at(reply, 1), 0) : -1;
    redis_reply_free(reply);
    return st;
}
