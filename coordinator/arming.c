/* The order matters: the generation is in the control topic before any shard knows it, and the marks are taken after
 * the shards stopped (nobody can apply anything to a server they are not armed on), so nothing is behind them. */
#include "coordinator/arming.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/control.h"
#include "coordinator/crash.h"

enum { TOPIC_SIZE = 300 };

struct arming {
    struct recovery *recovery;
    int64_t generation;         /* the highest in the control topic */
    int64_t unix_seconds;       /* of Redis */
    struct fence *submit_marks; /* owned */
    size_t submit_mark_count;
    int64_t *status_marks; /* owned: of recovery->arming, in that order */
};

int64_t generation_next(int64_t control, int64_t gate, int64_t unix_seconds)
{
    int64_t highest = control > gate ? control : gate;

    return (highest > unix_seconds ? highest : unix_seconds) + 1;
}

/* ---- what must be known ---- */

static enum status arming_ask_time(struct arming *arming, struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(arming->recovery->loop->redis, &reply, err, "TIME", NULL) != ST_OK)
        return err->status;
    arming->unix_seconds = redis_reply_int(redis_reply_at(reply, 0), 0);
    redis_reply_free(reply);
    return ST_OK;
}

/* A member that never subscribes: it only asks what the group committed. */
static enum status arming_ask_group(struct recovery *recovery, struct err *err)
{
    const struct config *config = recovery->loop->shared->config;
    struct kafka_settings settings = config_kafka(config, recovery->loop->name);
    char group[TOPIC_SIZE];

    if (recovery->intake_group)
        return ST_OK;
    snprintf(group, sizeof group, "%s-intake", config->prefix);
    recovery->intake_group = kafka_consumer_new(&settings, group, NULL, err);
    return recovery->intake_group ? ST_OK : err->status;
}

/* Offsets are committed after they were applied: below them, all was recorded once. */
static enum status arming_ask_marks(struct arming *arming, struct err *err)
{
    const struct config *config = arming->recovery->loop->shared->config;
    int partitions = (int)config->submit_partitions;
    int64_t *offsets = xcalloc((size_t)partitions, sizeof *offsets);
    char topic[TOPIC_SIZE];
    enum status st = arming_ask_group(arming->recovery, err);

    config_topic(config, "submit", topic, sizeof topic);
    if (st == ST_OK)
        st = kafka_consumer_committed(arming->recovery->intake_group, topic, partitions, SOURCES_ASK_MS, offsets, err);
    if (st == ST_OK) {
        arming->submit_marks = xcalloc((size_t)partitions, sizeof *arming->submit_marks);
        for (int p = 0; p < partitions; p++) {
            if (offsets[p] > 0)
                arming->submit_marks[arming->submit_mark_count++] =
                    (struct fence){ .partition = p, .next = offsets[p] };
        }
    }
    free(offsets);
    return st;
}

static enum status arming_ask_status_marks(struct arming *arming, struct err *err)
{
    struct recovery *recovery = arming->recovery;

    arming->status_marks = xcalloc((size_t)recovery->arming_count, sizeof *arming->status_marks);
    return kafka_consumer_log_ends(recovery->sources->consumer, recovery->sources->topic, recovery->arming,
                                   (size_t)recovery->arming_count, SOURCES_ASK_MS, arming->status_marks, err);
}

static enum status arming_ask_kafka(struct arming *arming, struct err *err)
{
    struct loop *loop = arming->recovery->loop;
    struct control_history history;

    if (control_read(loop->shared->config, &history, err) != ST_OK)
        return err->status;
    arming->generation = history.generation;
    loop_beat(loop);
    if (arming_ask_marks(arming, err) != ST_OK)
        return err->status;
    loop_beat(loop);
    return arming_ask_status_marks(arming, err);
}

/* ---- doing it ---- */

static enum status arming_write(struct arming *arming, int64_t *generations, struct err *err)
{
    struct recovery *recovery = arming->recovery;
    struct loop *loop = recovery->loop;
    enum status sent = ST_OK, delivered;

    crash_point(CRASH_CONTROL_BEFORE);
    for (int i = 0; i < recovery->arming_count && sent == ST_OK; i++) {
        int shard = recovery->arming[i];
        struct control control = { .shard = shard, .shards = -1, .at_ms = clock_wall_ms() };

        generations[i] =
            generation_next(arming->generation, recovery->gates->at[shard].generation, arming->unix_seconds);
        control.generation = generations[i];
        snprintf(control.instance, sizeof control.instance, "%s", loop->shared->instance);
        sent = control_append(&loop->appender, &control, err);
    }
    loop_beat(loop);
    delivered = appender_wait(&loop->appender, err);
    crash_point(CRASH_CONTROL_AFTER);
    return sent != ST_OK ? sent : delivered;
}

static enum status arming_note_settings(struct recovery *recovery, int shard, struct err *err)
{
    struct redis_reply *reply;
    char field[32];

    snprintf(field, sizeof field, "settings:%d", shard);
    if (redis_call(recovery->loop->redis, &reply, err, "HSET", "bgop:meta", field, recovery->settings.digest, NULL) !=
        ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

static enum status shard_arm(struct arming *arming, int index, int64_t generation, struct err *err)
{
    struct recovery *recovery = arming->recovery;
    struct redis *redis = recovery->loop->redis;
    int shard = recovery->arming[index];
    struct arm arm = {
        .shard = shard,
        .generation = generation,
        .queue = recovery->settings.queue,
        .status_mark = arming->status_marks[index],
        .types = recovery->settings.types,
        .type_count = recovery->settings.type_count,
        .submit_marks = arming->submit_marks,
        .submit_mark_count = arming->submit_mark_count,
    };
    enum status st;

    if (arm_send(redis, &arm, err) != ST_OK)
        return err->status;
    st = arm_receive(redis, err);
    if (st == ST_STALE) {
        log_event(LOG_LEVEL_INFO, "arm lost", "shard=%d generation=%" PRId64, shard, generation);
        *err = (struct err)ERR_INIT;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    log_event(LOG_LEVEL_INFO, "shard armed", "shard=%d generation=%" PRId64 " status-mark=%" PRId64 " submit-marks=%zu",
              shard, generation, arm.status_mark, arm.submit_mark_count);
    crash_point(CRASH_ARM_AFTER);
    recovery_reset(recovery, shard);
    recovery->gates->at[shard] = (struct gate){ generation, GATE_RECOVERING, true };
    recovery->compared[shard] = true;
    sources_assign(recovery->sources, shard); /* a server that went backwards took the fence with it */
    counter_add(&recovery->loop->shared->counters.arms, 1);
    return arming_note_settings(recovery, shard, err);
}

/* What Kafka must say and take before any shard may be armed. Its outage is not Redis': it is said here. */
static enum status arming_prepare(struct arming *arming, int64_t *generations, struct err *err)
{
    struct loop *loop = arming->recovery->loop;
    enum status st = arming_ask_kafka(arming, err);

    if (st == ST_OK)
        st = arming_write(arming, generations, err);
    if (st == ST_OK)
        outage_end(&loop->kafka_outage, "kafka");
    else
        outage_begin(&loop->kafka_outage, "kafka", err->text);
    return st == ST_OK ? ST_OK : err_set(err, ST_RECOVERING, "Kafka is away: shards cannot be armed");
}

enum status shards_arm(struct recovery *recovery, struct err *err)
{
    struct arming arming = { .recovery = recovery };
    int64_t *generations = xcalloc((size_t)recovery->arming_count, sizeof *generations);
    enum status st = arming_ask_time(&arming, err);

    if (st == ST_OK)
        st = arming_prepare(&arming, generations, err);
    for (int i = 0; i < recovery->arming_count && st == ST_OK; i++)
        st = shard_arm(&arming, i, generations[i], err);
    free(generations);
    free(arming.submit_marks);
    free(arming.status_marks);
    return st;
}
