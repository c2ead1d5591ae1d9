/* What Redis says unasked, by sharded Pub/Sub (Redis 7): hints, each as it is made, on one channel per shard and Type. And who
 * is connected: workers listen on a channel that carries nothing, so the number of its listeners is theirs, and falls in the
 * moment in which one dies.
 *
 * Messages are not kept for anybody: who does not listen misses them. A connection that listens does nothing else. */
#ifndef BGOP_REDIS_LISTENING_H
#define BGOP_REDIS_LISTENING_H

#include "common/redis/redis.h"

/* ---- over the connection that listens; after an error it is closed: begin again ---- */

/* Connects, and is counted as a worker from now on. */
enum status listening_begin(struct redis *redis, struct err *err) MUST_CHECK;
/* Begins or ends listening to the hints of one shard and Type. */
enum status listening_to(struct redis *redis, int shard, const char *type, bool on, struct err *err) MUST_CHECK;
/* Asks for a sign of life, which is heard as HEARD_OTHER. */
enum status listening_ping(struct redis *redis, struct err *err) MUST_CHECK;

enum heard_kind {
    HEARD_NOTHING, /* nothing has arrived */
    HEARD_HINTS,
    HEARD_OTHER, /* an answer to one of the three above */
};
struct heard {
    enum heard_kind kind;
    int shard; /* these four: of hints */
    const char *type;
    const char *ids; /* joined by blanks */
    size_t ids_size;
    struct redis_reply *memory;
};
/* The next thing that has arrived, without waiting. Not ST_OK: nothing to be released. */
enum status listening_hear(struct redis *redis, struct heard *heard, struct err *err) MUST_CHECK;
void heard_release(struct heard *heard);

/* ---- over another connection that is not waited for ---- */

/* Asks how many workers are connected. Connects. */
enum status listeners_ask(struct redis *redis, struct err *err) MUST_CHECK;
/* The answer; *count -1: it has not arrived. */
enum status listeners_take(struct redis *redis, int *count, struct err *err) MUST_CHECK;

#endif
