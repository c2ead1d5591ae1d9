/* The thread that tells Redis once a second what health.h holds, over a connection of its own: so a loop that waits for a
 * server does not make the process look dead. */
#ifndef BGOP_COORDINATOR_LOOP_HEALTH_BEAT_H
#define BGOP_COORDINATOR_LOOP_HEALTH_BEAT_H

#include "coordinator/loop/loop.h"

void health_beat_run(struct loop *loop);
/* Behind all loops: this coordinator left as it should. */
void health_leave(struct shared *shared);

#endif
