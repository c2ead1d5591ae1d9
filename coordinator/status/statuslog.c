/* A turn of the status loop (its phases: source/reader.h):
 *
 *   serve     brings shards into service (recovery.c), then loads the fences of shards whose log may be read
 *   settle    pauses and resumes sources
 *   collect   messages of the status log into a batch of outcomes, until the next tick is due
 *   apply     the outcomes, in Redis (apply.c)
 *   store     the offsets of what is applied
 *   tick      the shards that are due (timers.c): after the outcomes, so that leases are judged in view of them
 *
 * Whatever goes wrong with a batch, one thing is done: it is dropped, its sources are LOADING, the gates are read
 * again, and it is read again from the fences. Of a Redis Cluster one server may be away: then its shards wait
 * (source/waiting.h). */
#include "coordinator/status/statuslog.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "coordinator/source/fences.h"
#include "coordinator/source/reader.h"
#include "coordinator/source/rewind.h"
#include "coordinator/status/recovery.h"

enum {
    POLL_MS = 250,       /* longest wait for a message: the rest of a turn has to be done too */
    POLL_CLOSED_MS = 10, /* while a shard is not open */
    RETRY_MS = 200,
    RETRY_SOON_MS = 20,
};

struct statuslog {
    struct loop *loop;
    struct reader reader; /* of the status topic: its partitions are the shards */
    struct outcomes outcomes;
    struct applier applier;
    struct clock_watch clocks;
    struct timers timers;
    struct recovery recovery;
    struct rewinder rewinder;
    bool gates_stale; /* a gate is not as its copy: read them again before anything else */
    /* Redis answers, but refuses these calls: they must work before that outage is over. */
    bool applies_fail, ticks_fail;
    int64_t retry_at_ms; /* Redis or Kafka is away: not before then */
};

/* ---- loading ---- */

static bool statuslog_loadable(const struct statuslog *log, int shard)
{
    return log->reader.sources.cursors.sources[shard].state == SOURCE_LOADING &&
           recovery_readable(&log->recovery, shard); /* not one whose server is away */
}

static bool statuslog_loading(const struct statuslog *log)
{
    for (int s = 0; s < log->reader.sources.cursors.partitions; s++) {
        if (statuslog_loadable(log, s))
            return true;
    }
    return false;
}

/* Shards whose log may be read: from their fences on. */
static enum status statuslog_load(struct statuslog *log, struct err *err)
{
    int64_t start;

    if (log->reader.sources.brokers_away)
        return ST_OK;
    if (sources_rewind(&log->rewinder, err) != ST_OK)
        return err->status;
    if (!statuslog_loading(log))
        return ST_OK;
    if (fences_load(&log->reader.sources, &log->reader.gates, err) != ST_OK)
        return err->status;
    for (int i = 0; i < log->reader.sources.cursors.partitions; i++) {
        int s = source_in_turn(&log->reader.sources, i);

        if (statuslog_loadable(log, s) && source_start(&log->reader.sources, s, &start, err) == ST_AGAIN)
            return ST_AGAIN;
    }
    return ST_OK;
}

static void statuslog_failed(struct statuslog *log, const struct err *err)
{
    log->gates_stale = true;
    if (err->status == ST_FENCED)
        return;
    log->retry_at_ms = clock_boot_ms() + (functions_missing(err) ? RETRY_SOON_MS : RETRY_MS);
    if (err->status != ST_RECOVERING && !functions_missing(err)) /* those are loaded when the gates are read */
        loop_failed(log->loop, err);
}

static void statuslog_serve(struct statuslog *log)
{
    struct err err = ERR_INIT;

    if (clock_boot_ms() < log->retry_at_ms)
        return;
    if (recovery_step(&log->recovery, log->gates_stale, &err) != ST_OK || statuslog_load(log, &err) != ST_OK) {
        statuslog_failed(log, &err);
        return;
    }
    log->gates_stale = false;
    if (!log->applies_fail && !log->ticks_fail)
        gate_copies_report(&log->reader.gates, log->loop);
    loop_kafka_works(log->loop);
}

/* What became of calls of our functions. */
static void statuslog_called(struct statuslog *log, bool *fail, enum status st, const struct err *err)
{
    *fail = st == ST_AGAIN && redis_connected(log->loop->redis) && !functions_missing(err);
    if (st != ST_OK)
        statuslog_failed(log, err);
}

/* ---- the group's and the broker's news ---- */

static void statuslog_forget(struct statuslog *log, int shard)
{
    recovery_reset(&log->recovery, shard);
    clock_watch_forget(&log->clocks, shard);
}

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    struct reader *reader = arg;
    struct statuslog *log = reader->owner;

    log->gates_stale = true;
    for (size_t i = 0; i < count; i++)
        statuslog_forget(log, positions[i].partition);
    reader_assign(reader, positions, count);
    if (count > 0)
        statuslog_serve(log);
    reader_position(reader, positions, count);
}

static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    struct reader *reader = arg;
    struct statuslog *log = reader->owner;

    (void)lost;
    reader_revoke(reader, positions, count);
    for (size_t i = 0; i < count; i++)
        statuslog_forget(log, positions[i].partition);
}

/* ---- a batch ---- */

/* Counted each time, told once: a worker that serves two queues reports all that it does. */
static void statuslog_report_foreign(struct statuslog *log, const struct kafka_message *message, const struct err *err)
{
    if (atomic_fetch_add(&log->loop->shared->counters.foreign_batches, 1) == 0) {
        log_error_text(LOG_LEVEL_ERROR, "foreign outcomes dropped", err->text, "topic=%s partition=%d offset=%" PRId64,
                       message->topic, message->partition, message->offset);
    }
}

static void statuslog_enqueue(struct statuslog *log, struct kafka_message *message)
{
    struct fingerprint fingerprint;
    struct err err = ERR_INIT;

    if (!reader_accept(&log->reader, message, &fingerprint))
        return;
    timers_note_work(&log->timers, message->partition);
    if (outcomes_add(&log->outcomes, message, log->loop->shared->genesis, &fingerprint, &err) == ST_OK)
        return;
    if (err.status == ST_STALE) {
        statuslog_report_foreign(log, message, &err);
        return;
    }
    counter_add(&log->loop->shared->counters.bad_batches, 1);
    log_error_text(LOG_LEVEL_ERROR, "status message unreadable", err.text, "topic=%s partition=%d offset=%" PRId64,
                   message->topic, message->partition, message->offset);
}

static void statuslog_collect(struct statuslog *log, int wait_ms)
{
    struct kafka_message message;
    bool more;

    do {
        more = !shard_queues_full(&log->outcomes.queues) && reader_next(&log->reader, wait_ms, &message);
        if (reader_interrupted(&log->reader))
            outcomes_clear(&log->outcomes);
        if (more)
            statuslog_enqueue(log, &message);
        wait_ms = 0;
    } while (more);
}

static void statuslog_apply_outcomes(struct statuslog *log)
{
    struct err err = ERR_INIT;

    if (log->outcomes.queues.count > 0) {
        enum status st = apply_batch(&log->applier, &log->outcomes, &err);

        statuslog_called(log, &log->applies_fail, st, &err);
        if (st != ST_OK)
            sources_reload(&log->reader.sources, st == ST_FENCED ? "generation" : "batch-dropped");
    }
    reader_store(&log->reader);
    sources_note_points(&log->rewinder);
    outcomes_clear(&log->outcomes);
}

/* ---- a turn ---- */

static void on_timer_set(void *arg, int shard)
{
    struct statuslog *log = arg;

    timers_make_due(&log->timers, shard);
}

static int statuslog_count_open(const struct statuslog *log)
{
    int open = 0;

    for (int s = 0; s < log->reader.sources.cursors.partitions; s++) {
        const struct gate *gate = &log->reader.gates.at[s];
        enum source_state state = log->reader.sources.cursors.sources[s].state;

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
    sources_settle(&log->reader.sources);
    open = statuslog_count_open(log);
    atomic_store_explicit(&log->loop->ready, open, memory_order_relaxed);
    wake_prepare(&log->loop->wake); /* before tick requests are taken: whoever comes later ends the wait */
    statuslog_collect(log, timers_wait_ms(&log->timers, open == log->reader.sources.owned ? POLL_MS : POLL_CLOSED_MS));
    wake_done(&log->loop->wake);
    statuslog_apply_outcomes(log);
    loop_beat(log->loop);
    if (clock_boot_ms() >= log->retry_at_ms) {
        enum status st = timers_run(&log->timers, &err);

        if (log->reader.sources.owned == 0)
            log->applies_fail = false; /* another applies it */
        if (log->timers.due_count > 0 || log->reader.sources.owned == 0)
            statuslog_called(log, &log->ticks_fail, st, &err);
    }
    sources_check(&log->reader.sources);
    appender_poll(&log->loop->appender);
}

/* ---- start and end ---- */

static enum status statuslog_open(struct statuslog *log, struct err *err)
{
    const struct kafka_subscription topic = { log->reader.topic, log->reader.sources.cursors.partitions, NULL };
    const struct kafka_consumer_events events = { .on_assigned = on_assigned, .on_revoked = on_revoked };

    return reader_open(&log->reader, "status", &topic, 1, events, err);
}

static void statuslog_init(struct statuslog *log, struct loop *loop)
{
    const struct config *config = loop->shared->config;
    int shards = (int)config->shards;

    *log = (struct statuslog){ .loop = loop };
    reader_init(&log->reader, log, loop, LOG_STATUS, "status", shards, 1);
    outcomes_init(&log->outcomes, (int)config->batch_max_messages, shards);
    applier_init(&log->applier, &log->reader, on_timer_set, log);
    clock_watch_init(&log->clocks, loop, &log->reader.gates);
    timers_init(&log->timers, &log->reader, &log->clocks);
    rewinder_init(&log->rewinder, &log->reader, NULL);
    recovery_init(&log->recovery, &log->reader, &log->applier, &log->timers);
}

static void statuslog_release(struct statuslog *log)
{
    reader_close(&log->reader);
    recovery_release(&log->recovery);
    rewinder_release(&log->rewinder);
    timers_release(&log->timers);
    clock_watch_release(&log->clocks);
    applier_release(&log->applier);
    outcomes_release(&log->outcomes);
    reader_release(&log->reader);
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
