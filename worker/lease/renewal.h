/* Keeps what was claimed: extends the leases of everything in flight, learns of losses and cancels, and goes through recoveries. A
 * thread and a Redis connection of its own, so that neither a busy handler nor a slow claim delays it.
 *
 * Every lease / 6 one call per shard (all pipelined), also when nothing runs: that is the worker's heartbeat. A lease
 * lasts until the boot clock *before* the request plus lease_ms. */
#ifndef BGOP_WORKER_LEASE_RENEWAL_H
#define BGOP_WORKER_LEASE_RENEWAL_H

#include "worker/lease/gate_cache.h"
#include "worker/lease/identity.h"
#include "worker/lease/inflight.h"
#include "worker/handlers/types.h"

struct renewal;

struct renewal_parts {
    const struct config *config;
    const struct identity *identity;
    const struct types *types;
    int slots; /* concurrency, for people */
    struct gate_cache *gates;
    struct inflight *inflight;
};
struct renewal *renewal_start(const struct renewal_parts *parts, struct err *err);
/* all_reported: nothing of it is in flight any more; then it is told that this worker left, and nobody misses it. */
void renewal_stop(struct renewal *renewal, bool all_reported);
/* Live worker instances, as the last answers said; at least 1. */
int renewal_workers(const struct renewal *renewal);
int64_t renewal_lease_ms(const struct renewal *renewal);

#endif
