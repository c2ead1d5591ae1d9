#include "common/metrics/metrics.h"

#include <math.h>
#include <string.h>

#include "common/base/err.h"

static const struct {
    enum metric_kind kind;
    const char *name, *labels[2], *help;
} table[] = {
#define XX(id, source, kind, name, first, second, help) { METRIC_##kind, name, { first, second }, help },
    METRICS(XX)
#undef XX
};

void metrics_begin(struct metrics *metrics, struct buf *to)
{
    memset(metrics, 0, sizeof *metrics);
    metrics->to = to;
    metrics->last = METRIC_COUNT;
}

/* ---- pieces of the format ---- */

/* In a help text a quote stands for itself; in a label it would end it. */
static void append_escaped(struct buf *to, const char *text, bool quoted)
{
    for (; *text; text++) {
        if (*text == '\\')
            buf_append_string(to, "\\\\");
        else if (*text == '\n')
            buf_append_string(to, "\\n");
        else if (*text == '"' && quoted)
            buf_append_string(to, "\\\"");
        else
            buf_append_char(to, *text);
    }
}

static void append_number(struct buf *to, double value)
{
    if (isnan(value))
        buf_append_string(to, "NaN");
    else if (isinf(value))
        buf_append_string(to, value > 0 ? "+Inf" : "-Inf");
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(to, "%.0f", value);
    else
        buf_printf(to, "%.12g", value);
}

/* Its head, unless the last sample was of the same metric: Prometheus wants all samples of one together. */
static void open_family(struct metrics *metrics, enum metric metric)
{
    static const char *const kinds[] = { "gauge", "counter", "histogram" };

    if (metrics->last == metric)
        return;
    BGOP_ASSERT(!metrics->begun[metric]);
    metrics->begun[metric] = true;
    metrics->last = metric;
    buf_printf(metrics->to, "# HELP %s ", table[metric].name);
    append_escaped(metrics->to, table[metric].help, false);
    buf_printf(metrics->to, "\n# TYPE %s %s\n", table[metric].name, kinds[table[metric].kind]);
}

static void append_labels(struct buf *to, enum metric metric, const char *const values[2])
{
    for (int i = 0; i < 2; i++) {
        BGOP_ASSERT((values[i] != NULL) == (table[metric].labels[i][0] != '\0'));
        if (!values[i])
            continue;
        buf_printf(to, "%c%s=\"", i == 0 ? '{' : ',', table[metric].labels[i]);
        append_escaped(to, values[i], true);
        buf_append_char(to, '"');
    }
    if (values[0])
        buf_append_char(to, '}');
}

/* ---- samples ---- */

void metrics_put(struct metrics *metrics, enum metric metric, double value, const char *first, const char *second)
{
    BGOP_ASSERT(table[metric].kind != METRIC_HISTOGRAM);
    open_family(metrics, metric);
    buf_append_string(metrics->to, table[metric].name);
    append_labels(metrics->to, metric, (const char *[]){ first, second });
    buf_append_char(metrics->to, ' ');
    append_number(metrics->to, value);
    buf_append_char(metrics->to, '\n');
}

void metrics_put_histogram(struct metrics *metrics, enum metric metric, const double *bounds, const uint64_t *counts,
                           size_t bound_count, double sum)
{
    const char *name = table[metric].name;
    uint64_t total = 0;

    BGOP_ASSERT(table[metric].kind == METRIC_HISTOGRAM);
    open_family(metrics, metric);
    for (size_t i = 0; i <= bound_count; i++) {
        total += counts[i];
        buf_printf(metrics->to, "%s_bucket{le=\"", name);
        append_number(metrics->to, i < bound_count ? bounds[i] : INFINITY);
        buf_printf(metrics->to, "\"} %llu\n", (unsigned long long)total);
    }
    buf_printf(metrics->to, "%s_sum ", name);
    append_number(metrics->to, sum);
    buf_printf(metrics->to, "\n%s_count %llu\n", name, (unsigned long long)total);
}

void metrics_put_kept(struct metrics *metrics, enum metric metric, struct histogram *histogram)
{
    double bounds[HISTOGRAM_BOUNDS];
    uint64_t counts[HISTOGRAM_BOUNDS + 1];
    uint64_t sum_us = histogram_read(histogram, counts);

    for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
        bounds[i] = (double)histogram_bound_us(i) / 1e6;
    metrics_put_histogram(metrics, metric, bounds, counts, HISTOGRAM_BOUNDS, (double)sum_us / 1e6);
}
