/* The thread that asks the brokers where logs end, for all loops of the process: see log_ends.h. */
#ifndef BGOP_COORDINATOR_LOOP_END_POLLER_H
#define BGOP_COORDINATOR_LOOP_END_POLLER_H

#include "coordinator/loop/loop.h"

void end_poller_run(struct loop *loop);

#endif
