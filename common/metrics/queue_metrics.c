#include "common/metrics/queue_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/reading/reading.h"
#include "common/record/actions.h"
#include "common/record/health.h"

enum { BOUNDS = 23 }; /* of wait and run times: doublings from 1 ms to 70 minutes */

static double number_at(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* ---- of the queue as it stands ---- */

static void put_mode(struct metrics *metrics, const json_t *stats)
{
    static const char *const modes[] = { "OPEN", "RECOVERING", "EMPTY" };
    const char *mode = json_string_value(json_object_get(stats, "mode"));

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        metrics_put(metrics, METRIC_MODE, mode && strcmp(mode, modes[i]) == 0, modes[i], NULL);
    metrics_put(metrics, METRIC_SHARDS, number_at(stats, "shards"), NULL, NULL);
    metrics_put(metrics, METRIC_SHARDS_CLOSED, (double)json_array_size(json_object_get(stats, "recovering")), NULL,
                NULL);
}

static void put_health(struct metrics *metrics, const json_t *health)
{
    static const char *const kinds[] = {
#define XX(id, what, where, when, advice) what,
        HEALTH_KINDS(XX)
#undef XX
    };
    const json_t *one;
    size_t at;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int count = 0;

        json_array_foreach(health, at, one)
        {
            const char *what = json_string_value(json_object_get(one, "what"));

            count += what && strcmp(what, kinds[i]) == 0;
        }
        metrics_put(metrics, METRIC_HEALTH, count, kinds[i], NULL);
    }
}

static void put_operations(struct metrics *metrics, const json_t *by_type)
{
    const char *type, *status;
    json_t *statuses, *count;

    json_object_foreach((json_t *)(uintptr_t)by_type, type, statuses)
    {
        json_object_foreach(statuses, status, count)
            metrics_put(metrics, METRIC_OPERATIONS, json_number_value(count), type, status);
    }
}

/* {Type: number}; a Type that has records and is not in it has none: 0. */
static void put_by_type(struct metrics *metrics, enum metric metric, const json_t *stats, const char *member,
                        double unit)
{
    const char *type;
    json_t *statuses;

    json_object_foreach(json_object_get(stats, "byType"), type, statuses)
        metrics_put(metrics, metric, number_at(json_object_get(stats, member), type) / unit, type, NULL);
}

static void put_actions(struct metrics *metrics, const json_t *stats)
{
    const json_t *totals = json_object_get(stats, "totals");

    metrics_put(metrics, METRIC_ACTIONS_RUNNING, number_at(stats, "actionsRunning"), NULL, NULL);
#define XX(state, runs) \
    if (!(runs))        \
        metrics_put(metrics, METRIC_ACTIONS_ENDED, number_at(totals, "actions_" #state), #state, NULL);
    ACTION_STATES(XX)
#undef XX
}

static void put_workers(struct metrics *metrics, const json_t *stats)
{
    const json_t *worker;
    double slots = 0;
    size_t i;

    json_array_foreach(json_object_get(stats, "workerList"), i, worker) slots += number_at(worker, "slots");
    metrics_put(metrics, METRIC_WORKERS, number_at(stats, "workers"), NULL, NULL);
    metrics_put(metrics, METRIC_SLOTS, slots, NULL, NULL);
}

/* ---- since ever ---- */

static void put_times(struct metrics *metrics, enum metric metric, const json_t *times)
{
    const json_t *count, *buckets = json_object_get(times, "buckets");
    double bounds[BOUNDS];
    uint64_t counts[BOUNDS + 1] = { 0 };
    size_t i;

    for (i = 0; i < BOUNDS; i++)
        bounds[i] = ldexp(1, (int)i) / 1000;
    json_array_foreach(buckets, i, count) counts[i < BOUNDS ? i : BOUNDS] += (uint64_t)json_number_value(count);
    metrics_put_histogram(metrics, metric, bounds, counts, BOUNDS, number_at(times, "sumMs") / 1000);
}

static void put_totals(struct metrics *metrics, const json_t *totals)
{
    static const struct {
        enum metric metric;
        const char *total;
    } counters[] = {
        { METRIC_ACCEPTED, "accepted" },
        { METRIC_DUPLICATES, "duplicates" },
        { METRIC_REJECTS, "rejected" },
        { METRIC_COMPLETED, "finished" },
        { METRIC_FAILED, "failed" },
        { METRIC_CANCELED, "canceled" },
        { METRIC_RETRIES, "retried" },
        { METRIC_REDRIVES, "redriven" },
        { METRIC_REDRIVES_REFUSED, "redrive_refused" },
        { METRIC_LEASE_EXPIRIES, "lost" },
        { METRIC_SUPERSEDED, "superseded" },
        { METRIC_REPEATED, "repeated" },
        { METRIC_LATE, "late" },
        { METRIC_DUPLICATE_EXECUTIONS, "dup_exec" },
        { METRIC_ADOPTED, "adopted" },
        { METRIC_PARKED, "parked" },
    };

#define XX(cause, text) metrics_put(metrics, METRIC_WAITING, number_at(totals, "waited_" #cause) / 1000, #cause, NULL);
    WAIT_CAUSES(XX)
#undef XX
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        metrics_put(metrics, counters[i].metric, number_at(totals, counters[i].total), NULL, NULL);
}

void queue_metrics_put_stats(struct metrics *metrics, const json_t *stats)
{
    put_mode(metrics, stats);
    put_health(metrics, json_object_get(stats, "health"));
    put_operations(metrics, json_object_get(stats, "byType"));
    put_by_type(metrics, METRIC_CLAIMABLE, stats, "claimable", 1);
    put_by_type(metrics, METRIC_OLDEST_WAITING, stats, "oldestWaitingMs", 1000);
    metrics_put(metrics, METRIC_BLOCKED_GROUPS, number_at(stats, "blocked"), NULL, NULL);
    put_actions(metrics, stats);
    put_workers(metrics, stats);
    put_times(metrics, METRIC_WAIT, json_object_get(stats, "waitEver"));
    put_times(metrics, METRIC_RUN, json_object_get(stats, "runEver"));
    put_totals(metrics, json_object_get(stats, "totals"));
}

/* ---- asking ---- */

struct queue_metrics {
    struct redis *redis;
    json_t *stats; /* the last answer; NULL: Redis did not answer */
    int64_t asked_boot_ms;
};

struct queue_metrics *queue_metrics_new(const char *redis_url, struct err *err)
{
    struct queue_metrics *queue = xcalloc(1, sizeof *queue);

    queue->redis = redis_new(redis_url, QUEUE_METRICS_TIMEOUT_MS, err);
    if (queue->redis)
        return queue;
    free(queue);
    return NULL;
}

void queue_metrics_free(struct queue_metrics *queue)
{
    if (!queue)
        return;
    redis_free(queue->redis);
    json_decref(queue->stats);
    free(queue);
}

static void ask(struct queue_metrics *queue)
{
    struct err err = ERR_INIT;

    json_decref(queue->stats);
    queue->stats = NULL;
    if (redis_connect(queue->redis, &err) == ST_OK)
        (void)!reading_ask(queue->redis, &queue->stats, READING_ALL_SHARDS, "bgop_stats", NULL, 0, &err);
    queue->asked_boot_ms = clock_boot_ms();
}

void queue_metrics_put(struct queue_metrics *queue, struct metrics *metrics)
{
    if (queue->asked_boot_ms == 0 || clock_boot_ms() - queue->asked_boot_ms >= QUEUE_METRICS_KEPT_MS)
        ask(queue);
    metrics_put(metrics, METRIC_REDIS_UP, queue->stats != NULL, NULL, NULL);
    if (queue->stats)
        queue_metrics_put_stats(metrics, queue->stats);
}
