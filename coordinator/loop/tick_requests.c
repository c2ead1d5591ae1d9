#include "coordinator/loop/tick_requests.h"

#include <stdlib.h>

#include "common/base/memory.h"

void tick_requests_init(struct tick_requests *tick_requests, int shards)
{
    tick_requests->shards = shards;
    tick_requests->at_us = xmalloc((size_t)shards * sizeof *tick_requests->at_us);
    for (int s = 0; s < shards; s++)
        atomic_init(&tick_requests->at_us[s], INT64_MAX);
}

void tick_requests_release(struct tick_requests *tick_requests)
{
    free(tick_requests->at_us);
    tick_requests->at_us = NULL;
}

void tick_request(struct tick_requests *tick_requests, int shard, int64_t at_us)
{
    int64_t known = atomic_load_explicit(&tick_requests->at_us[shard], memory_order_relaxed);

    while (at_us < known && !atomic_compare_exchange_weak_explicit(&tick_requests->at_us[shard], &known, at_us,
                                                                   memory_order_relaxed, memory_order_relaxed))
        ;
}

int64_t tick_request_take(struct tick_requests *tick_requests, int shard)
{
    if (atomic_load_explicit(&tick_requests->at_us[shard], memory_order_relaxed) == INT64_MAX)
        return INT64_MAX;
    return atomic_exchange_explicit(&tick_requests->at_us[shard], INT64_MAX, memory_order_relaxed);
}
