#include "coordinator/loop/health.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"

void health_init(struct health *health, int submit_partitions, int shards)
{
    pthread_mutex_init(&health->lock, NULL);
    health->count[LOG_SUBMIT] = submit_partitions;
    health->count[LOG_STATUS] = shards;
    for (int k = 0; k < LOG_KIND_COUNT; k++)
        health->of[k] = xcalloc((size_t)health->count[k], sizeof *health->of[k]);
}

void health_release(struct health *health)
{
    for (int k = 0; k < LOG_KIND_COUNT; k++)
        free(health->of[k]);
    pthread_mutex_destroy(&health->lock);
}

void health_note(struct health *health, enum log_kind kind, int partition, enum health_state state, const char *why)
{
    struct health_source *source = &health->of[kind][partition];

    pthread_mutex_lock(&health->lock);
    source->state = state;
    text_copy(source->why, sizeof source->why, why, strlen(why));
    pthread_mutex_unlock(&health->lock);
}

bool health_lags(struct health_progress *progress, int64_t read, int64_t end, int64_t now_ms)
{
    if (progress->since_ms == 0 || read != progress->read || read < 0 || end <= read)
        *progress = (struct health_progress){ read, now_ms };
    return now_ms - progress->since_ms >= HEALTH_SOURCE_LAGGING_MS;
}
