/* What a coordinator shows of itself at /metrics: what it counts (counters.h), and how far behind it is (log_ends.h). A page
 * of its HTTP endpoint is this, between the queue's metrics and the process' own: common/metrics/README.md. */
#ifndef BGOP_COORDINATOR_LOOP_LOOP_METRICS_H
#define BGOP_COORDINATOR_LOOP_LOOP_METRICS_H

#include "common/metrics/metrics.h"
#include "coordinator/loop/loop.h"

/* From any thread, while the loops run. */
void loop_metrics_put(struct metrics *metrics, struct shared *shared);

#endif
