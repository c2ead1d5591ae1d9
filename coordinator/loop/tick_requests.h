/* "Tick this shard not later than then", from one loop of this process to another: intake recorded an operation that is
 * scheduled for soon, and the status loop that runs the shard's timers would otherwise tick later. Another process's
 * intake cannot request it; therefore ticks are never further apart than tick_max_ms. */
#ifndef BGOP_COORDINATOR_LOOP_TICK_REQUESTS_H
#define BGOP_COORDINATOR_LOOP_TICK_REQUESTS_H

#include <stdatomic.h>
#include <stdint.h>

struct tick_requests {
    _Atomic int64_t *at_us;
    int shards;
}; /* CLOCK_BOOTTIME; INT64_MAX: nothing is requested */

void tick_requests_init(struct tick_requests *tick_requests, int shards);
void tick_requests_release(struct tick_requests *tick_requests);
/* Not later than at_us. */
void tick_request(struct tick_requests *tick_requests, int shard, int64_t at_us);
/* The soonest that was requested since the last call, or INT64_MAX. */
int64_t tick_request_take(struct tick_requests *tick_requests, int shard);

#endif
