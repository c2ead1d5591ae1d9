/* A turn of the intake loop (its phases: source/reader.h):
 *
 *   check     the gates and Redis' memory, when it is time to; fences of LOADING sources, when the shards are armed and
 *             there is room in Redis
 *   settle    pauses and resumes what changed: sources, and partitions whose commands wait
 *   collect   submissions into the batch, commands into their list
 *   apply     commands to the status log (commands.c), rejects to their topic (rejects.c), submissions to Redis
 *             (ingest.c), in this order: what is refused is in Kafka before a fence passes it
 *   store     the offsets of what went through
 *   tick      shards of other processes for which something scheduled was recorded here (scheduled.c)
 *   idle      fences of shards that get no messages
 *
 * Whatever goes wrong with a batch, one thing is done: it is dropped, its sources are LOADING, and it is read again
 * from the fences. Of a Redis Cluster one server may be away: then what is for its shards is passed over (source/waiting.h). */
#include "coordinator/intake/intake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stage.h"
#include "coordinator/intake/command_log.h"
#include "coordinator/intake/commands.h"
#include "coordinator/intake/ingest.h"
#include "coordinator/intake/memory_limit.h"
#include "coordinator/source/fences.h"
#include "coordinator/source/reader.h"
#include "coordinator/source/rewind.h"

enum {
    POLL_MS = 250,       /* longest wait for a message: the rest of a turn has to be done too */
    POLL_CLOSED_MS = 10, /* while something waits to be loaded or opened */
    LOAD_RETRY_MS = 200,
};

struct intake {
    struct loop *loop;
    struct reader reader; /* of the submit topic; its consumer reads the command topic too */
    char command[TOPIC_SIZE];
    struct batch batch;
    struct batch_rules rules;
    struct epochs epochs;
    struct rewinder rewinder;
    struct ingester ingester;
    struct scheduled scheduled;
    struct rejects rejects;
    struct commands commands;
    bool calls_fail; /* Redis answers, but not our functions: the outage lasts until a batch is through */
    struct memory_limit memory;
    struct command_log command_log;
    int64_t load_at_ms, idle_at_ms;
};

/* ---- loading ---- */

static enum status intake_load_fences(struct intake *intake, struct err *err)
{
    if (epochs_read(intake->loop->redis, &intake->epochs, err) != ST_OK)
        return err->status;
    return fences_load(&intake->reader.sources, &intake->reader.gates, err);
}

/* Of one LOADING source. */
static enum status intake_load_one(struct intake *intake, int partition, struct err *err)
{
    int64_t start;

    if (source_rewind_pending(&intake->rewinder, partition, err))
        return ST_AGAIN; /* its fences are elsewhere now */
    return source_start(&intake->reader.sources, partition, &start, err);
}

/* LOADING sources whose fences can be read become READY (or REWRITTEN, or HALTED). */
static void intake_load(struct intake *intake)
{
    struct cursors *cursors = &intake->reader.sources.cursors;
    struct err err = ERR_INIT;
    bool failed = false;

    if (intake_load_fences(intake, &err) != ST_OK) {
        loop_failed(intake->loop, &err);
        return;
    }
    for (int i = 0; i < cursors->partitions && !failed; i++) {
        int p = source_in_turn(&intake->reader.sources, i);

        loop_beat(intake->loop);
        if (cursors->sources[p].state == SOURCE_LOADING)
            failed = intake_load_one(intake, p, &err) == ST_AGAIN;
    }
    if (failed && err.text[0])
        loop_failed(intake->loop, &err);
    else if (!failed)
        loop_kafka_works(intake->loop);
}

/* There is no room in Redis, or Kafka does not take what was refused: nothing more is to be read. */
static bool intake_blocked(const struct intake *intake)
{
    return intake->memory.full || intake->rejects.count > 0 || clock_boot_ms() < intake->rejects.again_at_ms;
}

static void intake_drop(struct intake *intake)
{
    rejects_clear(&intake->rejects);
    batch_clear(&intake->batch);
}

static void intake_rewind(struct intake *intake)
{
    struct err err = ERR_INIT;

    intake_drop(intake);
    if (sources_rewind(&intake->rewinder, &err) == ST_OK)
        return;
    loop_failed(intake->loop, &err);
    intake->load_at_ms = clock_boot_ms() + LOAD_RETRY_MS;
}

/* Fences are read once the shards are armed (before, nothing could be ingested) and there is room in Redis. */
static void intake_load_when_possible(struct intake *intake)
{
    int64_t now_ms = clock_boot_ms();

    if (now_ms < intake->load_at_ms || intake->reader.sources.brokers_away || intake_blocked(intake) ||
        !gate_copies_all_usable(&intake->reader.gates))
        return;
    if (sources_in(&intake->reader.sources, SOURCE_REWRITTEN) > 0 && !gate_copies_any_away(&intake->reader.gates))
        intake_rewind(intake); /* all fences are to be known for it */
    if (sources_in(&intake->reader.sources, SOURCE_LOADING) == 0)
        return;
    intake_load(intake);
    if (sources_in(&intake->reader.sources, SOURCE_LOADING) > 0)
        intake->load_at_ms = now_ms + LOAD_RETRY_MS;
}

/* ---- the group's and the broker's news ---- */

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    struct reader *reader = arg;
    struct intake *intake = reader->owner;

    reader_assign(reader, positions, count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(positions[i].topic, intake->command) == 0)
            command_log_assigned(&intake->command_log, positions[i].partition);
    }
    if (count > 0 && !intake_blocked(intake))
        intake_load(intake);
    reader_position(reader, positions, count);
}

static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    struct reader *reader = arg;
    struct intake *intake = reader->owner;
    struct err err = ERR_INIT;

    if (!lost && ingest_idle(&intake->ingester, true, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "idle fences", err.text, "loop=%s", intake->loop->name);
    reader_revoke(reader, positions, count);
    command_log_revoked(&intake->command_log);
}

static void on_out_of_range(void *arg, const char *topic, int partition, const char *text)
{
    struct reader *reader = arg;
    struct intake *intake = reader->owner;

    if (strcmp(topic, intake->command) == 0)
        command_log_out_of_range(&intake->command_log, partition);
    else
        reader_out_of_range(reader, topic, partition, text);
}

static void on_outage(void *arg, const char *text)
{
    struct reader *reader = arg;
    struct intake *intake = reader->owner;

    reader_outage(reader, text);
    command_log_doubt(&intake->command_log);
}

/* ---- a batch ---- */

/* Counted each time, told once: who sends one sends many. */
static void intake_report_bad_trace(struct intake *intake, const struct kafka_message *message)
{
    if (atomic_fetch_add(&intake->loop->shared->counters.bad_traces, 1) == 0) {
        log_event(LOG_LEVEL_WARNING, "traceparent dropped",
                  "topic=%s partition=%d offset=%" PRId64 " expected=version-traceid-parentid-flags", message->topic,
                  message->partition, message->offset);
    }
}

static void intake_enqueue_submission(struct intake *intake, struct kafka_message *message)
{
    struct fingerprint fingerprint;
    struct err err = ERR_INIT;

    if (!reader_accept(&intake->reader, message, &fingerprint))
        return;
    struct batch_item *item = batch_add(&intake->batch, &intake->rules, message, &fingerprint, &err);

    if (!cursors_is_pending(&intake->reader.sources.cursors, message->partition, item->shard, message->offset))
        return;
    stage_point(STAGE_READ, item->id);
    if (item->rejected)
        rejects_add(&intake->rejects, &item->message, err.text);
    else if (item->bad_traceparent)
        intake_report_bad_trace(intake, &item->message);
}

static void intake_add_command(struct intake *intake, const struct kafka_message *message)
{
    command_log_read(&intake->command_log, message);
    commands_add(&intake->commands, message);
}

static bool intake_full(const struct intake *intake)
{
    return shard_queues_full(&intake->batch.queues) || intake->commands.count >= COMMANDS_MAX;
}

static void intake_collect(struct intake *intake, int wait_ms)
{
    struct kafka_message message;
    bool more;

    do {
        more = !intake_full(intake) && reader_next(&intake->reader, wait_ms, &message);
        if (reader_interrupted(&intake->reader)) {
            intake_drop(intake);
            commands_forget(&intake->commands);
        }
        if (more && strcmp(message.topic, intake->command) == 0)
            intake_add_command(intake, &message);
        else if (more)
            intake_enqueue_submission(intake, &message);
        wait_ms = 0;
    } while (more);
}

static void intake_forward_commands(struct intake *intake)
{
    size_t through = commands_deliver(&intake->commands, intake->loop);

    for (size_t i = 0; i < through; i++) {
        const struct kafka_message *message = &intake->commands.list[i];

        reader_store_position(&intake->reader, intake->command, message->partition, message->offset + 1);
    }
    for (size_t i = 0; i < through; i++) {
        const struct kafka_message *message = &intake->commands.list[i];

        if (i + 1 == through || intake->commands.list[i + 1].partition != message->partition)
            command_log_note(&intake->command_log, message);
    }
    commands_done(&intake->commands, through);
}

static enum status intake_ingest(struct intake *intake, struct err *err)
{
    enum status st = rejects_deliver(&intake->rejects, intake->loop, err);

    if (st == ST_OK && intake->batch.queues.count > 0) {
        counter_add(&intake->loop->shared->counters.submissions, intake->batch.queues.count);
        st = ingest_batch(&intake->ingester, &intake->batch, err);
        intake->calls_fail = intake->calls_fail && st != ST_OK;
    }
    if (st == ST_OK) {
        reader_store(&intake->reader);
        sources_note_points(&intake->rewinder);
    }
    return st;
}

static void intake_apply(struct intake *intake)
{
    struct err err = ERR_INIT;
    enum status st;

    intake_forward_commands(intake);
    st = intake_ingest(intake, &err);
    if (st == ST_OK) {
        if (sources_in(&intake->reader.sources, SOURCE_LOADING) == 0)
            loop_kafka_works(intake->loop);
    } else {
        intake->calls_fail = err.server && strcmp(err.server, "redis") == 0 && redis_connected(intake->loop->redis);
        if (st == ST_AGAIN)
            loop_failed(intake->loop, &err);
        if (sources_in(&intake->reader.sources, SOURCE_READY) > 0)
            sources_reload(&intake->reader.sources, st == ST_FENCED ? "generation" : "batch-dropped");
    }
    intake_drop(intake);
}

/* ---- the rest of a turn ---- */

/* Of many shards less often: who ingests into one whose gate has changed is refused, and looks then. */
static int gates_refresh_ms(const struct gate_copies *gates)
{
    return gate_copies_all_open(gates) ? GATES_REFRESH_MS * (1 + gates->shards / GATES_A_SECOND)
                                       : GATES_REFRESH_CLOSED_MS;
}

static void intake_refresh_gates(struct intake *intake, int64_t now_ms)
{
    int every_ms = gates_refresh_ms(&intake->reader.gates);
    struct err err = ERR_INIT;
    int changed;

    if (now_ms - intake->reader.gates.refreshed_at_ms < every_ms)
        return;
    if (gate_copies_refresh(&intake->reader.gates, NULL, 0, &changed, &err) != ST_OK) {
        loop_failed(intake->loop, &err);
        intake->reader.gates.refreshed_at_ms = now_ms + LOAD_RETRY_MS;
        return;
    }
    if (!intake->calls_fail)
        gate_copies_report(&intake->reader.gates, intake->loop);
    sources_wait(&intake->reader.sources, &intake->reader.gates);
    if (changed > 0)
        sources_reload(&intake->reader.sources, "generation");
}

static void intake_check_memory(struct intake *intake, int64_t now_ms)
{
    if (memory_limit_check(&intake->memory, intake->loop->redis, now_ms) && intake->memory.full)
        sources_reload(&intake->reader.sources, "redis-memory"); /* paused until there is room */
}

static void intake_idle(struct intake *intake, int64_t now_ms)
{
    bool all_open = gate_copies_all_open(&intake->reader.gates);
    struct err err = ERR_INIT;

    if (now_ms - intake->idle_at_ms < (all_open ? GATES_REFRESH_MS : GATES_REFRESH_CLOSED_MS))
        return;
    intake->idle_at_ms = now_ms;
    if (ingest_idle(&intake->ingester, false, &err) == ST_FENCED)
        sources_reload(&intake->reader.sources, "generation");
}

static void intake_turn(struct intake *intake)
{
    int64_t now_ms = clock_boot_ms();
    int loading = sources_in(&intake->reader.sources, SOURCE_LOADING);
    bool settled = loading == 0 && gate_copies_all_open(&intake->reader.gates);

    loop_beat(intake->loop);
    atomic_store_explicit(&intake->loop->ready, intake->reader.sources.owned - loading, memory_order_relaxed);
    intake_refresh_gates(intake, now_ms);
    intake_check_memory(intake, now_ms);
    loop_beat(intake->loop);
    intake_load_when_possible(intake);
    sources_settle(&intake->reader.sources);
    commands_settle(&intake->commands, intake->reader.consumer, intake->command);
    wake_prepare(&intake->loop->wake);
    intake_collect(intake, scheduled_wait_ms(&intake->scheduled, settled ? POLL_MS : POLL_CLOSED_MS));
    wake_done(&intake->loop->wake);
    intake_apply(intake);
    scheduled_run(&intake->scheduled);
    loop_beat(intake->loop);
    if (!intake->reader.sources.brokers_away)
        command_log_check(&intake->command_log);
    intake_idle(intake, now_ms);
    sources_check(&intake->reader.sources);
    appender_poll(&intake->loop->appender);
}

/* ---- start and end ---- */

static enum status intake_open(struct intake *intake, struct err *err)
{
    const struct kafka_subscription topics[] = {
        { intake->reader.topic, intake->reader.sources.cursors.partitions, submit_surplus_advice },
        { intake->command, 0, NULL },
    };
    const struct kafka_consumer_events events = {
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_out_of_range = on_out_of_range,
        .on_outage = on_outage,
    };

    if (reader_open(&intake->reader, "intake", topics, 2, events, err) != ST_OK)
        return err->status;
    intake->command_log.consumer = intake->reader.consumer;
    intake->command_log.topic = intake->command;
    intake->command_log.commands = &intake->commands;
    return ST_OK;
}

static void intake_init(struct intake *intake, struct loop *loop)
{
    const struct config *config = loop->shared->config;
    int partitions = (int)config->submit_partitions, shards = (int)config->shards;

    *intake = (struct intake){
        .loop = loop,
        .command_log = { .loop = loop },
    };
    epochs_init(&intake->epochs, partitions);
    config_topic(config, "command", intake->command, sizeof intake->command);
    reader_init(&intake->reader, intake, loop, LOG_SUBMIT, "submit", partitions, shards);
    batch_init(&intake->batch, (int)config->batch_max_messages, shards);
    scheduled_init(&intake->scheduled, loop, &intake->reader.gates);
    ingester_init(&intake->ingester, &intake->reader, &intake->rejects, &intake->scheduled, &intake->epochs);
    rewinder_init(&intake->rewinder, &intake->reader, &intake->epochs);
    intake->rules = (struct batch_rules){
        .shards = shards,
        .payload_max_bytes = (size_t)config->payload_max_bytes,
        .types = config_type_lookup(config),
        .epochs = &intake->epochs,
    };
}

static void intake_release(struct intake *intake)
{
    reader_close(&intake->reader); /* the last callbacks: fences and offsets are moved up */
    ingester_release(&intake->ingester);
    scheduled_release(&intake->scheduled);
    batch_release(&intake->batch);
    rejects_release(&intake->rejects);
    commands_release(&intake->commands);
    command_log_release(&intake->command_log);
    rewinder_release(&intake->rewinder);
    reader_release(&intake->reader);
    epochs_release(&intake->epochs);
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
