/* recovery_step is called at each turn, and takes each owned shard one step on:
 *
 *   1. is this server ours? (recovery_identify: its genesis) and are its functions (library.h)?
 *   2. the gates are read again (recovery_refresh_gates) and the shards sorted by them (recovery_classify): those to be
 *      armed (not for this server, or with other settings), and those that are RECOVERING. Those whose server is away are
 *      left alone
 *   3. the first are armed (arming.c), after identifying the server once more: an empty one must never be filled
 *   4. the others: are its submit fences at their marks (recovery_check_submit_marks; only then the loop reads the
 *      shard's status log)? An idle status fence is moved up (apply_idle), and bgop_open opens the shard when it finds
 *      all marks reached */
#include "coordinator/status/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "coordinator/status/arming.h"
#include "coordinator/loop/library.h"
#include "coordinator/source/waiting.h"

void recovery_init(struct recovery *recovery, struct reader *reader, struct applier *applier, struct timers *timers)
{
    size_t shards = (size_t)reader->gates.shards;

    *recovery = (struct recovery){
        .loop = reader->loop,
        .gates = &reader->gates,
        .sources = &reader->sources,
        .applier = applier,
        .timers = timers,
        .clocks = timers->clocks,
        .compared = xcalloc(shards, sizeof *recovery->compared),
        .submits_replayed = xcalloc(shards, sizeof *recovery->submits_replayed),
        .list = xcalloc(shards, sizeof *recovery->list),
        .arming = xcalloc(shards, sizeof *recovery->arming),
        .recovering = xcalloc(shards, sizeof *recovery->recovering),
    };
    armed_settings_init(&recovery->settings, reader->loop->shared->config);
}

void recovery_release(struct recovery *recovery)
{
    kafka_consumer_free(recovery->intake_group);
    armed_settings_release(&recovery->settings);
    free(recovery->compared);
    free(recovery->submits_replayed);
    free(recovery->list);
    free(recovery->arming);
    free(recovery->recovering);
    *recovery = (struct recovery){ 0 };
}

static void recovery_forget(struct recovery *recovery, int shard)
{
    recovery->compared[shard] = recovery->submits_replayed[shard] = false;
    timers_reset(recovery->timers, shard);
}

void recovery_reset(struct recovery *recovery, int shard)
{
    recovery_forget(recovery, shard);
    recovery->gates->at[shard] = (struct gate){ 0 };
    recovery->gates->away[shard] = false;
}

bool recovery_readable(const struct recovery *recovery, int shard)
{
    const struct gate *gate = &recovery->gates->at[shard];

    return gate_usable(gate) && (gate->mode == GATE_OPEN || recovery->submits_replayed[shard]);
}

/* ---- is this server ours? ---- */

/* Asked on every new connection and before anything is armed: an empty Redis must not be filled behind a person's back. */
static enum status recovery_identify(struct recovery *recovery, bool again, struct err *err)
{
    struct loop *loop = recovery->loop;
    struct redis_reply *reply;
    bool ours;

    if (redis_connect(loop->redis, err) != ST_OK)
        return ST_AGAIN;
    if (!again && recovery->connection == redis_connection_number(loop->redis))
        return ST_OK;
    if (redis_call(loop->redis, &reply, err, "HGET", key_name(KEY_META), "genesis", NULL) != ST_OK)
        return err->status;
    ours = strcmp(redis_reply_text(reply, NULL), loop->shared->genesis) == 0;
    redis_reply_free(reply);
    if (!ours) {
        loop_fatal(loop, EXIT_CONFIG,
                   "Redis is empty or another queue's (bgop:meta genesis): it lost its data. Restore "
                   "it, or start bgop-coordinator with --rebuild to fill it again from Kafka");
        return ST_FAILED;
    }
    recovery->connection = redis_connection_number(loop->redis);
    return ST_OK;
}

/* ---- what to do with each shard ---- */

static void recovery_list_owned(struct recovery *recovery)
{
    recovery->list_count = 0;
    for (int s = 0; s < recovery->gates->shards; s++) {
        if (recovery->sources->cursors.sources[s].state != SOURCE_ABSENT)
            recovery->list[recovery->list_count++] = s;
    }
}

/* The digest that the shard was armed with; "": it never was. It lies in bgop:meta, written after arming. */
static enum status recovery_armed_with(struct recovery *recovery, int shard, char *digest, size_t room, struct err *err)
{
    struct redis_reply *reply;
    char field[32];

    snprintf(field, sizeof field, "settings:%d", shard);
    if (redis_call(recovery->loop->redis, &reply, err, "HGET", key_name(KEY_META), field, NULL) != ST_OK)
        return err->status;
    snprintf(digest, room, "%s", redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    return ST_OK;
}

/* Of a cluster one server may have lost its data and another have bgop:meta: a shard without a gate that was armed before. */
static enum status recovery_refuse_emptied(struct recovery *recovery, int shard, struct err *err)
{
    char digest[sizeof recovery->settings.digest], text[256];

    if (recovery->loop->shared->rebuild)
        return ST_OK;
    if (recovery_armed_with(recovery, shard, digest, sizeof digest, err) != ST_OK)
        return err->status;
    if (!*digest)
        return ST_OK;
    snprintf(text, sizeof text,
             "Redis has nothing of shard %d, which was in use: its server lost its data. Restore it, or start "
             "bgop-coordinator once with --rebuild to fill it again from Kafka",
             shard);
    loop_fatal(recovery->loop, EXIT_CONFIG, text);
    return err_set(err, ST_FAILED, "%s", text);
}

static enum status recovery_compare(struct recovery *recovery, int shard, bool *same, struct err *err)
{
    char digest[sizeof recovery->settings.digest];

    if (recovery_armed_with(recovery, shard, digest, sizeof digest, err) != ST_OK)
        return err->status;
    *same = strcmp(digest, recovery->settings.digest) == 0;
    recovery->compared[shard] = true;
    if (!*same) {
        log_event(LOG_LEVEL_WARNING, "settings differ", "shard=%d armed-with=other now=%s", shard,
                  recovery->settings.digest);
    }
    return ST_OK;
}

static enum status recovery_classify(struct recovery *recovery, struct err *err)
{
    recovery->arming_count = recovery->recovering_count = 0;
    for (int i = 0; i < recovery->list_count; i++) {
        int shard = recovery->list[i];
        const struct gate *gate = &recovery->gates->at[shard];
        bool same = true;

        if (recovery->gates->away[shard]) {
            recovery_forget(recovery, shard); /* who comes back may be another */
            continue;
        }
        if (gate->generation == 0 && recovery_refuse_emptied(recovery, shard, err) != ST_OK)
            return err->status;
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

static enum status recovery_check_submit_marks(struct recovery *recovery, int shard, struct err *err)
{
    struct redis *redis = recovery->loop->redis;
    struct shard_fences fences = { 0 };
    struct redis_reply *reply;
    char key[32];

    if (recovery->submits_replayed[shard])
        return ST_OK;
    key_format(key, sizeof key, KEY_GATE, shard, NULL);
    if (redis_call(redis, &reply, err, "HGET", key, "submit_marks", NULL) != ST_OK)
        return err->status;
    if (fences_send(redis, shard, err) == ST_OK && fences_receive(redis, &fences, err) == ST_OK)
        recovery->submits_replayed[shard] = marks_reached(redis_reply_text(reply, NULL), &fences);
    shard_fences_release(&fences);
    redis_reply_free(reply);
    return err->status;
}

static enum status recovery_open_one(struct recovery *recovery, int shard, struct err *err)
{
    struct gate *gate = &recovery->gates->at[shard];
    struct err why = ERR_INIT;
    bool opened;

    if (recovery_check_submit_marks(recovery, shard, err) != ST_OK ||
        apply_idle(recovery->applier, shard, err) != ST_OK)
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

static enum status recovery_open(struct recovery *recovery, struct err *err)
{
    for (int i = 0; i < recovery->recovering_count; i++) {
        int shard = recovery->recovering[i];

        if (recovery_open_one(recovery, shard, err) == ST_OK)
            continue;
        if (!shard_waits(recovery->sources, recovery->gates, shard, err))
            return err->status;
        *err = (struct err)ERR_INIT;
    }
    return ST_OK;
}

/* ---- a step ---- */

static enum status recovery_refresh_gates(struct recovery *recovery, struct err *err)
{
    int changed;

    if (gate_copies_refresh(recovery->gates, recovery->list, recovery->list_count, &changed, err) != ST_OK)
        return err->status;
    sources_wait(recovery->sources, recovery->gates);
    if (changed > 0) {
        sources_reload(recovery->sources, "generation");
        memset(recovery->submits_replayed, 0, (size_t)recovery->gates->shards * sizeof *recovery->submits_replayed);
    }
    return recovery_classify(recovery, err);
}

static bool recovery_settled(const struct recovery *recovery)
{
    return recovery->arming_count == 0 && recovery->recovering_count == 0 && !gate_copies_any_away(recovery->gates);
}

static void on_armed(void *arg, int shard)
{
    struct recovery *recovery = arg;

    recovery_reset(recovery, shard);
    recovery->compared[shard] = true;
}

static enum status recovery_arm(struct recovery *recovery, struct err *err)
{
    const struct arming arming = {
        .loop = recovery->loop,
        .gates = recovery->gates,
        .sources = recovery->sources,
        .settings = &recovery->settings,
        .intake_group = &recovery->intake_group,
        .shards = recovery->arming,
        .count = recovery->arming_count,
        .on_armed = on_armed,
        .arg = recovery,
    };

    return shards_arm(&arming, err);
}

enum status recovery_step(struct recovery *recovery, bool now, struct err *err)
{
    int every_ms = recovery_settled(recovery) ? GATES_REFRESH_MS : GATES_REFRESH_CLOSED_MS;

    recovery_list_owned(recovery);
    if (recovery->list_count == 0 || (!now && clock_boot_ms() - recovery->gates->refreshed_at_ms < every_ms))
        return ST_OK;
    if (recovery_identify(recovery, false, err) != ST_OK || library_ensure(recovery->loop, err) != ST_OK ||
        recovery_refresh_gates(recovery, err) != ST_OK)
        return err->status;
    if (recovery->arming_count > 0 &&
        (recovery_identify(recovery, true, err) != ST_OK || recovery_arm(recovery, err) != ST_OK ||
         recovery_classify(recovery, err) != ST_OK))
        return err->status;
    if ((now || recovery->clocks->doubted > 0) &&
        clock_watch_settle(recovery->clocks, recovery->list, recovery->list_count, err) != ST_OK)
        return err->status;
    return recovery_open(recovery, err);
}
