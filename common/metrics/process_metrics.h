/* What every process shows of itself: CPU, memory, descriptors, when it was started; its round trips to Redis, and whether
 * it reaches its servers. */
#ifndef BGOP_METRICS_PROCESS_METRICS_H
#define BGOP_METRICS_PROCESS_METRICS_H

#include "common/metrics/metrics.h"

/* program: "bgop-worker". */
void process_metrics_put(struct metrics *metrics, const char *program);

#endif
