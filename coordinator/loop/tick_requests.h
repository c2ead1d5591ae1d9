/* "Tick this shard not later than then", from one loop of this process to another: intake recorded an operation that is
 * scheduled for soon, and the status loop that runs the shard's timers would otherwise tick later. It is woken when it
 * means to sleep longer. Shards whose timers run in another process: the intake loop ticks them itself
 * (intake/scheduled.h). */
#ifndef BGOP_COORDINATOR_LOOP_TICK_REQUESTS_H
#define BGOP_COORDINATOR_LOOP_TICK_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/wake.h"
#include "common/config/config.h"

enum { TICK_QUIET_MS = 10000 };

/* Between two ticks of a shard, at most; quiet: for which nothing has come for a while, so that nothing piles up that a tick
 * clears. What becomes due sooner was made so by who then ticks sooner; but for a lease that a worker takes, which ends in
 * lease_ms at the earliest: so no sleep is longer than half of that. */
int64_t tick_most_ms(const struct config *config, bool quiet);

struct tick_request {
    _Atomic int64_t at_us;         /* CLOCK_BOOTTIME; INT64_MAX: nothing is requested */
    _Atomic int64_t planned_us;    /* when its loop means to tick next */
    _Atomic(struct wake *) runner; /* of the loop that runs its timers; NULL: none of this process does */
};
struct tick_requests {
    struct tick_request *of; /* [shards] */
    int shards;
};

void tick_requests_init(struct tick_requests *tick_requests, int shards);
void tick_requests_release(struct tick_requests *tick_requests);
/* Not later than at_us. false: no loop of this process runs the shard's timers. */
bool tick_request(struct tick_requests *tick_requests, int shard, int64_t at_us);
/* The loop that runs the shard's timers, and when it means to tick it; before it takes requests, so that none is missed. */
void tick_request_plan(struct tick_requests *tick_requests, int shard, struct wake *runner, int64_t planned_us);
/* It does no longer. */
void tick_request_leave(struct tick_requests *tick_requests, int shard, const struct wake *runner);
/* The soonest that was requested since the last call, or INT64_MAX. */
int64_t tick_request_take(struct tick_requests *tick_requests, int shard);

#endif
