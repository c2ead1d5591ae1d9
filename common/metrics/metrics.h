/* Writes metrics as Prometheus reads them (text format 0.0.4): families with HELP and TYPE, labels escaped. What may be
 * written is in metrics_table.h.
 *
 *     struct metrics metrics;
 *     metrics_begin(&metrics, &answer->body);
 *     metrics_put(&metrics, METRIC_OPERATIONS, 7, "WebCart", "New");
 *     metrics_put(&metrics, METRIC_OPERATIONS, 2, "WebCart", "Error");     // the samples of one metric together
 *
 * A value that is not known is left out, never put as 0. */
#ifndef BGOP_METRICS_METRICS_H
#define BGOP_METRICS_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/histogram.h"
#include "common/metrics/metrics_table.h"

enum metric {
#define XX(id, source, kind, name, first, second, help) METRIC_##id,
    METRICS(XX)
#undef XX
        METRIC_COUNT
};
enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
    struct buf *to; /* overflow: what did not fit is missing, and whoever sends it must not */
    enum metric last;
    bool begun[METRIC_COUNT];
};

void metrics_begin(struct metrics *metrics, struct buf *to);
/* first, second: the values of its labels, in the order of the table; NULL: it has no such label. */
void metrics_put(struct metrics *metrics, enum metric metric, double value, const char *first, const char *second);
/* A histogram whose bucket i counts what is below bounds[i] (in the metric's unit) and not below the bound before;
 * counts[bound_count] counts the rest. */
void metrics_put_histogram(struct metrics *metrics, enum metric metric, const double *bounds, const uint64_t *counts,
                           size_t bound_count, double sum);
/* One that this process has kept (common/base/histogram.h), as seconds. */
void metrics_put_kept(struct metrics *metrics, enum metric metric, struct histogram *histogram);

#endif
