#include "worker/shard_gates.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "worker/wait.h"

void shard_gates_init(struct shard_gates *gates, int shard_count)
{
    gates->shard_count = shard_count;
    gates->shards = xcalloc((size_t)shard_count, sizeof *gates->shards);
    gates->look = true;
    pthread_mutex_init(&gates->lock, NULL);
    wait_cond_init(&gates->changed);
}

void shard_gates_release(struct shard_gates *gates)
{
    pthread_cond_destroy(&gates->changed);
    pthread_mutex_destroy(&gates->lock);
    free(gates->shards);
    memset(gates, 0, sizeof *gates);
}

bool shard_gates_ready(const struct shard_gates *gates, int shard, int64_t *generation)
{
    const struct shard_gate *gate = &gates->shards[shard];

    *generation = atomic_load(&gate->generation);
    return atomic_load(&gate->state) == GATE_READY;
}

static void wake(struct shard_gates *gates)
{
    pthread_mutex_lock(&gates->lock);
    gates->look = true;
    pthread_cond_signal(&gates->changed);
    pthread_mutex_unlock(&gates->lock);
}

void shard_gates_close(struct shard_gates *gates, int shard)
{
    if (atomic_exchange(&gates->shards[shard].state, GATE_UNKNOWN) != GATE_UNKNOWN)
        wake(gates);
}

void shard_gates_close_all(struct shard_gates *gates)
{
    bool any = false;

    for (int i = 0; i < gates->shard_count; i++)
        any |= atomic_exchange(&gates->shards[i].state, GATE_UNKNOWN) != GATE_UNKNOWN;
    if (any)
        wake(gates);
}

void shard_gates_wait(struct shard_gates *gates, int timeout_ms)
{
    pthread_mutex_lock(&gates->lock);
    if (!gates->look)
        wait_cond(&gates->changed, &gates->lock, timeout_ms);
    gates->look = false;
    pthread_mutex_unlock(&gates->lock);
}

void shard_gates_adopt(struct shard_gates *gates, int shard, const struct gate *seen)
{
    struct shard_gate *gate = &gates->shards[shard];
    int64_t known = atomic_load(&gate->generation);

    if (seen->mode == GATE_ABSENT || !seen->armed_for_this_server || seen->generation < known)
        return; /* not armed yet, or the primary of another time: wait */
    if (seen->generation > known) {
        atomic_store(&gate->generation, seen->generation);
        gate->reasserted = known == 0; /* at first nothing runs */
        log_event(LOG_LEVEL_DEBUG, "generation adopted", "shard=%d generation=%lld before=%lld", shard,
                  (long long)seen->generation, (long long)known);
    }
    if (seen->mode == GATE_OPEN && gate->reasserted)
        atomic_store(&gate->state, GATE_READY);
    else
        atomic_store(&gate->state, GATE_REPLAYING);
}

int shard_gates_ready_count(const struct shard_gates *gates)
{
    int ready = 0;

    for (int i = 0; i < gates->shard_count; i++)
        ready += atomic_load(&gates->shards[i].state) == GATE_READY;
    return ready;
}
