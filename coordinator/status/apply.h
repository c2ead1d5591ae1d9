/* Brings outcomes and commands of the status log into Redis: one bgop_apply per shard and round, all shards of a round
 * pipelined. The only place that moves status fences. */
#ifndef BGOP_COORDINATOR_STATUS_APPLY_H
#define BGOP_COORDINATOR_STATUS_APPLY_H

#include "coordinator/source/reader.h"
#include "coordinator/status/outcomes.h"

struct applier {
    struct loop *loop;
    struct gate_copies *gates;
    struct sources *sources;  /* of the status topic: one shard per partition */
    struct apply_call *calls; /* [shards] */
    int *shards;              /* [shards] those of this round */
    /* Some entry may have set a timer of this shard. */
    void (*on_timer_set)(void *arg, int shard);
    void *arg;
};

void applier_init(struct applier *applier, struct reader *reader, void (*on_timer_set)(void *arg, int shard),
                  void *arg);
void applier_release(struct applier *applier);

/* ST_OK: all of it is through. ST_FENCED: a gate is not as its copy: read it again. ST_AGAIN: Redis is away. In both
 * cases drop the rest and load the fences again. */
enum status apply_batch(struct applier *applier, struct outcomes *outcomes, struct err *err) MUST_CHECK;
/* Moves the fence of a shard whose log ends above it (control records at its end), so that its mark is reached. */
enum status apply_idle(struct applier *applier, int shard, struct err *err) MUST_CHECK;

#endif
