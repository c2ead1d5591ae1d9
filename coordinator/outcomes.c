#include "coordinator/outcomes.h"

#include <stdlib.h>

#include "common/base/memory.h"

void outcomes_init(struct outcomes *outcomes, int max, int shards)
{
    *outcomes = (struct outcomes){ .max = max, .shards = shards };
    outcomes->items = xmalloc((size_t)max * sizeof *outcomes->items);
    outcomes->queues = xmalloc((size_t)shards * sizeof *outcomes->queues);
    for (int s = 0; s < shards; s++)
        outcomes->queues[s] = (struct batch_queue){ -1, -1 };
}

void outcomes_release(struct outcomes *outcomes)
{
    if (outcomes->items)
        outcomes_clear(outcomes);
    free(outcomes->items);
    free(outcomes->queues);
    *outcomes = (struct outcomes){ 0 };
}

void outcomes_clear(struct outcomes *outcomes)
{
    for (int i = 0; i < outcomes->count; i++) {
        outcomes->queues[outcomes->items[i].message.partition] = (struct batch_queue){ -1, -1 };
        status_batch_release(&outcomes->items[i].batch);
        kafka_message_release(&outcomes->items[i].message);
    }
    outcomes->count = 0;
    outcomes->bytes = 0;
}

bool outcomes_full(const struct outcomes *outcomes)
{
    return outcomes->count == outcomes->max || outcomes->bytes >= BATCH_MAX_BYTES;
}

enum status outcomes_add(struct outcomes *outcomes, const struct kafka_message *message,
                         const struct fingerprint *fingerprint, struct err *err)
{
    int index = outcomes->count++;
    struct outcome_item *item = &outcomes->items[index];
    struct batch_queue *queue = &outcomes->queues[message->partition];

    *item = (struct outcome_item){ .message = *message, .fingerprint = *fingerprint, .next = -1 };
    outcomes->bytes += message->value_size;
    if (queue->head < 0)
        queue->head = index;
    else
        outcomes->items[queue->tail].next = index;
    queue->tail = index;
    if (codec_read_status_batch(&item->batch, message->value, message->value_size, err) != ST_OK) {
        item->batch = (struct status_batch){ 0 };
        return err->status;
    }
    return ST_OK;
}

/* ---- calls ---- */

/* A success ends an operation and makes nothing due later; everything else may set a timer. */
static void call_add(struct apply_call *call, const struct status_batch *batch, size_t index)
{
    GROW(call->entries, call->call.entry_count, call->capacity);
    call->entries[call->call.entry_count++] = (struct apply_entry){ &batch->entries[index], batch->worker_uri };
    call->hasty |= batch->entries[index].kind != ENTRY_OK;
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

bool outcomes_take(struct outcomes *outcomes, int shard, const struct cursors *cursors, struct apply_call *call)
{
    const struct cursor *cursor = cursors->sources[shard].cursors ? cursors->sources[shard].cursors : NULL;
    size_t bytes = 0, taken = 0;
    int i;

    call->call = (struct apply){ .shard = shard };
    call->hasty = false;
    for (i = outcomes->queues[shard].head; i >= 0; i = outcomes->items[i].next) {
        const struct outcome_item *item = &outcomes->items[i];

        if (!cursors_want(cursors, shard, 0, item->message.offset))
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
        outcomes->queues[shard].head = -1;
    return taken > 0;
}

static struct outcome_item *single_item(struct outcomes *outcomes, const struct apply_call *call)
{
    int i = outcomes->queues[call->call.shard].head;

    while (i >= 0 && outcomes->items[i].message.offset < call->call.move.fingerprint.offset)
        i = outcomes->items[i].next;
    return i < 0 ? NULL : &outcomes->items[i];
}

void outcomes_taken(struct outcomes *outcomes, const struct apply_call *call)
{
    struct outcome_item *item = call->single && call->call.entry_count > 0 ? single_item(outcomes, call) : NULL;

    if (item)
        item->singled++;
    else
        outcomes->queues[call->call.shard].head = call->after;
}

void apply_call_release(struct apply_call *call)
{
    free(call->entries);
    *call = (struct apply_call){ 0 };
}
