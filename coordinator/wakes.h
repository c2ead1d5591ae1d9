/* When a shard's timers should be looked at, said by one loop of this process to another: intake saw an operation
 * scheduled for soon, the status loop that runs the shard's timers would otherwise look later. Another process's
 * intake cannot say it; for that the ticks are never further apart than tick_max_ms. */
#ifndef BGOP_COORDINATOR_WAKES_H
#define BGOP_COORDINATOR_WAKES_H

#include <stdatomic.h>
#include <stdint.h>

struct wakes { _Atomic int64_t *at_us; int shards; };   /* CLOCK_BOOTTIME; INT64_MAX: nothing was said */

void wakes_init(struct wakes *wakes, int shards);
void wakes_release(struct wakes *wakes);
/* Not later than at_us. */
void wakes_say(struct wakes *wakes, int shard, int64_t at_us);
/* What was said since the last call, or INT64_MAX. */
int64_t wakes_take(struct wakes *wakes, int shard);

#endif
