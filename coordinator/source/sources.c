#include "coordinator/source/sources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/clock.h"
#include "common/base/memory.h"

struct notice {
    enum source_state state;
    uint32_t why;  /* checksum of the text */
    int64_t at_ms; /* since when */
};

const char submit_surplus_advice[] =
    "What is in them is kept and waits. To record it, set [queue] submit_partitions to the number found for all "
    "coordinators and restart them, one after the other";

void sources_init(struct sources *sources, struct loop *loop, enum log_kind kind, const char *topic, int partitions,
                  int shards)
{
    *sources = (struct sources){ .loop = loop, .kind = kind, .topic = topic, .reload_why = "assigned" };
    cursors_init(&sources->cursors, topic, partitions, shards);
    sources->notices = xcalloc((size_t)partitions, sizeof *sources->notices);
}

void sources_release(struct sources *sources)
{
    cursors_release(&sources->cursors);
    free(sources->notices);
}

/* Of a source whose state is another than was told last. */
static void source_tell(struct sources *sources, int partition, const char *why)
{
    static const enum health_state states[] = {
        [SOURCE_ABSENT] = HEALTH_ABSENT,     [SOURCE_LOADING] = HEALTH_waits, [SOURCE_READY] = HEALTH_reads,
        [SOURCE_REWRITTEN] = HEALTH_healing, [SOURCE_HALTED] = HEALTH_halted,
    };
    struct source *source = &sources->cursors.sources[partition];

    source->told = source->state;
    health_note(&sources->loop->shared->health, sources->kind, partition, states[source->state], why);
}

void sources_assign(struct sources *sources, int partition)
{
    if (sources->cursors.sources[partition].state == SOURCE_ABSENT)
        atomic_store(&sources->loop->owned, ++sources->owned);
    cursors_assign(&sources->cursors, partition);
}

void sources_revoke(struct sources *sources, int partition)
{
    if (sources->cursors.sources[partition].state == SOURCE_ABSENT)
        return;
    atomic_store(&sources->loop->owned, --sources->owned);
    cursors_revoke(&sources->cursors, partition);
    log_end_report_read(&sources->loop->shared->ends, sources->kind, partition, -1);
    source_tell(sources, partition, "");
}

void sources_reload(struct sources *sources, const char *why)
{
    if (sources->owned == 0)
        return;
    for (int p = 0; p < sources->cursors.partitions; p++) {
        if (sources->cursors.sources[p].state != SOURCE_ABSENT)
            sources_assign(sources, p);
    }
    sources->reload_why = why;
    counter_add(&sources->loop->shared->counters.reloads, 1);
    log_event(LOG_LEVEL_INFO, "fences reload", "loop=%s topic=%s partitions=%d why=%s", sources->loop->name,
              sources->topic, sources->owned, why);
}

/* Nothing of what they have when they are back is used before it was compared with what was applied. */
void sources_outage(struct sources *sources, const char *text)
{
    sources->brokers_away = text;
    if (text)
        outage_begin(&sources->loop->kafka_outage, "kafka", text);
    else
        outage_end(&sources->loop->kafka_outage, "kafka");
    sources_reload(sources, text ? "brokers-away" : "brokers-returned");
}

void source_announce(struct sources *sources, int partition, enum source_state state, const char *text)
{
    struct notice *notice = &sources->notices[partition];
    uint32_t why = checksum_crc32c(0, text, strlen(text));
    bool again = notice->state == state && notice->why == why;

    *notice = (struct notice){ state, why, clock_boot_ms() };
    source_tell(sources, partition, text);
    if (again)
        return;
    if (state == SOURCE_HALTED) {
        counter_add(&sources->loop->shared->counters.halts, 1);
        log_error_text(LOG_LEVEL_ERROR, "partition halted", text, "topic=%s partition=%d", sources->topic, partition);
    } else if (state == SOURCE_REWRITTEN) {
        log_error_text(LOG_LEVEL_ERROR, "history rewritten", text, "topic=%s partition=%d", sources->topic, partition);
    }
}

void source_contradicted(struct sources *sources, int partition, const char *text)
{
    source_announce(sources, partition, sources->cursors.sources[partition].state, text);
}

void source_halt(struct sources *sources, int partition, const char *text)
{
    cursors_halt(&sources->cursors, partition);
    source_contradicted(sources, partition, text);
}

enum status source_start(struct sources *sources, int partition, int64_t *start, struct err *err)
{
    struct err warning = ERR_INIT;
    int64_t log_start, log_end;

    if (kafka_consumer_log_range(sources->consumer, sources->topic, partition, SOURCES_QUERY_MS, &log_start, &log_end,
                                 err) != ST_OK) {
        sources->turn = partition + 1;
        return ST_AGAIN;
    }
    if (cursors_start(&sources->cursors, partition, log_start, log_end, start, &warning, err) != ST_OK) {
        source_contradicted(sources, partition, err->text);
        return ST_INVALID;
    }
    source_announce(sources, partition, SOURCE_READY, "");
    if (warning.text[0]) {
        log_error_text(LOG_LEVEL_WARNING, "log start", warning.text, "topic=%s partition=%d", sources->topic,
                       partition);
    }
    if (sources->cursors.sources[partition].fetching == FETCH_RUNNING)
        sources->cursors.sources[partition].fetching = FETCH_ELSEWHERE;
    log_event(LOG_LEVEL_INFO, "reading", "loop=%s topic=%s partition=%d from=%" PRId64 " end=%" PRId64,
              sources->loop->name, sources->topic, partition, *start, log_end);
    return ST_OK;
}

int source_in_turn(const struct sources *sources, int place)
{
    return (sources->turn + place) % sources->cursors.partitions;
}

int64_t source_position(struct sources *sources, int partition)
{
    struct source *source = &sources->cursors.sources[partition];

    if (source->fetching == FETCH_ELSEWHERE)
        source->fetching = FETCH_RUNNING;
    return source->state == SOURCE_READY ? source->read : KAFKA_OFFSET_STORED;
}

int sources_in(const struct sources *sources, enum source_state state)
{
    int count = 0;

    for (int p = 0; p < sources->cursors.partitions; p++)
        count += sources->cursors.sources[p].state == state;
    return count;
}

static enum status source_settle(struct sources *sources, int partition, struct err *err)
{
    struct source *source = &sources->cursors.sources[partition];
    enum source_fetching wanted = source->state == SOURCE_READY ? FETCH_RUNNING : FETCH_PAUSED;
    enum status st;

    if (source->state == SOURCE_ABSENT || source->fetching == wanted)
        return ST_OK;
    if (wanted == FETCH_RUNNING)
        st = kafka_consumer_resume(sources->consumer, sources->topic, partition, source->read, err);
    else
        st = kafka_consumer_pause(sources->consumer, sources->topic, partition, err);
    if (st == ST_OK)
        source->fetching = wanted;
    return st;
}

void sources_settle(struct sources *sources)
{
    struct err err = ERR_INIT;

    for (int p = 0; p < sources->cursors.partitions; p++) {
        if (source_settle(sources, p, &err) != ST_OK) {
            log_error_text(LOG_LEVEL_DEBUG, "pause failed", err.text, "loop=%s topic=%s partition=%d",
                           sources->loop->name, sources->topic, p);
        }
    }
}

static void source_lost(struct sources *sources, int partition, int64_t log_end)
{
    struct err err = ERR_INIT;

    err_set(
        &err, ST_INVALID,
        "%s[%d]: Kafka lost its tail: the log ends at %" PRId64 ", below %" PRId64
        " where it was read to. Messages acknowledged after the log's end are gone. It is rewound to what is common",
        sources->topic, partition, log_end, sources->cursors.sources[partition].read);
    cursors_rewritten(&sources->cursors, partition);
    source_contradicted(sources, partition, err.text);
}

void sources_check(struct sources *sources)
{
    struct log_ends *ends = &sources->loop->shared->ends;

    for (int p = 0; p < sources->cursors.partitions; p++) {
        const struct source *source = &sources->cursors.sources[p];
        int64_t log_end;

        if (source->state != source->told)
            source_tell(sources, p, source->state == SOURCE_LOADING ? sources->reload_why : "");
        if (source->state == SOURCE_ABSENT)
            continue;
        if (source->state == SOURCE_HALTED && clock_boot_ms() - sources->notices[p].at_ms >= SOURCES_HALTED_LOOK_MS)
            sources_assign(sources, p);
        log_end_report_read(ends, sources->kind, p, source->state == SOURCE_READY ? source->read : -1);
        log_end = log_end_lost(ends, sources->kind, p);
        if (log_end >= 0 && source->state == SOURCE_READY && log_end < source->read)
            source_lost(sources, p, log_end);
    }
}
