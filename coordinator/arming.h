/* Arming: a new generation for shards that have none for this server (R3, R4). */
#ifndef BGOP_COORDINATOR_ARMING_H
#define BGOP_COORDINATOR_ARMING_H

#include "coordinator/recovery.h"

/* Arms recovery->arming: reads the control topic, asks for the marks, writes the generations, calls bgop_arm. A shard
 * that somebody else armed with a higher one is left as it is: the next look adopts it. ST_RECOVERING: Kafka is away. */
enum status shards_arm(struct recovery *recovery, struct err *err) MUST_CHECK;
/* max(last in the control topic, the gate's, Redis' unix seconds) + 1. Pure. */
int64_t generation_next(int64_t control, int64_t gate, int64_t unix_seconds);

#endif
