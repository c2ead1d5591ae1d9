#include "coordinator/log_ends.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/loop.h"

enum {
    ASK_MS = 5000,  /* longest wait for a broker's answer */
    SLEEP_MS = 100, /* when nobody asks */
    AWAY_MS = 500,  /* after a question that was not answered */
    TOPIC_SIZE = 300,
};

static const char *const topic_names[LOG_KIND_COUNT] = { "submit", "status" };

void log_ends_init(struct log_ends *ends, int submit_partitions, int shards)
{
    ends->count[LOG_SUBMIT] = submit_partitions;
    ends->count[LOG_STATUS] = shards;
    pthread_mutex_init(&ends->lock, NULL);
    pthread_cond_init(&ends->wanted, NULL);
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
    pthread_cond_destroy(&ends->wanted);
    pthread_mutex_destroy(&ends->lock);
}

/* ---- for loops ---- */

void log_end_read(struct log_ends *ends, enum log_kind kind, int partition, int64_t position)
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

int64_t log_end_ask(struct log_ends *ends, enum log_kind kind, int partition)
{
    int64_t question = atomic_fetch_add(&ends->of[kind][partition].wanted, 1) + 1;

    pthread_mutex_lock(&ends->lock);
    pthread_cond_signal(&ends->wanted);
    pthread_mutex_unlock(&ends->lock);
    return question;
}

int64_t log_end_answer(struct log_ends *ends, enum log_kind kind, int partition, int64_t question)
{
    struct log_end *end = &ends->of[kind][partition];

    return atomic_load(&end->answered) < question ? -1 : atomic_load(&end->answer);
}

/* ---- the asking thread ---- */

struct asker {
    struct loop *loop;
    struct log_ends *ends;
    struct kafka_consumer *consumer;
    char topics[LOG_KIND_COUNT][TOPIC_SIZE];
    int *partitions;       /* of the question at hand ... */
    int64_t *wanted;       /* ... the number of the owner's question that it answers */
    int64_t *read, *found; /* ... its position before the question, and the answer */
};

static bool log_end_asked(const struct log_end *end)
{
    return atomic_load(&end->wanted) != atomic_load(&end->answered);
}

static bool log_end_wanted(const struct log_end *end, int64_t now_ms)
{
    if (log_end_asked(end))
        return true;
    return now_ms - end->checked_at_ms >= LOG_ENDS_CHECK_MS &&
           atomic_load_explicit(&end->read, memory_order_relaxed) >= 0;
}

/* Positions are taken before the question: a log that only grows ends at or above them. */
static size_t asker_collect(struct asker *asker, enum log_kind kind)
{
    int64_t now_ms = clock_boot_ms();
    size_t count = 0;

    for (int p = 0; p < asker->ends->count[kind]; p++) {
        struct log_end *end = &asker->ends->of[kind][p];

        if (!log_end_wanted(end, now_ms))
            continue;
        asker->partitions[count] = p;
        asker->wanted[count] = atomic_load(&end->wanted);
        asker->read[count++] = atomic_load_explicit(&end->read, memory_order_acquire);
        end->checked_at_ms = now_ms;
    }
    return count;
}

static void asker_answer(struct asker *asker, enum log_kind kind, size_t i)
{
    struct log_end *end = &asker->ends->of[kind][asker->partitions[i]];

    atomic_store(&end->answer, asker->found[i]);
    atomic_store(&end->answered, asker->wanted[i]);
    if (asker->found[i] < asker->read[i])
        atomic_store(&end->lost, asker->found[i]);
}

/* One turn over all partitions. false: the brokers are away. */
static bool asker_turn(struct asker *asker)
{
    struct err err = ERR_INIT;
    bool all_known = true;

    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        size_t count = asker_collect(asker, (enum log_kind)k);
        bool known = count == 0 || kafka_consumer_log_ends(asker->consumer, asker->topics[k], asker->partitions, count,
                                                           ASK_MS, asker->found, &err) == ST_OK;

        loop_beat(asker->loop);
        for (size_t i = 0; i < count && known; i++)
            asker_answer(asker, (enum log_kind)k, i);
        all_known &= known;
    }
    return all_known;
}

static bool anybody_asks(const struct log_ends *ends)
{
    for (int p = 0; p < ends->count[LOG_STATUS]; p++) {
        if (log_end_asked(&ends->of[LOG_STATUS][p]))
            return true;
    }
    return false;
}

static void asker_sleep(struct asker *asker)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SLEEP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&asker->ends->lock);
    if (!anybody_asks(asker->ends))
        pthread_cond_timedwait(&asker->ends->wanted, &asker->ends->lock, &until);
    pthread_mutex_unlock(&asker->ends->lock);
}

static enum status asker_open(struct asker *asker, struct loop *loop, struct err *err)
{
    struct kafka_settings settings = config_kafka(loop->shared->config, loop->name);
    int *count = loop->shared->ends.count;
    size_t most = (size_t)(count[LOG_SUBMIT] > count[LOG_STATUS] ? count[LOG_SUBMIT] : count[LOG_STATUS]);
    char group[TOPIC_SIZE];

    *asker = (struct asker){
        .loop = loop,
        .ends = &loop->shared->ends,
        .partitions = xcalloc(most, sizeof *asker->partitions),
        .wanted = xcalloc(most, sizeof *asker->wanted),
        .read = xcalloc(most, sizeof *asker->read),
        .found = xcalloc(most, sizeof *asker->found),
    };
    for (int k = 0; k < LOG_KIND_COUNT; k++)
        config_topic(loop->shared->config, topic_names[k], asker->topics[k], TOPIC_SIZE);
    config_topic(loop->shared->config, "ends", group, sizeof group);
    asker->consumer = kafka_consumer_new(&settings, group, NULL, err);
    return asker->consumer ? ST_OK : err->status;
}

void log_ends_run(struct loop *loop)
{
    struct asker asker;
    struct err err = ERR_INIT;

    if (asker_open(&asker, loop, &err) != ST_OK)
        loop_fatal(loop, EXIT_CONFIG, err.text);
    atomic_store(&loop->assigned, true);
    while (!loop_stopping(loop)) {
        if (!asker_turn(&asker))
            loop_pause(loop, AWAY_MS);
        asker_sleep(&asker);
        loop_beat(loop);
    }
    kafka_consumer_free(asker.consumer);
    free(asker.partitions);
    free(asker.wanted);
    free(asker.read);
    free(asker.found);
}
