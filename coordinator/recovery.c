/* The step of every shard from what its gate says; arming is in arming.c. */
#include "coordinator/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/arming.h"
#include "coordinator/crash.h"

void recovery_init(struct recovery *recovery, struct loop *loop, struct gates *gates, struct sources *sources,
                   struct applier *applier, struct timers *timers)
{
    size_t shards = (size_t)gates->shards;

    *recovery = (struct recovery){
        .loop = loop,
        .gates = gates,
        .sources = sources,
        .applier = applier,
        .timers = timers,
        .compared = xcalloc(shards, sizeof *recovery->compared),
        .fed = xcalloc(shards, sizeof *recovery->fed),
        .list = xcalloc(shards, sizeof *recovery->list),
        .arming = xcalloc(shards, sizeof *recovery->arming),
        .recovering = xcalloc(shards, sizeof *recovery->recovering),
    };
    settings_init(&recovery->settings, loop->shared->config);
}

void recovery_release(struct recovery *recovery)
{
    kafka_consumer_free(recovery->intake_group);
    settings_release(&recovery->settings);
    free(recovery->compared);
    free(recovery->fed);
    free(recovery->list);
    free(recovery->arming);
    free(recovery->recovering);
    *recovery = (struct recovery){ 0 };
}

void recovery_reset(struct recovery *recovery, int shard)
{
    recovery->compared[shard] = recovery->fed[shard] = false;
    recovery->gates->at[shard] = (struct gate){ 0 };
    timers_reset(recovery->timers, shard);
}

bool recovery_readable(const struct recovery *recovery, int shard)
{
    const struct gate *gate = &recovery->gates->at[shard];

    return gate_usable(gate) && (gate->mode == GATE_OPEN || recovery->fed[shard]);
}

/* ---- is this server ours? ---- */

/* Asked on every new connection and before anything is armed: an empty Redis must not be filled behind a person's back,
 * and a server that came up without our library needs it. */
static enum status recovery_identify(struct recovery *recovery, bool again, struct err *err)
{
    struct loop *loop = recovery->loop;
    struct redis_reply *reply;
    bool ours, loaded;

    if (redis_connect(loop->redis, err) != ST_OK)
        return ST_AGAIN;
    if (!again && recovery->connection == redis_connection_number(loop->redis))
        return ST_OK;
    if (redis_call(loop->redis, &reply, err, "HGET", "bgop:meta", "genesis", NULL) != ST_OK)
        return err->status;
    ours = strcmp(redis_reply_text(reply, NULL), loop->shared->genesis) == 0;
    redis_reply_free(reply);
    if (!ours) {
        loop_fatal(loop, EXIT_CONFIG,
                   "Redis is empty or another queue's (bgop:meta genesis): it lost its data. Restore "
                   "it, or start bgop-coordinator with --rebuild to fill it again from Kafka");
        return ST_FAILED;
    }
    if (functions_load(loop->redis, &loaded, err) != ST_OK)
        return err->status;
    recovery->connection = redis_connection_number(loop->redis);
    return ST_OK;
}

/* ---- what to do with each shard ---- */

static void recovery_own(struct recovery *recovery)
{
    recovery->list_count = 0;
    for (int s = 0; s < recovery->gates->shards; s++) {
        if (recovery->sources->cursors.sources[s].state != SOURCE_ABSENT)
            recovery->list[recovery->list_count++] = s;
    }
}

/* The digest lies in bgop:meta under settings:<shard>, written after arming. */
static enum status recovery_compare(struct recovery *recovery, int shard, bool *same, struct err *err)
{
    struct redis_reply *reply;
    char field[32];

    snprintf(field, sizeof field, "settings:%d", shard);
    if (redis_call(recovery->loop->redis, &reply, err, "HGET", "bgop:meta", field, NULL) != ST_OK)
        return err->status;
    *same = strcmp(redis_reply_text(reply, NULL), recovery->settings.digest) == 0;
    redis_reply_free(reply);
    recovery->compared[shard] = true;
    if (!*same)
        log_event(LOG_LEVEL_WARNING, "settings differ", "shard=%d armed-with=other now=%s", shard,
                  recovery->settings.digest);
    return ST_OK;
}

static enum status recovery_sort(struct recovery *recovery, struct err *err)
{
    recovery->arming_count = recovery->recovering_count = 0;
    for (int i = 0; i < recovery->list_count; i++) {
        int shard = recovery->list[i];
        const struct gate *gate = &recovery->gates->at[shard];
        bool same = true;

        if (gate_usable(gate) && !recovery->compared[shard] && recovery_compare(recovery, shard, &same, err) != ST_OK)
            return err->status;
        if (!gate_usable(gate) || !same)
            recovery->arming[recovery->arming_count++] = shard;
        else if (gate->mode == GATE_RECOVERING)
            recovery->recovering[recovery->recovering_count++] = shard;
    }
    return ST_OK;
}

/* ---- opening ---- */

/* marks: "partition:next partition:next ..." */
static bool marks_reached(const char *marks, const struct shard_fences *fences)
{
    int partition, size;
    long long mark;

    for (; sscanf(marks, "%d:%lld%n", &partition, &mark, &size) == 2; marks += size) {
        int64_t next = 0;

        for (size_t i = 0; i < fences->submit_count; i++)
            next = fences->submit[i].partition == partition ? fences->submit[i].next : next;
        if (next < mark)
            return false;
    }
    return true;
}

static enum status recovery_feed(struct recovery *recovery, int shard, struct err *err)
{
    struct redis *redis = recovery->loop->redis;
    struct shard_fences fences = { 0 };
    struct redis_reply *reply;
    char key[32];

    if (recovery->fed[shard])
        return ST_OK;
    snprintf(key, sizeof key, "bgop:{%d}:gate", shard);
    if (redis_call(redis, &reply, err, "HGET", key, "submit_marks", NULL) != ST_OK)
        return err->status;
    if (fences_send(redis, shard, err) == ST_OK && fences_receive(redis, &fences, err) == ST_OK)
        recovery->fed[shard] = marks_reached(redis_reply_text(reply, NULL), &fences);
    shard_fences_release(&fences);
    redis_reply_free(reply);
    return err->status;
}

static enum status recovery_open_one(struct recovery *recovery, int shard, struct err *err)
{
    struct gate *gate = &recovery->gates->at[shard];
    struct err why = ERR_INIT;
    bool opened;

    if (recovery_feed(recovery, shard, err) != ST_OK || apply_idle(recovery->applier, shard, err) != ST_OK)
        return err->status;
    crash_point(CRASH_OPEN_BEFORE);
    if (open_send(recovery->loop->redis, shard, gate->generation, err) != ST_OK)
        return err->status;
    if (open_receive(recovery->loop->redis, &opened, &why) != ST_OK)
        return err_set(err, why.status, "%s", why.text);
    if (!opened)
        return ST_OK;
    gate->mode = GATE_OPEN;
    timers_reset(recovery->timers, shard);
    counter_add(&recovery->loop->shared->counters.opens, 1);
    log_event(LOG_LEVEL_INFO, "shard open", "shard=%d generation=%" PRId64, shard, gate->generation);
    crash_point(CRASH_OPEN_AFTER);
    return ST_OK;
}

/* ---- a step ---- */

static enum status recovery_look(struct recovery *recovery, struct err *err)
{
    int changed;

    if (gates_look(recovery->gates, recovery->list, recovery->list_count, &changed, err) != ST_OK)
        return err->status;
    if (changed > 0) {
        sources_reload(recovery->sources, "generation");
        memset(recovery->fed, 0, (size_t)recovery->gates->shards * sizeof *recovery->fed);
    }
    return recovery_sort(recovery, err);
}

static bool recovery_settled(const struct recovery *recovery)
{
    return recovery->arming_count == 0 && recovery->recovering_count == 0;
}

enum status recovery_step(struct recovery *recovery, bool now, struct err *err)
{
    int every_ms = recovery_settled(recovery) ? GATES_LOOK_MS : GATES_LOOK_CLOSED_MS;

    recovery_own(recovery);
    if (recovery->list_count == 0 || (!now && clock_boot_ms() - recovery->gates->looked_at_ms < every_ms))
        return ST_OK;
    if (recovery_identify(recovery, false, err) != ST_OK || recovery_look(recovery, err) != ST_OK)
        return err->status;
    if (recovery->arming_count > 0 && (recovery_identify(recovery, true, err) != ST_OK ||
                                       shards_arm(recovery, err) != ST_OK || recovery_sort(recovery, err) != ST_OK))
        return err->status;
    for (int i = 0; i < recovery->recovering_count; i++) {
        if (recovery_open_one(recovery, recovery->recovering[i], err) != ST_OK)
            return err->status;
    }
    return ST_OK;
}
