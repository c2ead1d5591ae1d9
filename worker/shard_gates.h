/* What this worker believes of each shard's gate: the generation it has adopted, and whether claims may be sent.
 *
 * The claiming thread only asks whether a gate is open, and closes it when Redis refused (FENCED, RECOVERING) or is
 * away. The renewal thread alone looks at closed gates in Redis, adopts a new generation, has the leases reasserted,
 * and opens them again: one place where recovery is met. */
#ifndef BGOP_WORKER_SHARD_GATES_H
#define BGOP_WORKER_SHARD_GATES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/redis/functions.h"

enum gate_state {
    GATE_UNKNOWN,   /* look at it */
    GATE_REPLAYING, /* generation adopted; recovering: reassert what runs, look again */
    GATE_READY,     /* claims, renewals */
};
struct shard_gate {
    atomic_llong generation; /* adopted; 0: none */
    atomic_int state;        /* enum gate_state */
    bool reasserted;         /* under this generation; the renewal thread's */
};
struct shard_gates {
    struct shard_gate *shards;
    int shard_count;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* somebody closed a gate, or it is time to stop */
    bool look;              /* some gate was closed since the renewal thread looked */
};

void shard_gates_init(struct shard_gates *gates, int shard_count);
void shard_gates_release(struct shard_gates *gates);
/* true: *generation is what to send with a call. */
bool shard_gates_ready(const struct shard_gates *gates, int shard, int64_t *generation);
void shard_gates_close(struct shard_gates *gates, int shard);
void shard_gates_close_all(struct shard_gates *gates);
/* The renewal thread waits for a closed gate or timeout_ms. */
void shard_gates_wait(struct shard_gates *gates, int timeout_ms);
/* What was seen in Redis: adopts, or refuses a generation lower than one seen before (an old primary). */
void shard_gates_adopt(struct shard_gates *gates, int shard, const struct gate *seen);
int shard_gates_ready_count(const struct shard_gates *gates);

#endif
