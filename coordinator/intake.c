/* One turn: look at the gates, load what must be loaded, collect a batch, bring it through, look after what is idle.
 * Whatever goes wrong with a batch has one answer: drop it, load the fences again, read again from there. */
#include "coordinator/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/commands.h"
#include "coordinator/crash.h"
#include "coordinator/fences.h"
#include "coordinator/ingest.h"
#include "coordinator/memory_limit.h"

enum {
    TOPIC_SIZE = 300,
    POLL_MS = 100,       /* longest wait for a message: the rest of a turn has to be done too */
    POLL_CLOSED_MS = 10, /* while something waits to be loaded or opened */
    LOAD_RETRY_MS = 200,
};

struct intake {
    struct loop *loop;
    struct kafka_consumer *consumer;
    char submit[TOPIC_SIZE], command[TOPIC_SIZE];
    struct sources sources;
    struct gates gates;
    struct batch batch;
    struct batch_rules rules;
    char *epochs; /* [partitions] */
    struct ingester ingester;
    struct rejects rejects;
    struct commands commands;
    bool interrupted; /* the assignment changed while a batch was collected */
    struct memory_limit memory;
    int lost_commands; /* partition of the command topic whose position is out of range, or -1 */
    int64_t load_at_ms, idle_at_ms;
};

/* ---- loading ---- */

static enum status intake_load_fences(struct intake *intake, struct err *err)
{
    struct redis *redis = intake->loop->redis;

    if (epochs_load(redis, intake->epochs, intake->sources.cursors.partitions, err) != ST_OK)
        return err->status;
    return fences_load_submit(redis, &intake->sources, err);
}

/* LOADING sources whose fences can be read become READY (or HALTED). */
static void intake_load(struct intake *intake)
{
    struct cursors *cursors = &intake->sources.cursors;
    struct err err = ERR_INIT;
    bool failed = false;
    int64_t start;

    if (intake_load_fences(intake, &err) != ST_OK) {
        loop_redis_failed(intake->loop, &err);
        return;
    }
    for (int p = 0; p < cursors->partitions && !failed; p++) {
        loop_beat(intake->loop);
        if (cursors->sources[p].state == SOURCE_LOADING)
            failed = source_start(&intake->sources, p, &start, &err) == ST_AGAIN;
    }
    if (failed)
        log_error_text(LOG_LEVEL_WARNING, "log range unknown", err.text, "loop=%s", intake->loop->name);
}

/* Fences are read once the shards are armed (before, nothing could be ingested) and there is room in Redis. */
static void intake_try_load(struct intake *intake)
{
    int64_t now_ms = clock_boot_ms();

    if (now_ms < intake->load_at_ms || intake->memory.full || !gates_all_usable(&intake->gates) ||
        sources_in(&intake->sources, SOURCE_LOADING) == 0)
        return;
    intake_load(intake);
    if (sources_in(&intake->sources, SOURCE_LOADING) > 0)
        intake->load_at_ms = now_ms + LOAD_RETRY_MS;
}

/* ---- the group's and the broker's news ---- */

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    struct intake *intake = arg;

    intake->interrupted = true;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(positions[i].topic, intake->submit) == 0)
            sources_assign(&intake->sources, positions[i].partition);
    }
    if (count > 0 && !intake->memory.full)
        intake_load(intake);
    for (size_t i = 0; i < count; i++)
        positions[i].offset = strcmp(positions[i].topic, intake->submit) == 0
                                  ? source_position(&intake->sources, positions[i].partition)
                                  : KAFKA_OFFSET_STORED;
    atomic_store(&intake->loop->assigned, true);
}

static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    struct intake *intake = arg;
    struct err err = ERR_INIT;

    intake->interrupted = true;
    if (!lost && ingest_idle(&intake->ingester, true, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "idle fences", err.text, "loop=%s", intake->loop->name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(positions[i].topic, intake->submit) == 0)
            sources_revoke(&intake->sources, positions[i].partition);
    }
}

static void on_end(void *arg, const char *topic, int partition, int64_t next_offset)
{
    struct intake *intake = arg;
    struct source *source = &intake->sources.cursors.sources[partition];
    struct err err = ERR_INIT;

    if (strcmp(topic, intake->submit) != 0 || source->state != SOURCE_READY)
        return;
    if (cursors_end(&intake->sources.cursors, partition, next_offset, &err) != ST_OK)
        source_halt(&intake->sources, partition, err.text);
}

static void on_out_of_range(void *arg, const char *topic, int partition, const char *text)
{
    struct intake *intake = arg;

    if (strcmp(topic, intake->command) == 0)
        intake->lost_commands = partition;
    else if (intake->sources.cursors.sources[partition].state == SOURCE_READY)
        source_halt(&intake->sources, partition, text);
}

static void on_outage(void *arg, const char *text)
{
    struct intake *intake = arg;

    if (text) {
        outage_begin(&intake->loop->kafka_outage, "kafka", text);
        return;
    }
    outage_end(&intake->loop->kafka_outage, "kafka");
    sources_reload(&intake->sources, "brokers-returned"); /* they may have lost their log's tail: compare again */
}

/* ---- a batch ---- */

static void intake_drop(struct intake *intake)
{
    rejects_clear(&intake->rejects);
    batch_clear(&intake->batch);
    commands_clear(&intake->commands);
}

static void intake_take_submission(struct intake *intake, struct kafka_message *message)
{
    struct cursors *cursors = &intake->sources.cursors;
    struct fingerprint fingerprint;
    struct err err = ERR_INIT;

    if (cursors->sources[message->partition].state != SOURCE_READY) {
        kafka_message_release(message);
        return;
    }
    fingerprint = message_fingerprint(message);
    if (cursors_pass(cursors, message->partition, &fingerprint, &err) != ST_OK) {
        source_halt(&intake->sources, message->partition, err.text);
        kafka_message_release(message);
        return;
    }
    struct batch_item *item = batch_add(&intake->batch, &intake->rules, message, &fingerprint, &err);

    if (item->rejected && cursors_want(cursors, message->partition, item->shard, message->offset))
        rejects_add(&intake->rejects, &item->message, err.text);
}

static void intake_collect(struct intake *intake, int wait_ms)
{
    struct kafka_message message;

    while (!batch_full(&intake->batch) && kafka_consumer_poll(intake->consumer, wait_ms, &message)) {
        if (intake->interrupted)
            intake_drop(intake); /* what came before it is read again, by us or by another */
        intake->interrupted = false;
        if (strcmp(message.topic, intake->command) == 0)
            commands_add(&intake->commands, &message);
        else
            intake_take_submission(intake, &message);
        wait_ms = 0;
    }
    if (intake->interrupted)
        intake_drop(intake);
    intake->interrupted = false;
}

static void intake_store(struct intake *intake, const char *topic, int partition, int64_t next)
{
    struct err err = ERR_INIT;

    crash_point(CRASH_STORE_BEFORE);
    if (kafka_consumer_store(intake->consumer, topic, partition, next, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "offset not stored", err.text, "topic=%s partition=%d", topic, partition);
}

static enum status intake_command(struct intake *intake, struct err *err)
{
    if (commands_deliver(&intake->commands, intake->loop, &intake->rejects, err) != ST_OK ||
        rejects_deliver(&intake->rejects, intake->loop, err) != ST_OK)
        return ST_AGAIN;
    for (size_t i = 0; i < intake->commands.count; i++) {
        const struct kafka_message *message = &intake->commands.list[i];

        intake_store(intake, intake->command, message->partition, message->offset + 1);
    }
    return ST_OK;
}

static enum status intake_submit(struct intake *intake, struct err *err)
{
    struct cursors *cursors = &intake->sources.cursors;

    counter_add(&intake->loop->shared->counters.submissions, intake->batch.count);
    if (intake->batch.count > 0 && ingest_batch(&intake->ingester, &intake->batch, err) != ST_OK)
        return err->status;
    for (int p = 0; p < cursors->partitions; p++) {
        struct source *source = &cursors->sources[p];

        if (source->state != SOURCE_READY || source->done == source->read)
            continue;
        cursors_done(cursors, p);
        intake_store(intake, intake->submit, p, source->done);
    }
    return ST_OK;
}

static void intake_process(struct intake *intake)
{
    struct err err = ERR_INIT;

    if (intake_command(intake, &err) == ST_OK && intake_submit(intake, &err) != ST_OK) {
        if (err.status == ST_AGAIN)
            loop_redis_failed(intake->loop, &err);
        sources_reload(&intake->sources, err.status == ST_FENCED ? "generation" : "batch-dropped");
    }
    intake_drop(intake);
}

/* ---- the rest of a turn ---- */

static void intake_look(struct intake *intake, int64_t now_ms)
{
    int every_ms = gates_all_open(&intake->gates) ? GATES_LOOK_MS : GATES_LOOK_CLOSED_MS;
    struct err err = ERR_INIT;
    int changed;

    if (now_ms - intake->gates.looked_at_ms < every_ms)
        return;
    if (gates_look(&intake->gates, NULL, 0, &changed, &err) != ST_OK) {
        loop_redis_failed(intake->loop, &err);
        intake->gates.looked_at_ms = now_ms + LOAD_RETRY_MS;
        return;
    }
    loop_redis_works(intake->loop);
    if (changed > 0)
        sources_reload(&intake->sources, "generation");
}

static void intake_look_memory(struct intake *intake, int64_t now_ms)
{
    if (memory_limit_look(&intake->memory, intake->loop->redis, now_ms) && intake->memory.full)
        sources_reload(&intake->sources, "redis-memory"); /* paused until there is room */
}

static void intake_idle(struct intake *intake, int64_t now_ms)
{
    bool all_open = gates_all_open(&intake->gates);
    struct err err = ERR_INIT;

    if (now_ms - intake->idle_at_ms < (all_open ? GATES_LOOK_MS : GATES_LOOK_CLOSED_MS))
        return;
    intake->idle_at_ms = now_ms;
    if (ingest_idle(&intake->ingester, false, &err) == ST_FENCED)
        sources_reload(&intake->sources, "generation");
}

static void intake_turn(struct intake *intake)
{
    int64_t now_ms = clock_boot_ms();
    int loading = sources_in(&intake->sources, SOURCE_LOADING);
    bool settled = loading == 0 && gates_all_open(&intake->gates);

    loop_beat(intake->loop);
    atomic_store_explicit(&intake->loop->ready, intake->sources.owned - loading, memory_order_relaxed);
    intake_look(intake, now_ms);
    intake_look_memory(intake, now_ms);
    intake_try_load(intake);
    sources_settle(&intake->sources);
    intake_collect(intake, settled ? POLL_MS : POLL_CLOSED_MS);
    intake_process(intake);
    if (intake->lost_commands >= 0 &&
        commands_recover(intake->consumer, intake->command, intake->lost_commands) == ST_OK)
        intake->lost_commands = -1;
    intake_idle(intake, now_ms);
    sources_check(&intake->sources);
    appender_poll(&intake->loop->appender);
}

/* ---- start and end ---- */

static enum status intake_open(struct intake *intake, struct err *err)
{
    const struct config *config = intake->loop->shared->config;
    struct kafka_settings settings = config_kafka(config, intake->loop->name);
    const char *topics[] = { intake->submit, intake->command };
    struct kafka_consumer_events events = {
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_out_of_range = on_out_of_range,
        .on_end = on_end,
        .on_outage = on_outage,
        .arg = intake,
    };
    char group[TOPIC_SIZE];

    snprintf(group, sizeof group, "%s-intake", config->prefix);
    intake->consumer = intake->sources.consumer = kafka_consumer_new(&settings, group, &events, err);
    if (!intake->consumer)
        return err->status;
    return kafka_consumer_subscribe(intake->consumer, topics, 2, err);
}

static void intake_init(struct intake *intake, struct loop *loop)
{
    const struct config *config = loop->shared->config;
    int partitions = (int)config->submit_partitions, shards = (int)config->shards;

    *intake = (struct intake){ .loop = loop, .lost_commands = -1, .epochs = xcalloc((size_t)partitions, 1) };
    config_topic(config, "submit", intake->submit, sizeof intake->submit);
    config_topic(config, "command", intake->command, sizeof intake->command);
    sources_init(&intake->sources, loop, LOG_SUBMIT, intake->submit, partitions, shards);
    gates_init(&intake->gates, loop->redis, shards);
    batch_init(&intake->batch, (int)config->batch_max_messages, shards);
    ingester_init(&intake->ingester, loop, &intake->gates, &intake->sources, &intake->rejects);
    intake->rules = (struct batch_rules){
        .shards = shards,
        .payload_max_bytes = (size_t)config->payload_max_bytes,
        .types = config_type_lookup(config),
        .epochs = intake->epochs,
    };
}

static void intake_release(struct intake *intake)
{
    kafka_consumer_free(intake->consumer); /* the last callbacks: fences and offsets are moved up */
    ingester_release(&intake->ingester);
    batch_release(&intake->batch);
    gates_release(&intake->gates);
    sources_release(&intake->sources);
    rejects_release(&intake->rejects);
    commands_release(&intake->commands);
    free(intake->epochs);
}

void intake_run(struct loop *loop)
{
    struct intake intake;
    struct err err = ERR_INIT;

    intake_init(&intake, loop);
    if (intake_open(&intake, &err) != ST_OK)
        loop_fatal(loop, EXIT_CONFIG, err.text);
    while (!loop_stopping(loop))
        intake_turn(&intake);
    intake_release(&intake);
}
