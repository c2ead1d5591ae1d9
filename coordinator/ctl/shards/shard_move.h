/* Moves a shard to another server of a Redis Cluster while it is used. Redis' own way (MIGRATE key after key, redis-cli
 * --cluster reshard) holds up a shard from its first key to its last: the calls of a shard need all of its keys. Here all keys
 * are copied while the shard works on, and what changed meanwhile once more; it stands still only for what has changed since.
 *   1 the target waits for the slot (IMPORTING), the source tells what changes (changed_keys.h)
 *   2 every key is copied, then what changed, until that is little
 *   3 the source sends callers away (MIGRATING): nothing changes any more; the rest is copied, and counted
 *   4 the target has the slot (NODE): from here on there is no way back. The source drops its copy
 * Whatever fails before 4 is undone: the source goes on, and the target drops what it has. */
#ifndef BGOP_CTL_SHARDS_SHARD_MOVE_H
#define BGOP_CTL_SHARDS_SHARD_MOVE_H

#include "coordinator/ctl/shards/shard_copy.h"

struct shard_moved {
    char from[320], to[320]; /* addresses, for people */
    long long keys;          /* of the shard, when it stood still */
    long long keys_held_up;  /* copied while it stood still */
    int64_t took_ms, held_up_ms;
    bool was_there; /* nothing was to be moved */
};

struct shard_move {
    int shard, shards; /* which, and how many the queue has: those that have the same slot go along */
    const char *host;  /* of the target */
    int port;
    bool
        again; /* a move of this shard that broke off is begun again; else it is refused, since perhaps it still goes on */
    shard_copy_progress *progress;
    void *arg;
};

/* cluster: as redis_is_cluster says. ST_INVALID: it cannot be moved there. ST_LIMIT: progress said so. Nothing is moved then,
 * and neither when the answer is ST_AGAIN, unless err says that it is moved. */
enum status shard_move(struct redis *cluster, const struct shard_move *move, struct shard_moved *moved,
                       struct err *err) MUST_CHECK;

#endif
