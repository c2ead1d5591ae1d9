/* One lane per Type and shard: the hints that wait there, and the claim call under way for it. The claiming thread's.
 */
#ifndef BGOP_WORKER_CLAIM_LANES_H
#define BGOP_WORKER_CLAIM_LANES_H

#include "worker/claim/backlog.h"
#include "worker/handlers/types.h"

/* A claim call from its first sending until it is answered. A lost reply is no answer: the call is repeated with the
 * same nonce, and Redis answers it the same. Until then nothing else is asked for this lane. */
struct claim_call {
    bool open;
    bool sent; /* its answer is to come; open and not sent: to be sent, or sent again */
    uint64_t nonce;
    size_t id_count; /* the first ones of the backlog; 0: a pull */
    int want;        /* slots reserved */
    bool parked;     /* none are: its server is away, and others use them until it is sent again */
    uint64_t backlog_epoch;
    int64_t sent_boot_ms; /* before the latest sending: an answer starts and leases from its own call on */
};

struct lane {
    struct served_type *type;
    int shard;
    struct backlog backlog;
    bool owned;      /* Kafka's group gave its partition to this worker */
    bool subscribed; /* what Redis pushes is listened to */
    bool paused;     /* its partition; reading goes on at resume_offset */
    int64_t resume_offset;
    int64_t next_pull_boot_ms, next_unhinted_pull_boot_ms;
    int64_t hinted_until_boot_ms; /* Kafka brings its hints: one came lately */
    int64_t orphan_until_boot_ms; /* a pull found something: pulled often */
    int64_t not_before_boot_ms;   /* back-off after a refusal */
    int64_t gather_until_boot_ms; /* under load: its hints gather; 0: no hint waits */
    struct claim_call call;
};

struct lanes {
    struct lane *all;
    size_t count;
    int shard_count;
    unsigned owned_changes; /* rises when some lane's `owned` may have changed */
};

enum { LANE_HINTED_FOR_MS = 500 }; /* by one message from Kafka */
static inline bool lane_is_hinted(const struct lane *lane, int64_t now_boot_ms)
{
    return now_boot_ms < lane->hinted_until_boot_ms;
}

void lanes_init(struct lanes *lanes, const struct types *types, int shard_count);
void lanes_release(struct lanes *lanes);
static inline struct lane *lanes_at(const struct lanes *lanes, int type_index, int shard)
{
    return &lanes->all[type_index * lanes->shard_count + shard];
}

#endif
