#include "coordinator/sources.h"

#include <inttypes.h>

#include "common/base/clock.h"

void sources_init(struct sources *sources, struct loop *loop, enum log_kind kind, const char *topic, int partitions,
                  int shards)
{
    *sources = (struct sources){ .loop = loop, .kind = kind, .topic = topic };
    cursors_init(&sources->cursors, topic, partitions, shards);
}

void sources_release(struct sources *sources)
{
    cursors_release(&sources->cursors);
}

void sources_assign(struct sources *sources, int partition)
{
    if (sources->cursors.sources[partition].state == SOURCE_ABSENT)
        atomic_store(&sources->loop->owned, ++sources->owned);
    cursors_assign(&sources->cursors, partition);
    sources->unsettled = true;
}

void sources_revoke(struct sources *sources, int partition)
{
    if (sources->cursors.sources[partition].state == SOURCE_ABSENT)
        return;
    atomic_store(&sources->loop->owned, --sources->owned);
    cursors_revoke(&sources->cursors, partition);
    log_end_read(&sources->loop->shared->ends, sources->kind, partition, -1);
}

void sources_reload(struct sources *sources, const char *why)
{
    if (sources->owned == 0)
        return;
    for (int p = 0; p < sources->cursors.partitions; p++) {
        if (sources->cursors.sources[p].state != SOURCE_ABSENT)
            sources_assign(sources, p);
    }
    counter_add(&sources->loop->shared->counters.reloads, 1);
    log_event(LOG_LEVEL_INFO, "fences reload", "loop=%s topic=%s partitions=%d why=%s", sources->loop->name,
              sources->topic, sources->owned, why);
}

void source_halt(struct sources *sources, int partition, const char *text)
{
    cursors_halt(&sources->cursors, partition);
    sources->unsettled = true;
    counter_add(&sources->loop->shared->counters.halts, 1);
    log_error_text(LOG_LEVEL_ERROR, "partition halted", text, "topic=%s partition=%d", sources->topic, partition);
}

enum status source_start(struct sources *sources, int partition, int64_t *start, struct err *err)
{
    struct err warning = ERR_INIT;
    int64_t log_start, log_end;

    if (kafka_consumer_log_range(sources->consumer, sources->topic, partition, SOURCES_ASK_MS, &log_start, &log_end,
                                 err) != ST_OK)
        return ST_AGAIN;
    if (cursors_start(&sources->cursors, partition, log_start, log_end, start, &warning, err) != ST_OK) {
        source_halt(sources, partition, err->text);
        return ST_INVALID;
    }
    if (warning.text[0])
        log_error_text(LOG_LEVEL_WARNING, "log start", warning.text, "topic=%s partition=%d", sources->topic,
                       partition);
    sources->cursors.sources[partition].unsought = sources->unsettled = true;
    log_event(LOG_LEVEL_INFO, "reading", "loop=%s topic=%s partition=%d from=%" PRId64 " end=%" PRId64,
              sources->loop->name, sources->topic, partition, *start, log_end);
    return ST_OK;
}

int64_t source_position(struct sources *sources, int partition)
{
    struct source *source = &sources->cursors.sources[partition];

    source->unsought = false;
    return source->state == SOURCE_READY ? source->read : KAFKA_OFFSET_STORED;
}

int sources_in(const struct sources *sources, enum source_state state)
{
    int count = 0;

    for (int p = 0; p < sources->cursors.partitions; p++)
        count += sources->cursors.sources[p].state == state;
    return count;
}

void sources_settle(struct sources *sources)
{
    struct err err = ERR_INIT;
    bool failed = false;

    if (!sources->unsettled)
        return;
    for (int p = 0; p < sources->cursors.partitions; p++) {
        struct source *source = &sources->cursors.sources[p];
        enum status st = ST_OK;

        if (source->state == SOURCE_ABSENT)
            continue;
        if (source->state == SOURCE_READY && (source->paused || source->unsought))
            st = kafka_consumer_resume(sources->consumer, sources->topic, p, source->read, &err);
        else if (source->state != SOURCE_READY && !source->paused)
            st = kafka_consumer_pause(sources->consumer, sources->topic, p, &err);
        if (st == ST_OK) {
            source->paused = source->state != SOURCE_READY;
            source->unsought = false;
        }
        failed |= st != ST_OK;
    }
    sources->unsettled = failed;
    if (failed)
        log_error_text(LOG_LEVEL_DEBUG, "pause failed", err.text, "loop=%s topic=%s", sources->loop->name,
                       sources->topic);
}

static void source_lost(struct sources *sources, int partition, int64_t log_end)
{
    struct err err = ERR_INIT;

    err_set(
        &err, ST_INVALID,
        "%s[%d]: Kafka lost its tail: the log ends at %" PRId64 ", below %" PRId64 " where it was "
        "read to. Messages acknowledged after the log's end are gone; this partition waits until a person has looked "
        "(other partitions go on)",
        sources->topic, partition, log_end, sources->cursors.sources[partition].read);
    source_halt(sources, partition, err.text);
}

void sources_check(struct sources *sources)
{
    struct log_ends *ends = &sources->loop->shared->ends;

    for (int p = 0; p < sources->cursors.partitions; p++) {
        const struct source *source = &sources->cursors.sources[p];
        int64_t log_end;

        if (source->state == SOURCE_ABSENT)
            continue;
        log_end_read(ends, sources->kind, p, source->state == SOURCE_READY ? source->read : -1);
        log_end = log_end_lost(ends, sources->kind, p);
        if (log_end >= 0 && source->state == SOURCE_READY && log_end < source->read)
            source_lost(sources, p, log_end);
    }
}
