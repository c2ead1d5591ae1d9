/* The status loop: reads <prefix>.status as a member of the group <prefix>-status. Whoever owns partition s applies
 * what workers report of shard s, runs its timers, and brings it into service after a restart of Redis. */
#ifndef BGOP_COORDINATOR_STATUS_STATUSLOG_H
#define BGOP_COORDINATOR_STATUS_STATUSLOG_H

#include "coordinator/loop/loop.h"

void statuslog_run(struct loop *loop);

#endif
