/* Built like intake's batch, but for two things: a message is a batch of entries itself, and is applied whole; and one
 * that cannot be read is no reject (nobody waits for it), only passed by the fence. */
#include "coordinator/status/outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/trace.h"

void outcomes_init(struct outcomes *outcomes, int max, int shards)
{
    shard_queues_init(&outcomes->queues, max, shards);
    outcomes->items = xmalloc((size_t)max * sizeof *outcomes->items);
}

void outcomes_release(struct outcomes *outcomes)
{
    outcomes_clear(outcomes);
    shard_queues_release(&outcomes->queues);
    free(outcomes->items);
    *outcomes = (struct outcomes){ 0 };
}

void outcomes_clear(struct outcomes *outcomes)
{
    for (int i = 0; i < outcomes->queues.count; i++) {
        status_batch_release(&outcomes->items[i].batch);
        kafka_message_release(&outcomes->items[i].message);
    }
    shard_queues_clear(&outcomes->queues);
}

enum status outcomes_add(struct outcomes *outcomes, const struct kafka_message *message, const char *queue,
                         const struct fingerprint *fingerprint, struct err *err)
{
    struct outcome_item *item =
        &outcomes->items[shard_queues_add(&outcomes->queues, message->partition, message->value_size)];

    *item = (struct outcome_item){ .message = *message, .fingerprint = *fingerprint };
    enum status st = codec_read_status_batch(&item->batch, message->value, message->value_size, err);
    if (st == ST_AGAIN)
        memory_exhausted();
    if (st != ST_OK) {
        item->batch = (struct status_batch){ 0 };
        return st;
    }
    for (size_t i = 0; i < item->batch.count; i++)
        trace_point(TRACE_OUTCOME, item->batch.entries[i].id);
    if (!item->batch.queue[0] || strcmp(item->batch.queue, queue) == 0)
        return ST_OK;
    err_set(err, ST_STALE, "it is of the queue %s, by %s", item->batch.queue,
            item->batch.instance[0] ? item->batch.instance : "somebody");
    status_batch_release(&item->batch);
    item->batch = (struct status_batch){ 0 };
    return err->status;
}

/* ---- calls ---- */

/* A success ends an operation and makes nothing due later; everything else may set a timer. */
static void call_add(struct apply_call *call, const struct status_batch *batch, size_t index)
{
    GROW(call->entries, call->call.entry_count, call->capacity);
    call->entries[call->call.entry_count++] = (struct apply_entry){ &batch->entries[index], batch->worker_uri };
    call->sets_timer |= batch->entries[index].kind != ENTRY_OK;
}

static bool call_fits(const struct apply_call *call, size_t bytes, const struct outcome_item *item)
{
    return call->call.entry_count + item->batch.count <= CALL_MAX_ITEMS &&
           bytes + item->message.value_size <= CALL_MAX_BYTES;
}

/* The next entry of one message alone, the fence standing still; behind the last one, the move of the fence alone. */
static void call_single(struct apply_call *call, const struct outcome_item *item)
{
    if (item->singled >= item->batch.count)
        return;
    call_add(call, &item->batch, item->singled);
    call->call.move.next = call->call.move.from;
}

bool outcomes_build_call(struct outcomes *outcomes, int shard, const struct cursors *cursors, struct apply_call *call)
{
    const struct cursor *cursor = cursors->sources[shard].cursors ? cursors->sources[shard].cursors : NULL;
    size_t bytes = 0, taken = 0;
    int i;

    call->call = (struct apply){ .shard = shard };
    call->sets_timer = false;
    for (i = outcomes->queues.head[shard]; i >= 0; i = outcomes->queues.next[i]) {
        const struct outcome_item *item = &outcomes->items[i];

        if (!cursors_is_pending(cursors, shard, 0, item->message.offset))
            continue;
        if (taken > 0 && (call->single || !call_fits(call, bytes, item)))
            break;
        call->call.move = (struct fence_move){ shard, cursor->next, item->message.offset + 1, item->fingerprint };
        bytes += item->message.value_size;
        taken++;
        if (call->single) {
            call_single(call, item);
            continue;
        }
        for (size_t k = 0; k < item->batch.count; k++)
            call_add(call, &item->batch, k);
    }
    call->after = i;
    call->call.entries = call->entries;
    if (taken == 0)
        outcomes->queues.head[shard] = -1;
    return taken > 0;
}

static struct outcome_item *single_item(struct outcomes *outcomes, const struct apply_call *call)
{
    int i = outcomes->queues.head[call->call.shard];

    while (i >= 0 && outcomes->items[i].message.offset < call->call.move.fingerprint.offset)
        i = outcomes->queues.next[i];
    return i < 0 ? NULL : &outcomes->items[i];
}

void outcomes_finish_call(struct outcomes *outcomes, const struct apply_call *call)
{
    struct outcome_item *item = call->single && call->call.entry_count > 0 ? single_item(outcomes, call) : NULL;

    if (item)
        item->singled++;
    else
        outcomes->queues.head[call->call.shard] = call->after;
}

void apply_call_release(struct apply_call *call)
{
    free(call->entries);
    *call = (struct apply_call){ 0 };
}
