/* Messages of the status log on their way to Redis: polled, decoded, queued by shard (= partition), and taken from
 * there call by call, as many whole messages as fit. Pure but for the messages it holds. */
#ifndef BGOP_COORDINATOR_STATUS_OUTCOMES_H
#define BGOP_COORDINATOR_STATUS_OUTCOMES_H

#include "common/kafka/kafka.h"
#include "common/redis/functions.h"
#include "common/codec/codec.h"
#include "coordinator/source/cursors.h"
#include "coordinator/source/messages.h"

struct outcome_item {
    struct kafka_message message; /* owned until outcomes_clear */
    struct fingerprint fingerprint;
    struct status_batch batch; /* empty when it could not be read */
    size_t singled;            /* entries already applied one by one: see apply_call.single */
};

struct outcomes {
    struct outcome_item *items; /* [queues.max] */
    struct shard_queues queues;
};

/* What one bgop_apply carries. */
struct apply_call {
    struct apply call;
    struct apply_entry *entries;
    size_t capacity;
    int after; /* the first item that is not in the call, or -1 */
    /* Redis called the call invalid: from now on one entry at a time, the fence following after a message's last. */
    bool single;
    bool refused;    /* in this round */
    bool sets_timer; /* some entry may have made something due: tick the shard soon */
};

void outcomes_init(struct outcomes *outcomes, int max, int shards);
void outcomes_release(struct outcomes *outcomes);
void outcomes_clear(struct outcomes *outcomes);
/* Takes the message over, decodes and queues it. ST_INVALID: it cannot be read; the fence will pass it all the same. */
enum status outcomes_add(struct outcomes *outcomes, const struct kafka_message *message, const char *queue,
                         const struct fingerprint *fingerprint, struct err *err) MUST_CHECK;

/* Works out a shard's next call against its cursor. false: nothing is left to be applied. */
bool outcomes_build_call(struct outcomes *outcomes, int shard, const struct cursors *cursors, struct apply_call *call);
/* The call was applied (or, of a single entry, given up). */
void outcomes_finish_call(struct outcomes *outcomes, const struct apply_call *call);
void apply_call_release(struct apply_call *call);

#endif
