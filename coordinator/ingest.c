/* A call whose answer was lost is simply worked out and sent again: if it had been applied, the fence refuses it and
 * stands exactly at its end. Its hints are then unknown; all its Ids are hinted, which costs nothing. */
#include "coordinator/ingest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/crash.h"

void ingester_init(struct ingester *ingester, struct loop *loop, struct gates *gates, struct sources *sources,
                   struct rejects *rejects)
{
    size_t shards = (size_t)sources->cursors.shards;

    *ingester = (struct ingester){ .loop = loop, .gates = gates, .sources = sources, .rejects = rejects };
    ingester->calls = xcalloc(shards, sizeof *ingester->calls);
    ingester->uncertain = xcalloc(shards, sizeof *ingester->uncertain);
    ingester->one_by_one = xcalloc(shards, sizeof *ingester->one_by_one);
    ingester->round = xcalloc(shards, sizeof *ingester->round);
}

void ingester_release(struct ingester *ingester)
{
    for (int s = 0; ingester->calls && s < ingester->sources->cursors.shards; s++)
        ingest_call_release(&ingester->calls[s]);
    free(ingester->calls);
    free(ingester->uncertain);
    free(ingester->one_by_one);
    free(ingester->round);
    *ingester = (struct ingester){ 0 };
}

/* ---- one answer ---- */

/* Scheduled operations that fall due soon: the loop that runs this shard's timers should not sleep past them. */
static void ingest_wake(struct ingester *ingester, const struct ingest *call, int64_t now_ms)
{
    int64_t soonest_ms = INT64_MAX;

    for (size_t i = 0; i < call->op_count; i++) {
        int64_t after_ms = call->ops[i].submission->process_after_ms;

        if (after_ms > now_ms && after_ms < soonest_ms)
            soonest_ms = after_ms;
    }
    if (soonest_ms < INT64_MAX && soonest_ms - now_ms < 60000)
        wakes_say(&ingester->loop->shared->wakes, call->shard, clock_boot_us() + (soonest_ms - now_ms) * 1000);
}

static void ingest_note_rejects(struct ingester *ingester, const struct batch *batch,
                                const struct ingest_answer *answer)
{
    for (size_t i = 0; i < answer->reject_count; i++) {
        for (int k = 0; batch && k < batch->count; k++) {
            if (strcmp(batch->items[k].id, answer->rejects[i].id) == 0)
                rejects_add(ingester->rejects, &batch->items[k].message, answer->rejects[i].reason);
        }
    }
}

static void ingest_moved(struct ingester *ingester, struct batch *batch, struct ingest_call *call)
{
    struct counters *counters = &ingester->loop->shared->counters;
    int64_t now_ms = clock_boot_ms();
    int shard = call->call.shard;

    for (size_t i = 0; i < call->call.move_count; i++)
        cursors_move(&ingester->sources->cursors, &call->moves[i], shard, now_ms);
    if (batch)
        batch_taken(batch, call);
    counter_add(&counters->ingested, (int64_t)call->call.op_count);
    ingester->uncertain[shard] = false;
}

static void ingest_applied(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                           const struct ingest_answer *answer)
{
    crash_point(CRASH_INGEST_AFTER);
    ingest_moved(ingester, batch, call);
    ingest_wake(ingester, &call->call, answer->now_ms);
    ingest_note_rejects(ingester, batch, answer);
    appender_hint(&ingester->loop->appender, call->call.shard, &answer->hints);
}

static bool fences_say_applied(const struct ingest_call *call, const struct ingest_answer *answer)
{
    for (size_t i = 0; i < answer->fence_count; i++) {
        for (size_t k = 0; k < call->call.move_count; k++) {
            if (call->moves[k].partition == answer->fences[i].partition &&
                call->moves[k].next != answer->fences[i].next)
                return false;
        }
    }
    return answer->fence_count == call->call.move_count;
}

static void ingest_hint_all(struct ingester *ingester, const struct ingest_call *call)
{
    for (size_t i = 0; i < call->call.op_count; i++) {
        struct ingest_op *op = &call->ops[i];
        struct hint_ids ids = { (char *)(uintptr_t)op->submission->type, op->id, ID_LENGTH };

        appender_hint(&ingester->loop->appender, call->call.shard, &(struct hints){ &ids, 1 });
    }
}

static void ingest_refused(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                           const struct ingest_answer *answer)
{
    int shard = call->call.shard;

    if (ingester->uncertain[shard] && fences_say_applied(call, answer)) {
        ingest_moved(ingester, batch, call);
        ingest_hint_all(ingester, call);
        return;
    }
    ingester->uncertain[shard] = false;
    counter_add(&ingester->loop->shared->counters.refusals, 1);
    for (size_t i = 0; i < answer->fence_count; i++) {
        const struct fence *fence = &answer->fences[i];

        log_event(LOG_LEVEL_INFO, "fence refused", "loop=%s shard=%d partition=%d stands=%" PRId64,
                  ingester->loop->name, shard, fence->partition, fence->next);
        cursors_refused(&ingester->sources->cursors, shard, fence, clock_boot_ms());
    }
    ingester->sources->unsettled = true;
}

/* Redis called the arguments invalid, which our own checks should have done: one item at a time, until it is found. */
static enum status ingest_invalid(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                                  const struct err *err)
{
    int shard = call->call.shard;

    log_error_text(LOG_LEVEL_ERROR, "ingest refused", err->text, "shard=%d ops=%zu moves=%zu", shard,
                   call->call.op_count, call->call.move_count);
    if (!batch || call->call.op_count == 0)
        return ST_AGAIN;
    if (call->call.op_count == 1 && call->call.rejected == 0) {
        struct batch_item *item = batch_refuse(batch, call);
        rejects_add(ingester->rejects, &item->message, err->text);
    }
    ingester->one_by_one[shard] = true;
    return ST_OK;
}

static enum status ingest_answered(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                                   struct err *err)
{
    struct ingest_answer answer = { 0 };
    struct err mine = ERR_INIT;
    enum status st = ingest_receive(ingester->loop->redis, &answer, &mine);

    switch (st) {
    case ST_OK: ingest_applied(ingester, batch, call, &answer); break;
    case ST_STALE:
        ingest_refused(ingester, batch, call, &answer);
        st = ST_OK;
        break;
    case ST_INVALID: st = ingest_invalid(ingester, batch, call, &mine); break;
    case ST_FENCED: break;
    default: ingester->uncertain[call->call.shard] = true; st = ST_AGAIN;
    }
    ingest_answer_release(&answer);
    if (st != ST_OK)
        *err = mine;
    return st;
}

/* ---- rounds ---- */

/* What was sent is received, whatever becomes of the rest; the worst answer is the round's. */
static enum status ingest_round(struct ingester *ingester, struct batch *batch, const int *shards, int count,
                                struct err *err)
{
    enum status worst = ST_OK;
    int sent = 0;

    while (worst == ST_OK && sent < count) {
        struct ingest *call = &ingester->calls[shards[sent]].call;

        call->generation = ingester->gates->at[shards[sent]].generation;
        worst = ingest_send(ingester->loop->redis, call, err);
        sent += worst == ST_OK;
    }
    crash_point(CRASH_INGEST_SENT);
    for (int i = 0; i < sent; i++) {
        enum status st = ingest_answered(ingester, batch, &ingester->calls[shards[i]], err);

        worst = st != ST_OK && worst != ST_FENCED ? st : worst;
    }
    return worst;
}

/* ST_OK: all gates are as they were. ST_FENCED: a generation changed under us. ST_AGAIN: not armed yet. */
static enum status ingest_look(struct ingester *ingester, const int *shards, int count, struct err *err)
{
    int changed;

    if (gates_look(ingester->gates, NULL, 0, &changed, err) != ST_OK)
        return ST_AGAIN;
    if (changed > 0)
        return err_set(err, ST_FENCED, "another generation or server");
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&ingester->gates->at[shards[i]]))
            return err_set(err, ST_AGAIN, "shard %d is not armed", shards[i]);
    }
    return ST_OK;
}

/* Is what we know of these gates still about the server we talk to? */
static bool ingest_usable(const struct ingester *ingester, const int *shards, int count)
{
    if (!redis_connected(ingester->loop->redis) ||
        ingester->gates->connection != redis_connection_number(ingester->loop->redis))
        return false;
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&ingester->gates->at[shards[i]]))
            return false;
    }
    return true;
}

static enum status ingest_try(struct ingester *ingester, struct batch *batch, const int *shards, int count,
                              struct err *err)
{
    enum status st = ST_OK;

    if (!ingest_usable(ingester, shards, count))
        st = ingest_look(ingester, shards, count, err);
    if (st == ST_OK)
        st = ingest_round(ingester, batch, shards, count, err);
    if (st == ST_FENCED)
        st = ingest_look(ingester, shards, count, err) == ST_FENCED ? ST_FENCED : ST_AGAIN;
    if (st == ST_OK)
        loop_redis_works(ingester->loop);
    return st;
}

/* The shards that have something left, with their calls worked out. */
static int ingest_prepare(struct ingester *ingester, struct batch *batch)
{
    int count = 0;

    for (int i = 0; i < batch->touched_count; i++) {
        int shard = batch->touched[i];
        struct ingest_call *call = &ingester->calls[shard];
        int max_items = ingester->one_by_one[shard] ? 1 : CALL_MAX_ITEMS;

        if (batch_take(batch, shard, &ingester->sources->cursors, max_items, call))
            ingester->round[count++] = shard;
        counter_add(&ingester->loop->shared->counters.skipped, call->skipped);
    }
    return count;
}

enum status ingest_batch(struct ingester *ingester, struct batch *batch, struct err *err)
{
    size_t shards = (size_t)ingester->sources->cursors.shards;
    int64_t deadline_ms = clock_boot_ms() + INGEST_PATIENCE_MS;
    enum status st = ST_OK;
    int count;

    memset(ingester->one_by_one, 0, shards * sizeof *ingester->one_by_one);
    memset(ingester->uncertain, 0, shards * sizeof *ingester->uncertain);
    crash_point(CRASH_INGEST_BEFORE);
    while ((count = ingest_prepare(ingester, batch)) > 0) {
        st = ingest_try(ingester, batch, ingester->round, count, err);
        if (rejects_deliver(ingester->rejects, ingester->loop, err) != ST_OK)
            return err->status;
        if (st == ST_FENCED || (st != ST_OK && (loop_stopping(ingester->loop) || clock_boot_ms() >= deadline_ms)))
            return st;
        if (st != ST_OK)
            loop_pause(ingester->loop, GATES_LOOK_CLOSED_MS);
    }
    return ST_OK;
}

/* ---- idle fences ---- */

static bool ingest_idle_call(struct ingester *ingester, int shard, bool everything)
{
    const struct cursors *cursors = &ingester->sources->cursors;
    const struct gate *gate = &ingester->gates->at[shard];
    struct ingest_call *call = &ingester->calls[shard];
    bool now = everything || gate->mode == GATE_RECOVERING;

    if (!gate_usable(gate) ||
        !cursors_behind(cursors, shard, now ? 0 : IDLE_MAX_MESSAGES, IDLE_MAX_MS, clock_boot_ms()))
        return false;
    while (call->move_capacity < (size_t)cursors->partitions)
        GROW(call->moves, call->move_capacity, call->move_capacity);
    call->call = (struct ingest){ .shard = shard, .moves = call->moves, .ops = call->ops };
    call->call.move_count = cursors_idle_moves(cursors, shard, call->moves);
    return call->call.move_count > 0;
}

enum status ingest_idle(struct ingester *ingester, bool everything, struct err *err)
{
    int count = 0;

    for (int s = 0; s < ingester->sources->cursors.shards; s++) {
        if (ingest_idle_call(ingester, s, everything))
            ingester->round[count++] = s;
    }
    return count > 0 ? ingest_try(ingester, NULL, ingester->round, count, err) : ST_OK;
}
