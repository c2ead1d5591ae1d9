/* UNKNOWN -> REPLAYING or READY by the renewal thread, back to UNKNOWN by whoever was refused. `state` and `generation` are
 * atomic, so the claiming thread reads them without a lock; the lock is for waiting. */
#include "worker/lease/gate_cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/wait.h"

void gate_cache_init(struct gate_cache *gates, int shard_count)
{
    gates->shard_count = shard_count;
    gates->shards = xcalloc((size_t)shard_count, sizeof *gates->shards);
    gates->refresh_wanted = true;
    pthread_mutex_init(&gates->lock, NULL);
    wait_cond_init(&gates->changed);
}

void gate_cache_release(struct gate_cache *gates)
{
    pthread_cond_destroy(&gates->changed);
    pthread_mutex_destroy(&gates->lock);
    free(gates->shards);
    memset(gates, 0, sizeof *gates);
}

bool gate_cache_ready(const struct gate_cache *gates, int shard, int64_t *generation)
{
    const struct cached_gate *gate = &gates->shards[shard];

    *generation = atomic_load(&gate->generation);
    return atomic_load(&gate->state) == GATE_READY;
}

static void request_refresh(struct gate_cache *gates)
{
    pthread_mutex_lock(&gates->lock);
    gates->refresh_wanted = true;
    pthread_cond_signal(&gates->changed);
    pthread_mutex_unlock(&gates->lock);
}

void gate_cache_close(struct gate_cache *gates, int shard)
{
    if (atomic_exchange(&gates->shards[shard].state, GATE_UNKNOWN) != GATE_UNKNOWN)
        request_refresh(gates);
}

void gate_cache_close_all(struct gate_cache *gates)
{
    bool any = false;

    for (int i = 0; i < gates->shard_count; i++)
        any |= atomic_exchange(&gates->shards[i].state, GATE_UNKNOWN) != GATE_UNKNOWN;
    if (any)
        request_refresh(gates);
}

void gate_cache_wait(struct gate_cache *gates, int timeout_ms)
{
    pthread_mutex_lock(&gates->lock);
    if (!gates->refresh_wanted)
        wait_cond(&gates->changed, &gates->lock, timeout_ms);
    gates->refresh_wanted = false;
    pthread_mutex_unlock(&gates->lock);
}

void gate_cache_update(struct gate_cache *gates, int shard, const struct gate *seen)
{
    struct cached_gate *gate = &gates->shards[shard];
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

int gate_cache_ready_count(const struct gate_cache *gates)
{
    int ready = 0;

    for (int i = 0; i < gates->shard_count; i++)
        ready += atomic_load(&gates->shards[i].state) == GATE_READY;
    return ready;
}
