/* A batch goes through in rounds. A round sends one call for each shard that has something left (ingest_prepare),
 * worked out against the cursors, and takes in the answers (ingest_answered): applied, or refused by a fence, in which
 * case the cursor is corrected and the next round works the rest out again. A round that failed is repeated while there
 * is patience.
 *
 * Some answers need care:
 *   rejects   Redis would not record some of the operations (a Name that is held with other content), and has changed
 *             nothing. They become rejects, which are delivered before the next round sends the rest: who dies before
 *             that has moved no fence past them, and whoever reads them again finds the same.
 *   lost      the call may have been applied. It is sent again; when its fence refuses and lies exactly at the call's
 *             end, it had been. Its hints are then unknown; all its Ids are hinted, which costs nothing.
 *   away      Only the shard's server is away: it waits (source/waiting.h), and what is for it leaves the batch.
 *   invalid   Redis refuses the arguments, which our own checks should have done. The shard's items go one by one until
 *             the wrong one is found, and that one is rejected. */
#include "coordinator/intake/ingest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/base/stage.h"
#include "coordinator/source/round.h"
#include "coordinator/source/waiting.h"

void ingester_init(struct ingester *ingester, struct reader *reader, struct rejects *rejects,
                   struct scheduled *scheduled, const struct epochs *epochs)
{
    size_t shards = (size_t)reader->sources.cursors.shards;

    *ingester = (struct ingester){
        .loop = reader->loop,
        .gates = &reader->gates,
        .sources = &reader->sources,
        .rejects = rejects,
        .scheduled = scheduled,
        .epochs = epochs,
    };
    removed_init(&ingester->removed, reader->loop->redis, epochs, (int)shards);
    ingester->calls = xcalloc(shards, sizeof *ingester->calls);
    ingester->uncertain = xcalloc(shards, sizeof *ingester->uncertain);
    ingester->one_by_one = xcalloc(shards, sizeof *ingester->one_by_one);
    ingester->shards = xcalloc(shards, sizeof *ingester->shards);
}

void ingester_release(struct ingester *ingester)
{
    for (int s = 0; ingester->calls && s < ingester->sources->cursors.shards; s++)
        ingest_call_release(&ingester->calls[s]);
    removed_release(&ingester->removed);
    free(ingester->calls);
    free(ingester->uncertain);
    free(ingester->one_by_one);
    free(ingester->shards);
    *ingester = (struct ingester){ 0 };
}

/* ---- one answer ---- */

/* Scheduled operations that fall due soon: whoever runs this shard's timers should not sleep past them. */
static void ingest_note_scheduled(struct ingester *ingester, const struct ingest *call, int64_t now_ms)
{
    int64_t soonest_ms = INT64_MAX;

    for (size_t i = 0; i < call->op_count; i++) {
        int64_t after_ms = call->ops[i].submission->process_after_ms;

        if (after_ms > now_ms && after_ms < soonest_ms)
            soonest_ms = after_ms;
    }
    if (soonest_ms < INT64_MAX && soonest_ms - now_ms < 60000)
        scheduled_note(ingester->scheduled, call->shard, clock_boot_us() + (soonest_ms - now_ms) * 1000);
}

static void ingest_moved(struct ingester *ingester, struct batch *batch, struct ingest_call *call)
{
    struct counters *counters = &ingester->loop->shared->counters;
    int64_t now_ms = clock_boot_ms();
    int shard = call->call.shard;

    for (size_t i = 0; i < call->call.move_count; i++)
        cursors_move(&ingester->sources->cursors, &call->moves[i], shard, now_ms);
    if (batch)
        batch_finish_call(batch, call);
    counter_add(&counters->ingested, (int64_t)call->call.op_count);
    ingester->uncertain[shard] = false;
}

static void ingest_applied(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                           const struct ingest_answer *answer)
{
    crash_point(CRASH_INGEST_AFTER);
    for (size_t i = 0; i < call->call.op_count; i++)
        stage_point(STAGE_RECORDED, call->ops[i].id);
    ingest_moved(ingester, batch, call);
    ingest_note_scheduled(ingester, &call->call, answer->now_ms);
    appender_hint(&ingester->loop->appender, call->call.shard, &answer->hints);
}

static bool fences_show_applied(const struct ingest_call *call, const struct ingest_answer *answer)
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

    if (ingester->uncertain[shard] && fences_show_applied(call, answer)) {
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
}

static void ingest_rejected(struct ingester *ingester, struct batch *batch, const struct ingest_call *call,
                            const struct ingest_answer *answer)
{
    ingester->uncertain[call->call.shard] = false; /* it was not applied, or its fence would have refused */
    for (size_t i = 0; batch && i < answer->reject_count; i++) {
        const struct batch_item *item = batch_reject_item(batch, call, answer->rejects[i].id);

        if (item)
            rejects_add(ingester->rejects, &item->message, answer->rejects[i].reason);
    }
}

/* Redis called the arguments invalid, which our own checks should have done: one item at a time, until it is found.
 * Never at the first refusal: it may be of a library that was replaced by ours before we looked. */
static enum status ingest_invalid(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                                  const struct err *err)
{
    int shard = call->call.shard;

    log_error_text(LOG_LEVEL_ERROR, "ingest refused", err->text, "shard=%d ops=%zu moves=%zu", shard,
                   call->call.op_count, call->call.move_count);
    if (!batch || call->call.op_count == 0)
        return ST_AGAIN;
    if (ingester->one_by_one[shard] && call->call.op_count == 1 && call->call.rejected == 0) {
        const struct batch_item *item = batch_reject_item(batch, call, call->ops[0].id);
        if (item)
            rejects_add(ingester->rejects, &item->message, err->text);
    }
    ingester->one_by_one[shard] = true;
    return ST_OK;
}

static void ingest_answered(struct ingester *ingester, struct batch *batch, struct ingest_call *call,
                            struct round *round)
{
    struct ingest_answer answer = { 0 };
    enum status st = ingest_receive(ingester->loop->redis, &answer, &round->why);

    switch (st) {
    case ST_OK: ingest_applied(ingester, batch, call, &answer); break;
    case ST_STALE: ingest_refused(ingester, batch, call, &answer); break;
    case ST_MISSING: ingest_rejected(ingester, batch, call, &answer); break;
    case ST_INVALID:
        call->refused = true;
        round_refused(round);
        break;
    default:
        if (shard_waits(ingester->sources, ingester->gates, call->call.shard, &round->why))
            break;
        round_note(round, st);
        if (st != ST_FENCED && st != ST_RECOVERING)
            ingester->uncertain[call->call.shard] = true;
    }
    ingest_answer_release(&answer);
}

/* ---- rounds ---- */

static enum status ingest_round(struct ingester *ingester, struct batch *batch, int count, struct err *err)
{
    struct round round = { 0 };
    struct ingest_call *call;
    bool judged;

    do {
        call = &ingester->calls[ingester->shards[round.sent]];
        call->refused = false;
        call->call.generation = ingester->gates->at[call->call.shard].generation;
        call->call.replay = ingester->gates->at[call->call.shard].mode == GATE_RECOVERING;
    } while (round_sent(&round, ingest_send(ingester->loop->redis, &call->call, &round.why)) && round.sent < count);
    crash_point(CRASH_INGEST_SENT);
    for (int i = 0; i < round.sent; i++)
        ingest_answered(ingester, batch, &ingester->calls[ingester->shards[i]], &round);
    judged = round_confirm_refusals(&round, ingester->loop);
    for (int i = 0; judged && i < round.sent; i++) {
        call = &ingester->calls[ingester->shards[i]];
        if (call->refused)
            round_note(&round, ingest_invalid(ingester, batch, call, &round.why));
    }
    return round_end(&round, err);
}

/* ST_OK: all gates are as they were. ST_FENCED: a generation changed under us. ST_AGAIN: not armed yet. */
static enum status ingest_refresh_gates(struct ingester *ingester, int count, struct err *err)
{
    int changed;

    if (gate_copies_refresh(ingester->gates, NULL, 0, &changed, err) != ST_OK)
        return ST_AGAIN;
    sources_wait(ingester->sources, ingester->gates);
    if (changed > 0)
        return err_set(err, ST_FENCED, "another generation or server");
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&ingester->gates->at[ingester->shards[i]]))
            return err_set(err, ST_AGAIN, "shard %d is not armed", ingester->shards[i]);
    }
    return ST_OK;
}

/* Is what we know of these gates still about the server we talk to? */
static bool ingest_usable(const struct ingester *ingester, int count)
{
    if (!redis_connected(ingester->loop->redis) ||
        ingester->gates->connection != redis_connection_number(ingester->loop->redis))
        return false;
    for (int i = 0; i < count; i++) {
        if (!gate_usable(&ingester->gates->at[ingester->shards[i]]))
            return false;
    }
    return true;
}

static enum status ingest_try(struct ingester *ingester, struct batch *batch, int count, struct err *err)
{
    enum status st = ST_OK;

    if (!ingest_usable(ingester, count))
        st = ingest_refresh_gates(ingester, count, err);
    if (st == ST_OK)
        st = ingest_round(ingester, batch, count, err);
    if (st == ST_FENCED)
        st = ingest_refresh_gates(ingester, count, err) == ST_FENCED ? ST_FENCED : ST_AGAIN;
    if (st == ST_OK)
        gate_copies_report(ingester->gates, ingester->loop);
    return st;
}

/* The shards that have something left, with their calls worked out. */
static int ingest_prepare(struct ingester *ingester, struct batch *batch)
{
    int count = 0;

    for (int i = 0; i < batch->queues.touched_count; i++) {
        int shard = batch->queues.touched[i];
        struct ingest_call *call = &ingester->calls[shard];
        int max_items = ingester->one_by_one[shard] ? 1 : CALL_MAX_ITEMS;

        if (batch_build_call(batch, shard, &ingester->sources->cursors, max_items, call))
            ingester->shards[count++] = shard;
        counter_add(&ingester->loop->shared->counters.skipped, call->skipped);
    }
    return count;
}

static enum status item_recognise(struct ingester *ingester, struct batch_item *item, struct err *err)
{
    struct id_parts parts = { .shard = item->shard,
                              .partition = item->message.partition,
                              .offset = item->message.offset };
    uint32_t crc = item->fingerprint.crc;
    char id[ID_SIZE];
    bool found;

    if (epochs_find_record(ingester->loop->redis, ingester->epochs, &parts, crc, id, &found, err) != ST_OK)
        return err->status;
    if (!found)
        return removed_find(&ingester->removed, &parts, crc, &item->removed, err);
    memcpy(item->id, id, sizeof item->id);
    return ST_OK;
}

/* What is read again because Kafka went backwards is, when it was recorded, the operation that it was; and when its record
 * was removed since, nothing any more. */
static enum status ingest_recognise(struct ingester *ingester, struct batch *batch, struct err *err)
{
    int64_t removed = 0;

    for (int i = 0; i < batch->queues.count; i++) {
        struct batch_item *item = &batch->items[i];

        if (!item->repeated || item->rejected || cursors_waits(&ingester->sources->cursors, item->shard))
            continue;
        loop_beat(ingester->loop);
        if (item_recognise(ingester, item, err) == ST_OK)
            removed += item->removed;
        else if (!shard_waits(ingester->sources, ingester->gates, item->shard, err))
            return err->status;
    }
    if (removed > 0)
        log_event(LOG_LEVEL_INFO, "removed already", "loop=%s messages=%" PRId64, ingester->loop->name, removed);
    return ST_OK;
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
    if (ingest_recognise(ingester, batch, err) != ST_OK)
        return ST_AGAIN;
    while ((count = ingest_prepare(ingester, batch)) > 0) {
        loop_beat(ingester->loop);
        st = ingest_try(ingester, batch, count, err);
        if (rejects_deliver(ingester->rejects, ingester->loop, err) != ST_OK)
            return err->status;
        if (st == ST_FENCED || (st != ST_OK && (loop_stopping(ingester->loop) || clock_boot_ms() >= deadline_ms)))
            return st;
        if (st != ST_OK)
            loop_pause(ingester->loop, GATES_REFRESH_CLOSED_MS);
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
            ingester->shards[count++] = s;
    }
    return count > 0 ? ingest_try(ingester, NULL, count, err) : ST_OK;
}
