/* A call whose answer was lost may have been applied: the caller loads the fences again, and they say so. */
#include "coordinator/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/crash.h"

void applier_init(struct applier *applier, struct loop *loop, struct gates *gates, struct sources *sources,
                  void (*on_hasty)(void *arg, int shard), void *arg)
{
    size_t shards = (size_t)sources->cursors.partitions;

    *applier = (struct applier){ .loop = loop, .gates = gates, .sources = sources, .on_hasty = on_hasty, .arg = arg };
    applier->calls = xcalloc(shards, sizeof *applier->calls);
    applier->round = xcalloc(shards, sizeof *applier->round);
}

void applier_release(struct applier *applier)
{
    for (int s = 0; applier->calls && s < applier->sources->cursors.partitions; s++)
        apply_call_release(&applier->calls[s]);
    free(applier->calls);
    free(applier->round);
    *applier = (struct applier){ 0 };
}

/* ---- one answer ---- */

static void apply_moved(struct applier *applier, struct outcomes *outcomes, const struct apply_call *call)
{
    int shard = call->call.shard;

    if (call->call.move.next > call->call.move.from)
        cursors_move(&applier->sources->cursors, &call->call.move, 0, clock_boot_ms());
    if (outcomes)
        outcomes_taken(outcomes, call);
    counter_add(&applier->loop->shared->counters.outcomes, (int64_t)call->call.entry_count);
    if (call->hasty)
        applier->on_hasty(applier->arg, shard);
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
    applier->sources->unsettled = true;
}

/* Redis called the arguments invalid, which the codec should have done: find the entry, leave it out, say so. */
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
        outcomes_taken(outcomes, call);
    }
    call->single = true;
    return ST_OK;
}

static enum status apply_answered(struct applier *applier, struct outcomes *outcomes, struct apply_call *call,
                                  struct err *err)
{
    struct apply_answer answer = { 0 };
    struct err mine = ERR_INIT;
    enum status st = apply_receive(applier->loop->redis, &answer, &mine);

    switch (st) {
    case ST_OK:
        crash_point(CRASH_APPLY_AFTER);
        apply_moved(applier, outcomes, call);
        appender_hint(&applier->loop->appender, call->call.shard, &answer.hints);
        break;
    case ST_STALE:
        apply_refused(applier, call, &answer.fence);
        st = ST_OK;
        break;
    case ST_INVALID: st = apply_invalid(applier, outcomes, call, &mine); break;
    case ST_FENCED: break;
    default: st = ST_AGAIN;
    }
    apply_answer_release(&answer);
    if (st != ST_OK)
        *err = mine;
    return st;
}

/* ---- rounds ---- */

/* What was sent is received, whatever becomes of the rest; the worst answer is the round's. */
static enum status apply_round(struct applier *applier, struct outcomes *outcomes, int count, struct err *err)
{
    enum status worst = ST_OK;
    int sent = 0;

    while (worst == ST_OK && sent < count) {
        struct apply *call = &applier->calls[applier->round[sent]].call;

        call->generation = applier->gates->at[call->shard].generation;
        worst = apply_send(applier->loop->redis, call, err);
        sent += worst == ST_OK;
    }
    crash_point(CRASH_APPLY_SENT);
    for (int i = 0; i < sent; i++) {
        enum status st = apply_answered(applier, outcomes, &applier->calls[applier->round[i]], err);

        worst = st != ST_OK ? st : worst;
    }
    return worst;
}

/* A new connection may lead to another server: its gates must be looked at before anything is said to it. */
static enum status apply_try(struct applier *applier, struct outcomes *outcomes, int count, struct err *err)
{
    struct redis *redis = applier->loop->redis;

    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    if (applier->gates->connection != redis_connection_number(redis))
        return err_set(err, ST_FENCED, "a new connection");
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&applier->gates->at[applier->round[i]]))
            return err_set(err, ST_FENCED, "shard %d is not armed", applier->round[i]);
    }
    return apply_round(applier, outcomes, count, err);
}

enum status apply_batch(struct applier *applier, struct outcomes *outcomes, struct err *err)
{
    int shards = applier->sources->cursors.partitions;

    for (int s = 0; s < shards; s++)
        applier->calls[s].single = false;
    for (;;) {
        int count = 0;
        enum status st;

        for (int s = 0; s < shards; s++) {
            if (outcomes->queues[s].head >= 0 &&
                outcomes_take(outcomes, s, &applier->sources->cursors, &applier->calls[s]))
                applier->round[count++] = s;
        }
        if (count == 0)
            return ST_OK;
        crash_point(CRASH_APPLY_BEFORE);
        st = apply_try(applier, outcomes, count, err);
        if (st != ST_OK)
            return st;
    }
}

enum status apply_idle(struct applier *applier, int shard, struct err *err)
{
    struct apply_call *call = &applier->calls[shard];
    struct fence_move move;

    if (!cursors_idle_move(&applier->sources->cursors, shard, 0, &move))
        return ST_OK;
    call->call = (struct apply){ .shard = shard, .move = move, .entries = call->entries };
    call->hasty = false;
    applier->round[0] = shard;
    return apply_try(applier, NULL, 1, err);
}
