/* One turn: bring shards into service, load what must be loaded, collect outcomes, apply them, let timers fire. As with
 * intake, whatever goes wrong with a batch has one answer: drop it, look at the gates, load the fences, read again. */
#include "coordinator/statuslog.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "coordinator/crash.h"
#include "coordinator/fences.h"
#include "coordinator/recovery.h"

enum {
    TOPIC_SIZE = 300,
    POLL_MS = 25,        /* longest wait for a message: wakes of intake loops are looked at between */
    POLL_CLOSED_MS = 10, /* while a shard is not open */
    RETRY_MS = 200,
};

struct statuslog {
    struct loop *loop;
    struct kafka_consumer *consumer;
    char topic[TOPIC_SIZE];
    struct sources sources;
    struct gates gates;
    struct outcomes outcomes;
    struct applier applier;
    struct timers timers;
    struct recovery recovery;
    bool interrupted;    /* the assignment changed while a batch was collected */
    bool look_now;       /* a gate is not what we thought */
    int64_t retry_at_ms; /* Redis or Kafka is away: not before then */
};

/* ---- loading ---- */

static bool statuslog_loadable(const struct statuslog *log, int shard)
{
    return log->sources.cursors.sources[shard].state == SOURCE_LOADING && recovery_readable(&log->recovery, shard);
}

static bool statuslog_loading(const struct statuslog *log)
{
    for (int s = 0; s < log->sources.cursors.partitions; s++) {
        if (statuslog_loadable(log, s))
            return true;
    }
    return false;
}

/* Shards whose log may be read: from their fences on. */
static enum status statuslog_load(struct statuslog *log, struct err *err)
{
    int64_t start;

    if (!statuslog_loading(log))
        return ST_OK;
    if (fences_load_status(log->loop->redis, &log->sources, err) != ST_OK)
        return err->status;
    for (int s = 0; s < log->sources.cursors.partitions; s++) {
        if (statuslog_loadable(log, s) && source_start(&log->sources, s, &start, err) == ST_AGAIN)
            return ST_AGAIN;
    }
    return ST_OK;
}

static void statuslog_failed(struct statuslog *log, const struct err *err)
{
    log->look_now = true;
    if (err->status == ST_FENCED)
        return;
    if (err->status != ST_RECOVERING)
        loop_redis_failed(log->loop, err);
    log->retry_at_ms = clock_boot_ms() + RETRY_MS;
}

static void statuslog_serve(struct statuslog *log)
{
    struct err err = ERR_INIT;

    if (clock_boot_ms() < log->retry_at_ms)
        return;
    if (recovery_step(&log->recovery, log->look_now, &err) != ST_OK || statuslog_load(log, &err) != ST_OK) {
        statuslog_failed(log, &err);
        return;
    }
    log->look_now = false;
    loop_redis_works(log->loop);
}

/* ---- the group's and the broker's news ---- */

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    struct statuslog *log = arg;

    log->interrupted = log->look_now = true;
    for (size_t i = 0; i < count; i++) {
        recovery_reset(&log->recovery, positions[i].partition);
        sources_assign(&log->sources, positions[i].partition);
    }
    if (count > 0)
        statuslog_serve(log);
    for (size_t i = 0; i < count; i++)
        positions[i].offset = source_position(&log->sources, positions[i].partition);
    atomic_store(&log->loop->assigned, true);
}

static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    struct statuslog *log = arg;

    (void)lost;
    log->interrupted = true;
    for (size_t i = 0; i < count; i++) {
        sources_revoke(&log->sources, positions[i].partition);
        recovery_reset(&log->recovery, positions[i].partition);
    }
}

static void on_end(void *arg, const char *topic, int partition, int64_t next_offset)
{
    struct statuslog *log = arg;
    struct err err = ERR_INIT;

    (void)topic;
    if (cursors_end(&log->sources.cursors, partition, next_offset, &err) != ST_OK)
        source_halt(&log->sources, partition, err.text);
}

static void on_out_of_range(void *arg, const char *topic, int partition, const char *text)
{
    struct statuslog *log = arg;

    (void)topic;
    if (log->sources.cursors.sources[partition].state == SOURCE_READY)
        source_halt(&log->sources, partition, text);
}

static void on_outage(void *arg, const char *text)
{
    struct statuslog *log = arg;

    if (text) {
        outage_begin(&log->loop->kafka_outage, "kafka", text);
        return;
    }
    outage_end(&log->loop->kafka_outage, "kafka");
    sources_reload(&log->sources, "brokers-returned"); /* they may have lost their log's tail: compare again */
}

/* ---- a batch ---- */

static void statuslog_take(struct statuslog *log, struct kafka_message *message)
{
    struct cursors *cursors = &log->sources.cursors;
    struct fingerprint fingerprint;
    struct err err = ERR_INIT;

    if (cursors->sources[message->partition].state != SOURCE_READY) {
        kafka_message_release(message);
        return;
    }
    fingerprint = message_fingerprint(message);
    if (cursors_pass(cursors, message->partition, &fingerprint, &err) != ST_OK) {
        source_halt(&log->sources, message->partition, err.text);
        kafka_message_release(message);
        return;
    }
    if (outcomes_add(&log->outcomes, message, &fingerprint, &err) == ST_OK)
        return;
    counter_add(&log->loop->shared->counters.bad_batches, 1);
    log_error_text(LOG_LEVEL_ERROR, "status message unreadable", err.text, "topic=%s partition=%d offset=%lld",
                   log->topic, message->partition, (long long)message->offset);
}

static void statuslog_collect(struct statuslog *log, int wait_ms)
{
    struct kafka_message message;

    while (!outcomes_full(&log->outcomes) && kafka_consumer_poll(log->consumer, wait_ms, &message)) {
        if (log->interrupted)
            outcomes_clear(&log->outcomes); /* what came before it is read again, by us or by another */
        log->interrupted = false;
        statuslog_take(log, &message);
        wait_ms = 0;
    }
    if (log->interrupted)
        outcomes_clear(&log->outcomes);
    log->interrupted = false;
}

static void statuslog_store(struct statuslog *log)
{
    struct err err = ERR_INIT;

    for (int s = 0; s < log->sources.cursors.partitions; s++) {
        struct source *source = &log->sources.cursors.sources[s];

        if (source->state != SOURCE_READY || source->done == source->read)
            continue;
        cursors_done(&log->sources.cursors, s);
        if (kafka_consumer_store(log->consumer, log->topic, s, source->done, &err) != ST_OK)
            log_error_text(LOG_LEVEL_DEBUG, "offset not stored", err.text, "topic=%s partition=%d", log->topic, s);
    }
}

static void statuslog_process(struct statuslog *log)
{
    struct err err = ERR_INIT;

    if (log->outcomes.count > 0 && apply_batch(&log->applier, &log->outcomes, &err) != ST_OK) {
        statuslog_failed(log, &err);
        sources_reload(&log->sources, err.status == ST_FENCED ? "generation" : "batch-dropped");
    }
    statuslog_store(log);
    outcomes_clear(&log->outcomes);
}

/* ---- a turn ---- */

static void on_hasty(void *arg, int shard)
{
    struct statuslog *log = arg;

    timers_soon(&log->timers, shard);
}

static int statuslog_count_open(const struct statuslog *log)
{
    int open = 0;

    for (int s = 0; s < log->sources.cursors.partitions; s++) {
        const struct gate *gate = &log->gates.at[s];
        enum source_state state = log->sources.cursors.sources[s].state;

        open += (state == SOURCE_READY || state == SOURCE_HALTED) && gate_usable(gate) && gate->mode == GATE_OPEN;
    }
    return open;
}

static void statuslog_turn(struct statuslog *log)
{
    struct err err = ERR_INIT;
    int open;

    loop_beat(log->loop);
    statuslog_serve(log);
    sources_settle(&log->sources);
    open = statuslog_count_open(log);
    atomic_store_explicit(&log->loop->ready, open, memory_order_relaxed);
    statuslog_collect(log, timers_wait_ms(&log->timers, open == log->sources.owned ? POLL_MS : POLL_CLOSED_MS));
    statuslog_process(log);
    if (clock_boot_ms() >= log->retry_at_ms && timers_run(&log->timers, &err) != ST_OK)
        statuslog_failed(log, &err);
    sources_check(&log->sources);
    appender_poll(&log->loop->appender);
}

/* ---- start and end ---- */

static enum status statuslog_open(struct statuslog *log, struct err *err)
{
    const struct config *config = log->loop->shared->config;
    struct kafka_settings settings = config_kafka(config, log->loop->name);
    const char *topics[] = { log->topic };
    struct kafka_consumer_events events = {
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_out_of_range = on_out_of_range,
        .on_end = on_end,
        .on_outage = on_outage,
        .arg = log,
    };
    char group[TOPIC_SIZE];

    snprintf(group, sizeof group, "%s-status", config->prefix);
    log->consumer = log->sources.consumer = kafka_consumer_new(&settings, group, &events, err);
    if (!log->consumer)
        return err->status;
    return kafka_consumer_subscribe(log->consumer, topics, 1, err);
}

static void statuslog_init(struct statuslog *log, struct loop *loop)
{
    const struct config *config = loop->shared->config;
    int shards = (int)config->shards;

    *log = (struct statuslog){ .loop = loop };
    config_topic(config, "status", log->topic, sizeof log->topic);
    sources_init(&log->sources, loop, LOG_STATUS, log->topic, shards, 1);
    gates_init(&log->gates, loop->redis, shards);
    outcomes_init(&log->outcomes, (int)config->batch_max_messages, shards);
    applier_init(&log->applier, loop, &log->gates, &log->sources, on_hasty, log);
    timers_init(&log->timers, loop, &log->gates, &log->sources);
    recovery_init(&log->recovery, loop, &log->gates, &log->sources, &log->applier, &log->timers);
}

static void statuslog_release(struct statuslog *log)
{
    kafka_consumer_free(log->consumer);
    recovery_release(&log->recovery);
    timers_release(&log->timers);
    applier_release(&log->applier);
    outcomes_release(&log->outcomes);
    gates_release(&log->gates);
    sources_release(&log->sources);
}

void statuslog_run(struct loop *loop)
{
    struct statuslog log;
    struct err err = ERR_INIT;

    statuslog_init(&log, loop);
    if (statuslog_open(&log, &err) != ST_OK)
        loop_fatal(loop, EXIT_CONFIG, err.text);
    while (!loop_stopping(loop))
        statuslog_turn(&log);
    statuslog_release(&log);
}
