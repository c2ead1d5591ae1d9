/* What must happen on time even when another thread hangs: executions are stopped before their leases end, and a
 * consume loop that stands still ends the process (2.0.2's consumer would stay in its group for ever; leases and
 * Kafka hand its work to others). A thread of its own that never waits for anybody. */
#ifndef BGOP_WORKER_LEASE_GUARD_H
#define BGOP_WORKER_LEASE_GUARD_H

#include "worker/lease/inflight.h"
#include "worker/lease/renewal.h"
#include "worker/handlers/types.h"

enum { GUARD_STALL_MS = 30000 };

struct guard;

struct guard *guard_start(struct inflight *inflight, const struct renewal *renewal, const struct types *types,
                          struct err *err);
void guard_stop(struct guard *guard);
/* The consume loop lives; to be called at least every GUARD_STALL_MS from now on. */
void guard_beat(struct guard *guard);
/* For how long it has not been heard of; 0 when no beats are expected. */
int64_t guard_stalled_ms(const struct guard *guard);
/* The consume loop has ended; no more beats are expected. */
void guard_rest(struct guard *guard);

#endif
