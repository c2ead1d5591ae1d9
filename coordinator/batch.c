#include "coordinator/batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/memory.h"
#include "common/codec/codec.h"
#include "common/record/routing.h"

void batch_init(struct batch *batch, int max, int shards)
{
    *batch = (struct batch){ .max = max, .shards = shards };
    batch->items = xmalloc((size_t)max * sizeof *batch->items);
    batch->queues = xmalloc((size_t)shards * sizeof *batch->queues);
    batch->touched = xmalloc((size_t)shards * sizeof *batch->touched);
    for (int s = 0; s < shards; s++)
        batch->queues[s] = (struct batch_queue){ -1, -1 };
}

void batch_release(struct batch *batch)
{
    if (batch->items)
        batch_clear(batch);
    free(batch->items);
    free(batch->queues);
    free(batch->touched);
    *batch = (struct batch){ 0 };
}

void batch_clear(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        submission_release(&batch->items[i].submission);
        kafka_message_release(&batch->items[i].message);
    }
    for (int i = 0; i < batch->touched_count; i++)
        batch->queues[batch->touched[i]] = (struct batch_queue){ -1, -1 };
    batch->count = batch->touched_count = 0;
    batch->bytes = 0;
}

bool batch_full(const struct batch *batch)
{
    return batch->count == batch->max || batch->bytes >= BATCH_MAX_BYTES;
}

/* ---- deciding on a message ---- */

struct fingerprint message_fingerprint(const struct kafka_message *message)
{
    int64_t timestamp_ms = message->timestamp_ms > 0 ? message->timestamp_ms : 0; /* none: stored as 0 */
    unsigned char timestamp[8];
    uint32_t crc = checksum_crc32c(0, message->key, message->key_size);

    for (int i = 0; i < 8; i++)
        timestamp[i] = (unsigned char)((uint64_t)timestamp_ms >> (56 - 8 * i));
    crc = checksum_crc32c(crc, message->value, message->value_size);
    return (struct fingerprint){
        .offset = message->offset,
        .crc = checksum_crc32c(crc, timestamp, sizeof timestamp),
        .timestamp_ms = timestamp_ms,
    };
}

/* The shard follows from what could be read of the message, never from what the configuration thinks of it: a replay
 * under another configuration must meet the same cursor. */
static int item_shard(const struct batch_item *item, const struct batch_rules *rules)
{
    size_t size;
    const char *key = submission_routing_key(&item->submission, &size);

    return routing_shard(key, size, item->message.partition, item->message.offset, rules->shards);
}

static enum status item_decide(struct batch_item *item, const struct batch_rules *rules, struct err *err)
{
    const struct kafka_message *message = &item->message;

    submission_init(&item->submission);
    if (codec_read_submission(&item->submission, message->value, message->value_size, err) != ST_OK) {
        submission_release(&item->submission);
        submission_init(&item->submission);
        return err->status;
    }
    return submission_check(&item->submission, &rules->types, rules->payload_max_bytes, err);
}

static void batch_queue_push(struct batch *batch, int index)
{
    struct batch_item *item = &batch->items[index];
    struct batch_queue *queue = &batch->queues[item->shard];

    item->next = -1;
    if (queue->head < 0) {
        batch->touched[batch->touched_count++] = item->shard;
        queue->head = index;
    } else {
        batch->items[queue->tail].next = index;
    }
    queue->tail = index;
}

struct batch_item *batch_add(struct batch *batch, const struct batch_rules *rules, const struct kafka_message *message,
                             const struct fingerprint *fingerprint, struct err *err)
{
    struct batch_item *item = &batch->items[batch->count];

    BGOP_ASSERT(batch->count < batch->max);
    item->message = *message;
    item->fingerprint = *fingerprint;
    item->rejected = item_decide(item, rules, err) != ST_OK;
    item->shard = item_shard(item, rules);
    id_make(item->id, &(struct id_parts){
                          .epoch = rules->epochs[message->partition],
                          .shard = item->shard,
                          .partition = message->partition,
                          .offset = message->offset,
                      });
    if (!kafka_message_header(message, "traceparent", item->traceparent, sizeof item->traceparent))
        item->traceparent[0] = '\0';
    batch_queue_push(batch, batch->count++);
    batch->bytes += message->value_size;
    return item;
}

/* ---- calls ---- */

static struct fence_move *call_move(struct ingest_call *call, const struct cursors *cursors, int shard, int partition)
{
    struct ingest *ingest = &call->call;

    for (size_t i = 0; i < ingest->move_count; i++) {
        if (call->moves[i].partition == partition)
            return &call->moves[i];
    }
    GROW(call->moves, ingest->move_count, call->move_capacity);
    call->moves[ingest->move_count] = (struct fence_move){
        .partition = partition,
        .from = cursors->sources[partition].cursors[shard].next,
    };
    return &call->moves[ingest->move_count++];
}

static void call_add(struct ingest_call *call, const struct cursors *cursors, const struct batch_item *item)
{
    struct ingest *ingest = &call->call;
    struct fence_move *move = call_move(call, cursors, item->shard, item->message.partition);

    move->next = item->message.offset + 1;
    move->fingerprint = item->fingerprint;
    if (item->rejected) {
        ingest->rejected++;
        return;
    }
    GROW(call->ops, ingest->op_count, call->op_capacity);
    struct ingest_op *op = &call->ops[ingest->op_count++];
    memcpy(op->id, item->id, sizeof op->id);
    op->submission = &item->submission;
    op->crc = item->fingerprint.crc;
    op->traceparent = item->traceparent;
}

bool batch_take(struct batch *batch, int shard, const struct cursors *cursors, int max_items, struct ingest_call *call)
{
    size_t bytes = 0;
    int taken = 0, i;

    call->call.shard = shard;
    call->call.move_count = call->call.op_count = 0;
    call->call.rejected = call->skipped = 0;
    for (i = batch->queues[shard].head; i >= 0 && taken < max_items; i = batch->items[i].next) {
        const struct batch_item *item = &batch->items[i];

        if (!cursors_want(cursors, item->message.partition, shard, item->message.offset)) {
            call->skipped++;
            continue;
        }
        if (taken > 0 && bytes + item->submission.payload_size > CALL_MAX_BYTES)
            break;
        if (taken == 0)
            call->first = i;
        bytes += item->submission.payload_size;
        call_add(call, cursors, item);
        taken++;
    }
    call->after = i;
    call->call.moves = call->moves;
    call->call.ops = call->ops;
    if (taken == 0)
        batch_taken(batch, call);
    return taken > 0;
}

void batch_taken(struct batch *batch, const struct ingest_call *call)
{
    batch->queues[call->call.shard].head = call->after;
}

struct batch_item *batch_refuse(struct batch *batch, const struct ingest_call *call)
{
    struct batch_item *item = &batch->items[call->first];

    BGOP_ASSERT(call->call.op_count == 1 && call->call.rejected == 0);
    item->rejected = true;
    return item;
}

void ingest_call_release(struct ingest_call *call)
{
    free(call->moves);
    free(call->ops);
    *call = (struct ingest_call){ 0 };
}
