/* A batch goes through in rounds, as in intake (ingest.c). Nothing is repeated here: after any failure the caller drops
 * the batch and loads the fences again, and they say whether a call whose answer was lost had been applied. An entry
 * that Redis calls invalid, which the codec should have done, is found by sending the shard's entries one by one; it is
 * counted, logged and passed over, for a log that stands still would be worse. */
#include "coordinator/status/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/base/stage.h"
#include "coordinator/source/round.h"
#include "coordinator/source/waiting.h"

void applier_init(struct applier *applier, struct reader *reader, void (*on_timer_set)(void *arg, int shard), void *arg)
{
    size_t shards = (size_t)reader->sources.cursors.partitions;

    *applier = (struct applier){ .loop = reader->loop,
                                 .gates = &reader->gates,
                                 .sources = &reader->sources,
                                 .on_timer_set = on_timer_set,
                                 .arg = arg };
    applier->calls = xcalloc(shards, sizeof *applier->calls);
    applier->shards = xcalloc(shards, sizeof *applier->shards);
}

void applier_release(struct applier *applier)
{
    for (int s = 0; applier->calls && s < applier->sources->cursors.partitions; s++)
        apply_call_release(&applier->calls[s]);
    free(applier->calls);
    free(applier->shards);
    *applier = (struct applier){ 0 };
}

/* ---- one answer ---- */

static void apply_moved(struct applier *applier, struct outcomes *outcomes, const struct apply_call *call)
{
    int shard = call->call.shard;

    for (size_t i = 0; i < call->call.entry_count; i++)
        stage_point(STAGE_APPLIED, call->entries[i].entry->id);
    if (call->call.move.next > call->call.move.from)
        cursors_move(&applier->sources->cursors, &call->call.move, 0, clock_boot_ms());
    if (outcomes)
        outcomes_finish_call(outcomes, call);
    counter_add(&applier->loop->shared->counters.outcomes, (int64_t)call->call.entry_count);
    if (call->sets_timer)
        applier->on_timer_set(applier->arg, shard);
}

static void apply_refused(struct applier *applier, const struct apply_call *call, const struct fence *stands)
{
    struct fence fence = *stands;
    int shard = call->call.shard;

    fence.partition = shard;
    counter_add(&applier->loop->shared->counters.refusals, 1);
    log_event(LOG_LEVEL_INFO, "fence refused", "loop=%s shard=%d from=%" PRId64 " stands=%" PRId64, applier->loop->name,
              shard, call->call.move.from, fence.next);
    cursors_refused(&applier->sources->cursors, 0, &fence, clock_boot_ms());
}

/* Redis called the arguments invalid, which the codec should have done: find the entry, leave it out, say so. Never at
 * the first refusal: it may be of a library that was replaced by ours before we looked. */
static enum status apply_invalid(struct applier *applier, struct outcomes *outcomes, struct apply_call *call,
                                 const struct err *err)
{
    const struct status_entry *entry = call->call.entry_count == 1 ? call->entries[0].entry : NULL;

    log_error_text(LOG_LEVEL_ERROR, "apply refused", err->text, "shard=%d entries=%zu op=%s", call->call.shard,
                   call->call.entry_count, entry ? entry->id : "");
    if (!outcomes || call->call.entry_count == 0)
        return ST_AGAIN;
    if (call->single) {
        counter_add(&applier->loop->shared->counters.bad_entries, 1);
        outcomes_finish_call(outcomes, call);
    }
    call->single = true;
    return ST_OK;
}

static void apply_answered(struct applier *applier, struct outcomes *outcomes, struct apply_call *call,
                           struct round *round)
{
    struct apply_answer answer = { 0 };
    enum status st = apply_receive(applier->loop->redis, &answer, &round->why);

    switch (st) {
    case ST_OK:
        crash_point(CRASH_APPLY_AFTER);
        apply_moved(applier, outcomes, call);
        appender_hint(&applier->loop->appender, call->call.shard, &answer.hints);
        break;
    case ST_STALE: apply_refused(applier, call, &answer.fence); break;
    case ST_INVALID:
        call->refused = true;
        round_refused(round);
        break;
    default:
        if (!shard_waits(applier->sources, applier->gates, call->call.shard, &round->why))
            round_note(round, st);
    }
    apply_answer_release(&answer);
}

/* ---- rounds ---- */

static enum status apply_round(struct applier *applier, struct outcomes *outcomes, int count, struct err *err)
{
    struct round round = { 0 };
    struct apply_call *call;
    bool judged;

    do {
        call = &applier->calls[applier->shards[round.sent]];
        call->refused = false;
        call->call.generation = applier->gates->at[call->call.shard].generation;
    } while (round_sent(&round, apply_send(applier->loop->redis, &call->call, &round.why)) && round.sent < count);
    crash_point(CRASH_APPLY_SENT);
    for (int i = 0; i < round.sent; i++)
        apply_answered(applier, outcomes, &applier->calls[applier->shards[i]], &round);
    judged = round_confirm_refusals(&round, applier->loop);
    for (int i = 0; judged && i < round.sent; i++) {
        call = &applier->calls[applier->shards[i]];
        if (call->refused)
            round_note(&round, apply_invalid(applier, outcomes, call, &round.why));
    }
    return round_end(&round, err);
}

/* A new connection may lead to another server: its gates must be read before anything is sent to it. */
static enum status apply_try(struct applier *applier, struct outcomes *outcomes, int count, struct err *err)
{
    struct redis *redis = applier->loop->redis;

    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    if (applier->gates->connection != redis_connection_number(redis))
        return err_set(err, ST_FENCED, "a new connection");
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&applier->gates->at[applier->shards[i]]))
            return err_set(err, ST_FENCED, "shard %d is not armed", applier->shards[i]);
    }
    return apply_round(applier, outcomes, count, err);
}

/* The shards that have something left, with their calls worked out. */
static int apply_prepare(struct applier *applier, struct outcomes *outcomes)
{
    int count = 0;

    for (int i = 0; i < outcomes->queues.touched_count; i++) {
        int shard = outcomes->queues.touched[i];

        if (outcomes_build_call(outcomes, shard, &applier->sources->cursors, &applier->calls[shard]))
            applier->shards[count++] = shard;
    }
    return count;
}

enum status apply_batch(struct applier *applier, struct outcomes *outcomes, struct err *err)
{
    enum status st = ST_OK;
    int count;

    for (int i = 0; i < outcomes->queues.touched_count; i++)
        applier->calls[outcomes->queues.touched[i]].single = false;
    while (st == ST_OK && (count = apply_prepare(applier, outcomes)) > 0) {
        crash_point(CRASH_APPLY_BEFORE);
        st = apply_try(applier, outcomes, count, err);
    }
    return st;
}

enum status apply_idle(struct applier *applier, int shard, struct err *err)
{
    struct apply_call *call = &applier->calls[shard];
    struct fence_move move;

    if (!cursors_idle_move(&applier->sources->cursors, shard, 0, &move))
        return ST_OK;
    call->call = (struct apply){ .shard = shard, .move = move, .entries = call->entries };
    call->sets_timer = false;
    applier->shards[0] = shard;
    return apply_try(applier, NULL, 1, err);
}
