#include "worker/daemon/worker_metrics.h"

#include "worker/daemon/readiness.h"

static void put_types(struct metrics *metrics, const struct types *types)
{
    for (size_t i = 0; i < types->count; i++)
        metrics_put(metrics, METRIC_RUNNING, atomic_load(&types->all[i].running), types->all[i].config->name, NULL);
    for (size_t i = 0; i < types->count; i++)
        metrics_put(metrics, METRIC_CONCURRENCY, types->all[i].concurrency, types->all[i].config->name, NULL);
}

/* The kinds that a worker may report; the others are verdicts and commands, which are coordinators'. */
static void put_outcomes(struct metrics *metrics, const struct reporter *reporter)
{
    static const enum entry_kind kinds[] = {
        ENTRY_OK,        ENTRY_ERROR,   ENTRY_PERMANENT, ENTRY_CRASHED,
        ENTRY_TIMED_OUT, ENTRY_SKIPPED, ENTRY_RETURNED,  ENTRY_UNANSWERED,
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        metrics_put(metrics, METRIC_OUTCOMES, (double)reporter_delivered(reporter, kinds[i]), entry_kind_name(kinds[i]),
                    NULL);
    }
    metrics_put(metrics, METRIC_UNDELIVERED, (double)reporter_undelivered(reporter), NULL, NULL);
}

static void put_spans(struct metrics *metrics, const struct exporter *spans)
{
    metrics_put(metrics, METRIC_SPANS, (double)exporter_exported(spans), "exported", NULL);
    metrics_put(metrics, METRIC_SPANS, (double)exporter_dropped(spans), "dropped", NULL);
}

void worker_metrics_put(struct metrics *metrics, const struct status_source *source)
{
    char why[READINESS_SIZE];

    metrics_put(metrics, METRIC_READY, worker_is_ready(source, why, sizeof why), NULL, NULL);
    if (!source->identity)
        return;
    metrics_put(metrics, METRIC_SHARDS_READY, gate_cache_ready_count(source->gates), NULL, NULL);
    metrics_put(metrics, METRIC_CLAIMED, (double)claims_granted(source->claims), NULL, NULL);
    put_types(metrics, source->types);
    put_outcomes(metrics, source->reporter);
    if (source->spans)
        put_spans(metrics, source->spans);
}
