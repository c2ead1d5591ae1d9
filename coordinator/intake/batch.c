#include "coordinator/intake/batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/record/routing.h"

void batch_init(struct batch *batch, int max, int shards)
{
    shard_queues_init(&batch->queues, max, shards);
    batch->items = xmalloc((size_t)max * sizeof *batch->items);
}

void batch_release(struct batch *batch)
{
    batch_clear(batch);
    shard_queues_release(&batch->queues);
    free(batch->items);
    *batch = (struct batch){ 0 };
}

void batch_clear(struct batch *batch)
{
    for (int i = 0; i < batch->queues.count; i++) {
        submission_release(&batch->items[i].submission);
        kafka_message_release(&batch->items[i].message);
    }
    shard_queues_clear(&batch->queues);
}

/* ---- deciding on a message ---- */

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
    enum status st = codec_read_submission(&item->submission, message->value, message->value_size, err);
    if (st == ST_AGAIN)
        memory_exhausted(); /* it is not the submission's fault */
    if (st != ST_OK) {
        submission_release(&item->submission);
        submission_init(&item->submission);
        return st;
    }
    return submission_check(&item->submission, &rules->types, rules->payload_max_bytes, err);
}

/* A submission is not refused for its trace: that may come from anybody in between. */
static void item_copy_traceparent(struct batch_item *item)
{
    size_t size;
    const char *given = kafka_message_header(&item->message, "traceparent", &size);
    bool taken = given && traceparent_is_valid(given, size);

    item->bad_traceparent = given && !taken;
    (void)text_copy(item->traceparent, sizeof item->traceparent, given, taken ? size : 0);
}

struct batch_item *batch_add(struct batch *batch, const struct batch_rules *rules, const struct kafka_message *message,
                             const struct fingerprint *fingerprint, struct err *err)
{
    struct batch_item *item = &batch->items[batch->queues.count];

    BGOP_ASSERT(batch->queues.count < batch->queues.max);
    item->message = *message;
    item->fingerprint = *fingerprint;
    item->rejected = item_decide(item, rules, err) != ST_OK;
    item->shard = item_shard(item, rules);
    id_make(item->id, &(struct id_parts){
                          .epoch = epoch_of(rules->epochs, message->partition, message->offset),
                          .shard = item->shard,
                          .partition = message->partition,
                          .offset = message->offset,
                      });
    item->repeated = epoch_repeated(rules->epochs, message->partition, message->offset);
    item->removed = false;
    item_copy_traceparent(item);
    (void)shard_queues_add(&batch->queues, item->shard, message->value_size);
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
    if (item->rejected)
        ingest->rejected++;
    if (item->rejected || item->removed)
        return;
    GROW(call->ops, ingest->op_count, call->op_capacity);
    struct ingest_op *op = &call->ops[ingest->op_count++];
    memcpy(op->id, item->id, sizeof op->id);
    op->submission = &item->submission;
    op->crc = item->fingerprint.crc;
    op->submitted_at_ms = item->fingerprint.timestamp_ms;
    op->traceparent = item->traceparent;
}

bool batch_build_call(struct batch *batch, int shard, const struct cursors *cursors, int max_items,
                      struct ingest_call *call)
{
    size_t bytes = 0;
    int taken = 0, i;

    call->call.shard = shard;
    call->call.move_count = call->call.op_count = 0;
    call->call.rejected = call->skipped = 0;
    for (i = batch->queues.head[shard]; i >= 0 && taken < max_items; i = batch->queues.next[i]) {
        const struct batch_item *item = &batch->items[i];

        if (!cursors_is_pending(cursors, item->message.partition, shard, item->message.offset)) {
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
        batch_finish_call(batch, call);
    return taken > 0;
}

void batch_finish_call(struct batch *batch, const struct ingest_call *call)
{
    batch->queues.head[call->call.shard] = call->after;
}

const struct batch_item *batch_reject_item(struct batch *batch, const struct ingest_call *call, const char *id)
{
    for (int i = call->first; i >= 0 && i != call->after; i = batch->queues.next[i]) {
        struct batch_item *item = &batch->items[i];

        if (!item->rejected && strcmp(item->id, id) == 0) {
            item->rejected = true;
            return item;
        }
    }
    return NULL;
}

void ingest_call_release(struct ingest_call *call)
{
    free(call->moves);
    free(call->ops);
    *call = (struct ingest_call){ 0 };
}
