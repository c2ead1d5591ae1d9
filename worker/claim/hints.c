/* An offset is stored when every Id up to it has been answered by Redis, not when it was read: a worker that dies leaves the
 * rest to whoever gets the partition. Ids of a partition that was revoked are dropped; the claim that carries some of them
 * is still answered, and stores nothing (the backlog's epoch tells). */
#include "worker/claim/hints.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/log.h"
#include "common/base/memory.h"

enum { MOST_MESSAGES_PER_POLL = 256 };

struct hints_reader {
    struct kafka_settings settings;
    struct kafka_consumer *consumer;
    const struct types *types;
    struct lanes *lanes;
    bool assigned; /* partitions, maybe none: the group is balanced */
    struct outage outage;
};

static struct lane *find_lane(const struct hints_reader *hints, const char *topic, int partition)
{
    int type = types_find_topic(hints->types, topic);

    return type >= 0 && partition < hints->lanes->shard_count ? lanes_at(hints->lanes, type, partition) : NULL;
}

/* Assignments are eager: everything that was ours is revoked first, so lanes begin without messages of Kafka, and not
 * paused. */
static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    struct hints_reader *hints = arg;

    log_event(LOG_LEVEL_DEBUG, "partitions revoked", "count=%zu lost=%d", count, lost);
    hints->assigned = false;
    hints->lanes->owned_changes++;
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = find_lane(hints, positions[i].topic, positions[i].partition);

        if (!lane)
            continue;
        backlog_drop(&lane->backlog);
        lane->owned = lane->paused = false;
        lane->hinted_until_boot_ms = 0;
    }
}

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    struct hints_reader *hints = arg;

    for (size_t i = 0; i < count; i++) { /* all start where the group stored: that is what they say already */
        struct lane *lane = find_lane(hints, positions[i].topic, positions[i].partition);

        if (lane)
            lane->owned = true;
    }
    hints->lanes->owned_changes++;
    log_event(LOG_LEVEL_INFO, "partitions assigned", "count=%zu", count);
    hints->assigned = true;
}

static void on_outage(void *arg, const char *text)
{
    struct hints_reader *hints = arg;

    if (text)
        outage_begin(&hints->outage, "kafka", text);
    else
        outage_end(&hints->outage, "kafka");
}

/* ---- life ---- */

struct hints_reader *hints_start(const struct config *config, const char *client_id, const struct types *types,
                                 struct lanes *lanes, struct err *err)
{
    struct hints_reader *hints = xcalloc(1, sizeof *hints);
    const struct kafka_consumer_events events = {
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_outage = on_outage,
        .arg = hints,
    };
    struct kafka_subscription *topics = xcalloc(types->count, sizeof *topics);
    char group[320];
    enum status st = ST_FAILED;

    hints->types = types;
    hints->lanes = lanes;
    hints->settings = config_kafka(config, client_id);
    snprintf(group, sizeof group, "%s-worker", config->prefix);
    for (size_t i = 0; i < types->count; i++)
        topics[i] = (struct kafka_subscription){ types->topics[i], lanes->shard_count, NULL };
    hints->consumer = kafka_consumer_new(&hints->settings, group, &events, err);
    if (hints->consumer)
        st = kafka_consumer_subscribe(hints->consumer, topics, types->count, err);
    free(topics);
    if (st == ST_OK)
        return hints;
    hints_stop(hints);
    return NULL;
}

void hints_stop(struct hints_reader *hints)
{
    if (hints->consumer)
        kafka_consumer_free(hints->consumer);
    free(hints);
}

bool hints_assigned(const struct hints_reader *hints)
{
    return hints->assigned;
}

/* ---- reading ---- */

static void on_id(void *arg, const char id[ID_SIZE])
{
    struct backlog *backlog = arg;

    if (!backlog_was_pushed(backlog, id, clock_boot_ms()))
        backlog_add_id(backlog, id);
}

static void pause_lane(struct hints_reader *hints, struct lane *lane, const struct kafka_message *message)
{
    struct err err = ERR_INIT;

    lane->resume_offset = message->offset + 1;
    if (kafka_consumer_pause(hints->consumer, message->topic, message->partition, &err) == ST_OK) {
        lane->paused = true;
    } else {
        log_error_text(LOG_LEVEL_WARNING, "cannot pause", err.text, "topic=%s partition=%d", message->topic,
                       message->partition);
    }
}

static void enqueue_message(struct hints_reader *hints, const struct kafka_message *message)
{
    struct lane *lane = find_lane(hints, message->topic, message->partition);
    struct err err = ERR_INIT;

    if (!lane || lane->paused) /* paused: prefetched before; it is read again at resume_offset */
        return;
    lane->hinted_until_boot_ms = clock_boot_ms() + LANE_HINTED_FOR_MS;
    backlog_add_message(&lane->backlog, message->offset + 1);
    if (codec_read_hint(message->value, message->value_size, on_id, &lane->backlog, &err) != ST_OK) {
        log_error_text(LOG_LEVEL_WARNING, "hint unreadable", err.text, "topic=%s partition=%d offset=%lld",
                       message->topic, message->partition, (long long)message->offset);
    }
    if (lane->backlog.message_count > 0 && lane->backlog.id_count == 0)
        hints_acknowledge(hints, lane, 0);
    if (lane->backlog.id_count >= BACKLOG_FULL_IDS)
        pause_lane(hints, lane, message);
}

bool hints_poll(struct hints_reader *hints)
{
    struct kafka_message message;
    int count = 0;

    for (; count < MOST_MESSAGES_PER_POLL && kafka_consumer_poll(hints->consumer, 0, &message); count++) {
        enqueue_message(hints, &message);
        kafka_message_release(&message);
    }
    return count > 0;
}

void hints_wait(struct hints_reader *hints, bool useless, const int *also, size_t count, int timeout_ms)
{
    kafka_consumer_wait(useless ? NULL : hints->consumer, also, count, timeout_ms);
}

/* ---- acknowledging ---- */

static void resume_lane(struct hints_reader *hints, struct lane *lane)
{
    const char *topic = hints->types->topics[lane->type->index];
    struct err err = ERR_INIT;

    if (kafka_consumer_resume(hints->consumer, topic, lane->shard, lane->resume_offset, &err) == ST_OK)
        lane->paused = false;
    else
        log_error_text(LOG_LEVEL_WARNING, "cannot resume", err.text, "topic=%s partition=%d", topic, lane->shard);
}

void hints_acknowledge(struct hints_reader *hints, struct lane *lane, size_t count)
{
    int64_t next_offset = backlog_take(&lane->backlog, count);
    struct err err = ERR_INIT;

    if (next_offset >= 0) {
        crash_point(CRASH_STORE_BEFORE);
        if (kafka_consumer_store(hints->consumer, hints->types->topics[lane->type->index], lane->shard, next_offset,
                                 &err) != ST_OK) {
            log_error_text(LOG_LEVEL_DEBUG, "offset not stored", err.text, "type=%s shard=%d", lane->type->config->name,
                           lane->shard);
        }
        crash_point(CRASH_STORE_AFTER);
    }
    if (lane->paused && lane->backlog.id_count <= BACKLOG_LOW_IDS)
        resume_lane(hints, lane);
}
