/* Keeps what was claimed: extends the leases of everything in flight, learns of losses and cancels, meets recovery. A
 * thread and a Redis connection of its own, so that neither a busy handler nor a slow claim delays it.
 *
 * Every lease / 6 one call per shard (all pipelined), also when nothing runs: that is the worker's heartbeat. A lease
 * lasts until the boot clock *before* the request plus lease_ms. */
#ifndef BGOP_WORKER_RENEWAL_H
#define BGOP_WORKER_RENEWAL_H

#include "worker/shard_gates.h"
#include "worker/identity.h"
#include "worker/inflight.h"
#include "worker/types.h"

struct renewal;

struct renewal_parts {
    const struct config *config;
    const struct identity *identity;
    const struct types *types;
    int slots; /* concurrency, for people */
    struct shard_gates *gates;
    struct inflight *inflight;
};
struct renewal *renewal_start(const struct renewal_parts *parts, struct err *err);
void renewal_stop(struct renewal *renewal);
/* Live worker instances, as the last answers said; at least 1. */
int renewal_workers(const struct renewal *renewal);
int64_t renewal_lease_ms(const struct renewal *renewal);
/* How long before its lease ends an execution is stopped: 3 s, less when leases are short. */
int64_t renewal_margin_ms(int64_t lease_ms);

#endif
