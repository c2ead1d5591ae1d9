/* The order matters: first what must be known is fetched (the last generation, Redis' time, the marks), then the
 * generation is written to the control topic and acknowledged, then the shards are armed with it. So no shard knows a
 * generation that the control topic does not. The marks are taken after the shards stopped (nobody can apply anything
 * to a server they are not armed on), so nothing is behind them. */
#include "coordinator/status/arming.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "coordinator/loop/control.h"
#include "coordinator/source/epochs.h"
#include "coordinator/status/aof.h"

/* What must be known before anything is armed. */
struct arming_facts {
    const struct arming *arming;
    int64_t generation;   /* the highest in the control topic */
    int64_t unix_seconds; /* of Redis */
    int submit_partitions;
    struct fence *submit_marks; /* owned */
    size_t submit_mark_count;
    int64_t *status_marks; /* owned: of arming->shards, in that order */
};

int64_t generation_next(int64_t control, int64_t gate, int64_t unix_seconds)
{
    int64_t highest = control > gate ? control : gate;

    return (highest > unix_seconds ? highest : unix_seconds) + 1;
}

/* ---- fetching what must be known ---- */

static enum status arming_fetch_time(struct arming_facts *facts, struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(facts->arming->loop->redis, &reply, err, "TIME", NULL) != ST_OK)
        return err->status;
    facts->unix_seconds = redis_reply_int(redis_reply_at(reply, 0), 0);
    redis_reply_free(reply);
    return ST_OK;
}

/* A member that never subscribes: it only reads what the group committed. */
static enum status arming_open_intake_group(const struct arming *arming, struct err *err)
{
    const struct config *config = arming->loop->shared->config;
    struct kafka_settings settings = config_kafka(config, arming->loop->name);
    char group[TOPIC_SIZE];

    if (*arming->intake_group)
        return ST_OK;
    snprintf(group, sizeof group, "%s-intake", config->prefix);
    *arming->intake_group = kafka_consumer_new(&settings, group, NULL, err);
    return *arming->intake_group ? ST_OK : err->status;
}

/* Another coordinator may have taken in more partitions already (daemon/genesis.h). */
static enum status arming_fetch_partitions(const struct arming *arming, int *partitions, struct err *err)
{
    struct redis_reply *reply;
    int64_t known;

    *partitions = (int)arming->loop->shared->config->submit_partitions;
    if (redis_call(arming->loop->redis, &reply, err, "HGET", key_name(KEY_META), "submit_partitions", NULL) != ST_OK)
        return err->status;
    known = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    if (known > *partitions && known <= ID_PARTITIONS_MAX)
        *partitions = (int)known;
    return ST_OK;
}

/* What Kafka lost cannot be waited for: a mark is not above the log's end. */
static enum status arming_cap_marks(struct arming_facts *facts, const char *topic, int partitions, int64_t *offsets,
                                    struct err *err)
{
    int *all = xcalloc((size_t)partitions, sizeof *all);
    int64_t *ends = xcalloc((size_t)partitions, sizeof *ends);
    enum status st;

    for (int p = 0; p < partitions; p++)
        all[p] = p;
    st = kafka_consumer_log_ends(facts->arming->sources->consumer, topic, all, (size_t)partitions, SOURCES_QUERY_MS,
                                 ends, err);
    for (int p = 0; p < partitions && st == ST_OK; p++)
        offsets[p] = offsets[p] < ends[p] ? offsets[p] : ends[p];
    free(all);
    free(ends);
    return st;
}

/* Offsets are committed after they were applied: below them, all was recorded once. */
static enum status arming_fetch_submit_marks(struct arming_facts *facts, struct err *err)
{
    const struct config *config = facts->arming->loop->shared->config;
    int partitions = facts->submit_partitions;
    int64_t *offsets = xcalloc((size_t)partitions, sizeof *offsets);
    char topic[TOPIC_SIZE];
    enum status st = arming_open_intake_group(facts->arming, err);

    config_topic(config, "submit", topic, sizeof topic);
    if (st == ST_OK)
        st = kafka_consumer_committed(*facts->arming->intake_group, topic, partitions, SOURCES_QUERY_MS, offsets, err);
    if (st == ST_OK)
        st = arming_cap_marks(facts, topic, partitions, offsets, err);
    if (st == ST_OK) {
        facts->submit_marks = xcalloc((size_t)partitions, sizeof *facts->submit_marks);
        for (int p = 0; p < partitions; p++) {
            if (offsets[p] > 0)
                facts->submit_marks[facts->submit_mark_count++] = (struct fence){ .partition = p, .next = offsets[p] };
        }
    }
    free(offsets);
    return st;
}

static enum status arming_fetch_status_marks(struct arming_facts *facts, struct err *err)
{
    const struct arming *arming = facts->arming;

    facts->status_marks = xcalloc((size_t)arming->count, sizeof *facts->status_marks);
    return kafka_consumer_log_ends(arming->sources->consumer, arming->sources->topic, arming->shards,
                                   (size_t)arming->count, SOURCES_QUERY_MS, facts->status_marks, err);
}

static enum status arming_fetch_from_kafka(struct arming_facts *facts, struct err *err)
{
    struct loop *loop = facts->arming->loop;
    struct control_history history = { 0 };

    if (control_read(loop->shared->config, &history, err) == ST_OK)
        (void)(epochs_restore(loop->redis, &history, err) == ST_OK); /* a Redis that went backwards forgot some */
    facts->generation = history.generation;
    control_history_release(&history);
    if (err->status != ST_OK)
        return err->status;
    loop_beat(loop);
    if (arming_fetch_submit_marks(facts, err) != ST_OK)
        return err->status;
    loop_beat(loop);
    return arming_fetch_status_marks(facts, err);
}

/* ---- doing it ---- */

static enum status arming_write(struct arming_facts *facts, int64_t *generations, struct err *err)
{
    const struct arming *arming = facts->arming;
    struct loop *loop = arming->loop;
    enum status sent = ST_OK, delivered;

    crash_point(CRASH_CONTROL_BEFORE);
    for (int i = 0; i < arming->count && sent == ST_OK; i++) {
        int shard = arming->shards[i];
        struct control control = CONTROL_INIT;

        control.shard = shard;
        control.at_ms = clock_wall_ms();
        generations[i] = generation_next(facts->generation, arming->gates->at[shard].generation, facts->unix_seconds);
        control.generation = generations[i];
        snprintf(control.instance, sizeof control.instance, "%s", loop->shared->instance);
        sent = control_append(&loop->appender, &control, err);
    }
    loop_beat(loop);
    delivered = appender_wait(&loop->appender, err);
    crash_point(CRASH_CONTROL_AFTER);
    return sent != ST_OK ? sent : delivered;
}

static enum status arming_record_settings(const struct arming *arming, int shard, struct err *err)
{
    struct redis_reply *reply;
    char field[32];

    snprintf(field, sizeof field, "settings:%d", shard);
    if (redis_call(arming->loop->redis, &reply, err, "HSET", key_name(KEY_META), field, arming->settings->digest,
                   NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

static enum status shard_arm(struct arming_facts *facts, int index, int64_t generation, struct err *err)
{
    const struct arming *arming = facts->arming;
    struct redis *redis = arming->loop->redis;
    int shard = arming->shards[index];
    struct arm arm = {
        .shard = shard,
        .generation = generation,
        .queue = arming->settings->queue,
        .status_mark = facts->status_marks[index],
        .types = arming->settings->types,
        .type_count = arming->settings->type_count,
        .submit_marks = facts->submit_marks,
        .submit_mark_count = facts->submit_mark_count,
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
    arming->on_armed(arming->arg, shard);
    arming->gates->at[shard] = (struct gate){ generation, GATE_RECOVERING, true };
    sources_assign(arming->sources, shard); /* a server that went backwards took the fence with it */
    counter_add(&arming->loop->shared->counters.arms, 1);
    return arming_record_settings(arming, shard, err);
}

/* What Kafka must say and take before any shard may be armed. Its outage is not Redis': it is logged here. */
static enum status arming_prepare(struct arming_facts *facts, int64_t *generations, struct err *err)
{
    struct loop *loop = facts->arming->loop;
    enum status st = arming_fetch_from_kafka(facts, err);

    if (st == ST_OK)
        st = arming_write(facts, generations, err);
    if (st == ST_OK)
        outage_end(&loop->kafka_outage, "kafka");
    else
        outage_begin(&loop->kafka_outage, "kafka", err->text);
    return st == ST_OK ? ST_OK : err_set(err, ST_RECOVERING, "Kafka is away: shards cannot be armed");
}

enum status shards_arm(const struct arming *arming, struct err *err)
{
    struct arming_facts facts = { .arming = arming };
    int64_t *generations = xcalloc((size_t)arming->count, sizeof *generations);
    enum status st = arming_fetch_time(&facts, err);

    if (st == ST_OK)
        st = arming_fetch_partitions(arming, &facts.submit_partitions, err);
    if (st == ST_OK)
        st = arming_prepare(&facts, generations, err);
    for (int i = 0; i < arming->count && st == ST_OK; i++)
        st = shard_arm(&facts, i, generations[i], err);
    if (st == ST_OK)
        aof_renew(arming->loop->redis);
    free(generations);
    free(facts.submit_marks);
    free(facts.status_marks);
    return st;
}
