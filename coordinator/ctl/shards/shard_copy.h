/* The copying half of a move (shard_move.h): keys of a slot from one server to another, all of them or what has changed. */
#ifndef BGOP_CTL_SHARDS_SHARD_COPY_H
#define BGOP_CTL_SHARDS_SHARD_COPY_H

#include "coordinator/ctl/shards/changed_keys.h"

/* Called now and then: how many keys of how many were copied. false: give up. */
typedef bool shard_copy_progress(void *arg, long long copied, long long all);

enum { SHARD_COPY_CHUNK = 16 }; /* never fewer keys in one MIGRATE */

struct shard_copy {
    struct redis *source, *target;
    char host[256], port[8]; /* of the target, as the source reaches it */
    int number;
    char slot[8];             /* the same */
    struct key_list prefixes; /* of all shards that have this slot */
    struct changed_keys changed;
    struct key_list last; /* keys that go behind all others (shard_copy_last) */
    size_t chunk;         /* keys of the next MIGRATE; SHARD_COPY_CHUNK at first */
    long long copied, all;
    bool in_a_hurry; /* the shard stands still: no pauses, and nobody is asked whether to go on */
    shard_copy_progress *progress;
    void *arg;
};

/* All keys of the slot, while they are used. ST_INVALID: one of them is no shard's. */
enum status shard_copy_all(struct shard_copy *copy, struct err *err) MUST_CHECK;
/* What was told to have changed, or to be gone; both without what goes last. */
enum status shard_copy_changed(struct shard_copy *copy, struct err *err) MUST_CHECK;
/* The gates and fences: a target that loses the newest of what it was given has no shard then, and not a part of one that looks
 * whole. Waits for the target's replicas, some moments at most. */
enum status shard_copy_last(struct shard_copy *copy, struct err *err) MUST_CHECK;
/* The target drops all keys of the slot, which must not be its own. */
enum status shard_copy_drop(struct shard_copy *copy, struct err *err) MUST_CHECK;

#endif
