/* This worker's copy of each shard's gate: the generation it has adopted, and whether claims may be sent. The truth is in
 * Redis, which refuses whoever is wrong.
 *
 * The claiming thread only asks whether a gate is open, and closes it when Redis refused (FENCED, RECOVERING) or is
 * away. The renewal thread alone looks at closed gates in Redis, adopts a new generation, has the leases reasserted,
 * and opens them again: one place where a recovery is dealt with. */
#ifndef BGOP_WORKER_LEASE_GATE_CACHE_H
#define BGOP_WORKER_LEASE_GATE_CACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/redis/functions.h"

enum gate_state {
    GATE_UNKNOWN,   /* to be read in Redis */
    GATE_REPLAYING, /* generation adopted; the shard replays its logs: reassert what runs, read it again */
    GATE_READY,     /* claims, renewals */
};
struct cached_gate {
    atomic_llong generation; /* adopted; 0: none */
    atomic_int state;        /* enum gate_state */
    bool reasserted;         /* under this generation; the renewal thread's */
};
struct gate_cache {
    struct cached_gate *shards;
    int shard_count;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* somebody closed a gate, or it is time to stop */
    bool refresh_wanted;    /* some gate was closed since the renewal thread refreshed */
};

void gate_cache_init(struct gate_cache *gates, int shard_count);
void gate_cache_release(struct gate_cache *gates);
/* true: *generation is what to send with a call. */
bool gate_cache_ready(const struct gate_cache *gates, int shard, int64_t *generation);
void gate_cache_close(struct gate_cache *gates, int shard);
void gate_cache_close_all(struct gate_cache *gates);
/* The renewal thread waits for a closed gate or timeout_ms. */
void gate_cache_wait(struct gate_cache *gates, int timeout_ms);
/* What was read in Redis: adopts, or refuses a generation lower than one seen before (an old primary). */
void gate_cache_update(struct gate_cache *gates, int shard, const struct gate *seen);
int gate_cache_ready_count(const struct gate_cache *gates);

#endif
