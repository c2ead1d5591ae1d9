/* Operations with a ProcessAfter that falls due soon, of shards whose timers run in another process. That process ticks
 * such a shard when it last heard that something is due, and cannot know what was recorded here since; so this loop ticks it,
 * as a guest: it fires what is due and judges no lease. What falls due later than the owner's next tick is left to it. */
#ifndef BGOP_COORDINATOR_INTAKE_SCHEDULED_H
#define BGOP_COORDINATOR_INTAKE_SCHEDULED_H

#include "coordinator/source/gate_copies.h"
#include "coordinator/loop/loop.h"

struct scheduled_shard {
    int64_t at_us;    /* CLOCK_BOOTTIME of the tick; INT64_MAX: none */
    int64_t until_us; /* the last that was noted */
};
struct scheduled {
    struct loop *loop;
    const struct gate_copies *gates;
    struct scheduled_shard *of; /* [shards] */
    int *due;                   /* room for those of one run */
};

void scheduled_init(struct scheduled *scheduled, struct loop *loop, const struct gate_copies *gates);
void scheduled_release(struct scheduled *scheduled);
/* Something was recorded that falls due then: the loop of this process that runs the shard's timers is told, or it is kept
 * here. */
void scheduled_note(struct scheduled *scheduled, int shard, int64_t at_us);
/* Milliseconds until the next tick, at most max_ms. */
int scheduled_wait_ms(const struct scheduled *scheduled, int max_ms);
/* Ticks what is due. What fails is tried again a little later, and in the end is its owner's. */
void scheduled_run(struct scheduled *scheduled);

#endif
