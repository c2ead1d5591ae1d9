/* Messages of the submit topic on their way to Redis: polled, decided (an operation, or a reject with its reason),
 * queued by shard, and taken from there call by call. What a call carries is worked out against the cursors at the
 * moment of sending, so that a refused call is simply worked out again. Pure but for the messages it holds. */
#ifndef BGOP_COORDINATOR_INTAKE_BATCH_H
#define BGOP_COORDINATOR_INTAKE_BATCH_H

#include "common/kafka/kafka.h"
#include "common/record/id.h"
#include "common/record/submission.h"
#include "common/record/traceparent.h"
#include "common/redis/functions.h"
#include "coordinator/source/cursors.h"
#include "coordinator/source/epochs.h"
#include "coordinator/source/messages.h"

/* What one needs to know to decide on a message. */
struct batch_rules {
    int shards;
    size_t payload_max_bytes;
    struct type_lookup types;
    const struct epochs *epochs; /* of the submit partitions */
};

struct batch_item {
    struct kafka_message message; /* owned until batch_clear */
    struct fingerprint fingerprint;
    int shard;
    bool rejected;
    bool repeated; /* it may be recorded under an earlier epoch: see ingest_batch */
    bool removed;  /* it was, and its record is gone: the fence passes it, nothing else is done */
    char id[ID_SIZE];
    bool bad_traceparent; /* it came with one that is no such thing: left out */
    char traceparent[TRACEPARENT_SIZE];
    struct submission submission; /* empty when rejected */
};

struct batch {
    struct batch_item *items; /* [queues.max] */
    struct shard_queues queues;
};

/* What one bgop_ingest carries: arrays reused from call to call. */
struct ingest_call {
    struct ingest call; /* borrows from the arrays below and from the batch */
    struct fence_move *moves;
    struct ingest_op *ops;
    size_t move_capacity, op_capacity;
    int first;       /* the first item of the call */
    int after;       /* the first item of the shard's queue that is not in the call, or -1 */
    int64_t skipped; /* items left out: below their cursor, or of a source that is not ready */
    bool refused;    /* as invalid, in this round */
};

void batch_init(struct batch *batch, int max, int shards);
void batch_release(struct batch *batch);
/* Releases the messages; the batch is empty. */
void batch_clear(struct batch *batch);

/* Takes the message over, decides, and queues it. The item; when it is rejected, err has the reason. */
struct batch_item *batch_add(struct batch *batch, const struct batch_rules *rules, const struct kafka_message *message,
                             const struct fingerprint *fingerprint, struct err *err);

/* Works out the next call of a shard. false: nothing of its queue is left to be applied. */
bool batch_build_call(struct batch *batch, int shard, const struct cursors *cursors, int max_items,
                      struct ingest_call *call);
/* The call was applied: its items leave the queue. (The caller moves the cursors.) */
void batch_finish_call(struct batch *batch, const struct ingest_call *call);
/* Turns an item of a call, which Redis refused, into a reject; answers it, or NULL: the call has none of that Id. The
 * call is to be worked out again. */
const struct batch_item *batch_reject_item(struct batch *batch, const struct ingest_call *call, const char *id);

void ingest_call_release(struct ingest_call *call);

#endif
