#include "coordinator/loop/log_ends.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/wait.h"

void log_ends_init(struct log_ends *ends, int submit_partitions, int shards)
{
    ends->count[LOG_SUBMIT] = submit_partitions;
    ends->count[LOG_STATUS] = shards;
    pthread_mutex_init(&ends->lock, NULL);
    wait_cond_init(&ends->queried);
    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        ends->of[k] = xcalloc((size_t)ends->count[k], sizeof *ends->of[k]);
        for (int p = 0; p < ends->count[k]; p++) {
            atomic_init(&ends->of[k][p].read, -1);
            atomic_init(&ends->of[k][p].lost, -1);
        }
    }
}

void log_ends_release(struct log_ends *ends)
{
    for (int k = 0; k < LOG_KIND_COUNT; k++)
        free(ends->of[k]);
    pthread_cond_destroy(&ends->queried);
    pthread_mutex_destroy(&ends->lock);
}

/* ---- for loops ---- */

void log_end_report_read(struct log_ends *ends, enum log_kind kind, int partition, int64_t position)
{
    atomic_store_explicit(&ends->of[kind][partition].read, position, memory_order_release);
}

int64_t log_end_lost(struct log_ends *ends, enum log_kind kind, int partition)
{
    struct log_end *end = &ends->of[kind][partition];

    if (atomic_load_explicit(&end->lost, memory_order_relaxed) < 0)
        return -1;
    return atomic_exchange(&end->lost, -1);
}

int64_t log_end_query(struct log_ends *ends, enum log_kind kind, int partition)
{
    int64_t query = atomic_fetch_add(&ends->of[kind][partition].queried, 1) + 1;

    pthread_mutex_lock(&ends->lock);
    pthread_cond_signal(&ends->queried);
    pthread_mutex_unlock(&ends->lock);
    return query;
}

int64_t log_end_result(struct log_ends *ends, enum log_kind kind, int partition, int64_t query)
{
    struct log_end *end = &ends->of[kind][partition];

    return atomic_load(&end->answered) < query ? -1 : atomic_load(&end->answer);
}
