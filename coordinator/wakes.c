#include "coordinator/wakes.h"

#include <stdlib.h>

#include "common/base/memory.h"

void wakes_init(struct wakes *wakes, int shards)
{
    wakes->shards = shards;
    wakes->at_us = xmalloc((size_t)shards * sizeof *wakes->at_us);
    for (int s = 0; s < shards; s++)
        atomic_init(&wakes->at_us[s], INT64_MAX);
}

void wakes_release(struct wakes *wakes)
{
    free(wakes->at_us);
    wakes->at_us = NULL;
}

void wakes_say(struct wakes *wakes, int shard, int64_t at_us)
{
    int64_t known = atomic_load_explicit(&wakes->at_us[shard], memory_order_relaxed);

    while (at_us < known && !atomic_compare_exchange_weak_explicit(&wakes->at_us[shard], &known, at_us,
                                                                   memory_order_relaxed, memory_order_relaxed))
        ;
}

int64_t wakes_take(struct wakes *wakes, int shard)
{
    if (atomic_load_explicit(&wakes->at_us[shard], memory_order_relaxed) == INT64_MAX)
        return INT64_MAX;
    return atomic_exchange_explicit(&wakes->at_us[shard], INT64_MAX, memory_order_relaxed);
}
