/* What a worker shows of itself at /metrics: what it was granted and reported, and what it runs. */
#ifndef BGOP_WORKER_DAEMON_WORKER_METRICS_H
#define BGOP_WORKER_DAEMON_WORKER_METRICS_H

#include "common/metrics/metrics.h"
#include "worker/daemon/status_source.h"

/* source as long as the worker starts: only that it is not ready. */
void worker_metrics_put(struct metrics *metrics, const struct status_source *source);

#endif
