#include "coordinator/loop/loop_metrics.h"

#include <stdio.h>

/* Of the partitions that a loop of this process reads. The end is that of the last look, some seconds old: what was read
 * since may be beyond it. */
static void put_lag(struct metrics *metrics, const struct log_ends *ends, enum log_kind kind, const char *log)
{
    for (int p = 0; p < ends->count[kind]; p++) {
        const struct log_end *end = &ends->of[kind][p];
        int64_t read = atomic_load(&end->read), known = atomic_load(&end->answer);
        char partition[16];

        if (read < 0 || (known == 0 && read > 0)) /* nobody reads it; no end is known yet */
            continue;
        snprintf(partition, sizeof partition, "%d", p);
        metrics_put(metrics, METRIC_LAG, known > read ? (double)(known - read) : 0, log, partition);
    }
}

void loop_metrics_put(struct metrics *metrics, struct shared *shared)
{
#define XX(name, meaning) metrics_put(metrics, METRIC_EVENTS, (double)atomic_load(&shared->counters.name), #name, NULL);
    COUNTERS(XX)
#undef XX
    put_lag(metrics, &shared->ends, LOG_SUBMIT, "submit");
    put_lag(metrics, &shared->ends, LOG_STATUS, "status");
}
