/* One turn queries the ends of all partitions of a topic that a loop has queried, or that were not compared for
 * LOG_ENDS_CHECK_MS, and publishes them; then it sleeps until the next query. */
#include "coordinator/loop/end_poller.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/wait.h"
#include "coordinator/loop/log_ends.h"

enum {
    QUERY_MS = 5000, /* longest wait for a broker's answer */
    SLEEP_MS = 100,  /* between turns, without a query */
    AWAY_MS = 500,   /* after a query that was not answered */
};

static const char *const topic_names[LOG_KIND_COUNT] = { "submit", "status" };

struct poller {
    struct loop *loop;
    struct log_ends *ends;
    struct kafka_consumer *consumer;
    char topics[LOG_KIND_COUNT][TOPIC_SIZE];
    int *partitions;       /* of the query at hand ... */
    int64_t *queried;      /* ... the number of the owner's query that it answers */
    int64_t *read, *found; /* ... its position before the query, and the answer */
};

static bool log_end_is_queried(const struct log_end *end)
{
    return atomic_load(&end->queried) != atomic_load(&end->answered);
}

static bool log_end_is_due(const struct log_end *end, int64_t now_ms)
{
    if (log_end_is_queried(end))
        return true;
    return now_ms - end->checked_at_ms >= LOG_ENDS_CHECK_MS &&
           atomic_load_explicit(&end->read, memory_order_relaxed) >= 0;
}

/* Positions are taken before the query: a log that only grows ends at or above them. */
static size_t poller_collect(struct poller *poller, enum log_kind kind)
{
    int64_t now_ms = clock_boot_ms();
    size_t count = 0;

    for (int p = 0; p < poller->ends->count[kind]; p++) {
        struct log_end *end = &poller->ends->of[kind][p];

        if (!log_end_is_due(end, now_ms))
            continue;
        poller->partitions[count] = p;
        poller->queried[count] = atomic_load(&end->queried);
        poller->read[count++] = atomic_load_explicit(&end->read, memory_order_acquire);
        end->checked_at_ms = now_ms;
    }
    return count;
}

static void poller_publish(struct poller *poller, enum log_kind kind, size_t i)
{
    struct log_end *end = &poller->ends->of[kind][poller->partitions[i]];

    atomic_store(&end->answer, poller->found[i]);
    atomic_store(&end->answered, poller->queried[i]);
    if (poller->found[i] < poller->read[i])
        atomic_store(&end->lost, poller->found[i]);
}

/* One turn over all partitions. false: the brokers are away. */
static bool poller_turn(struct poller *poller)
{
    struct err err = ERR_INIT;
    bool all_known = true;

    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        size_t count = poller_collect(poller, (enum log_kind)k);
        bool known = count == 0 || kafka_consumer_log_ends(poller->consumer, poller->topics[k], poller->partitions,
                                                           count, QUERY_MS, poller->found, &err) == ST_OK;

        loop_beat(poller->loop);
        for (size_t i = 0; i < count && known; i++)
            poller_publish(poller, (enum log_kind)k, i);
        all_known &= known;
    }
    return all_known;
}

static bool any_query_open(const struct log_ends *ends)
{
    for (int p = 0; p < ends->count[LOG_STATUS]; p++) {
        if (log_end_is_queried(&ends->of[LOG_STATUS][p]))
            return true;
    }
    return false;
}

static void poller_sleep(struct poller *poller)
{
    pthread_mutex_lock(&poller->ends->lock);
    if (!any_query_open(poller->ends))
        wait_cond(&poller->ends->queried, &poller->ends->lock, SLEEP_MS);
    pthread_mutex_unlock(&poller->ends->lock);
}

static enum status poller_open(struct poller *poller, struct loop *loop, struct err *err)
{
    struct kafka_settings settings = config_kafka(loop->shared->config, loop->name);
    int *count = loop->shared->ends.count;
    size_t most = (size_t)(count[LOG_SUBMIT] > count[LOG_STATUS] ? count[LOG_SUBMIT] : count[LOG_STATUS]);
    char group[TOPIC_SIZE];

    *poller = (struct poller){
        .loop = loop,
        .ends = &loop->shared->ends,
        .partitions = xcalloc(most, sizeof *poller->partitions),
        .queried = xcalloc(most, sizeof *poller->queried),
        .read = xcalloc(most, sizeof *poller->read),
        .found = xcalloc(most, sizeof *poller->found),
    };
    for (int k = 0; k < LOG_KIND_COUNT; k++)
        config_topic(loop->shared->config, topic_names[k], poller->topics[k], TOPIC_SIZE);
    config_topic(loop->shared->config, "ends", group, sizeof group);
    poller->consumer = kafka_consumer_new(&settings, group, NULL, err);
    return poller->consumer ? ST_OK : err->status;
}

void end_poller_run(struct loop *loop)
{
    struct poller poller;
    struct err err = ERR_INIT;

    if (poller_open(&poller, loop, &err) != ST_OK)
        loop_fatal(loop, EXIT_CONFIG, err.text);
    atomic_store(&loop->assigned, true);
    while (!loop_stopping(loop)) {
        if (!poller_turn(&poller))
            loop_pause(loop, AWAY_MS);
        poller_sleep(&poller);
        loop_beat(loop);
    }
    kafka_consumer_free(poller.consumer);
    free(poller.partitions);
    free(poller.queried);
    free(poller.read);
    free(poller.found);
}
