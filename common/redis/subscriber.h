/* What Redis says unasked, by sharded Pub/Sub (Redis 7): hints, each as it is made, on one channel per shard and Type. And who
 * is connected: workers listen on a channel that carries nothing, so the number of its listeners is theirs, and falls in the
 * moment in which one dies.
 *
 * Messages are not kept for anybody: who does not listen misses them. A connection that listens does nothing else. */
#ifndef BGOP_REDIS_SUBSCRIBER_H
#define BGOP_REDIS_SUBSCRIBER_H

#include "common/redis/redis.h"

/* ---- the subscriber: a connection that listens; after an error it is closed, and is connected again ---- */

/* Connects, and is counted as a worker from now on. */
enum status subscriber_connect(struct redis *redis, struct err *err) MUST_CHECK;
/* Subscribes to the hints of one shard and Type, or ends that. */
enum status subscriber_subscribe(struct redis *redis, int shard, const char *type, bool on, struct err *err) MUST_CHECK;
/* Asks for a sign of life, which comes as PUBLISHED_REPLY. */
enum status subscriber_ping(struct redis *redis, struct err *err) MUST_CHECK;

enum published_kind {
    PUBLISHED_NOTHING, /* nothing has arrived */
    PUBLISHED_HINTS,
    PUBLISHED_REPLY, /* an answer to one of the three above */
};
struct published {
    enum published_kind kind;
    int shard; /* these four: of hints */
    const char *type;
    const char *ids; /* joined by blanks */
    size_t ids_size;
    struct redis_reply *memory;
};
/* The next thing that has arrived, without waiting. Not ST_OK: nothing to be released. */
enum status subscriber_receive(struct redis *redis, struct published *published, struct err *err) MUST_CHECK;
void published_release(struct published *published);

/* ---- over another connection that is not waited for ---- */

/* Asks how many workers are connected. Connects. */
enum status subscribers_count_send(struct redis *redis, struct err *err) MUST_CHECK;
/* The answer; *count -1: it has not arrived. */
enum status subscribers_count_receive(struct redis *redis, int *count, struct err *err) MUST_CHECK;

#endif
