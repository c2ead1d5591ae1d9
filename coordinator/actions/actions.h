/* The loop that runs actions (README.md). */
#ifndef BGOP_COORDINATOR_ACTIONS_ACTIONS_H
#define BGOP_COORDINATOR_ACTIONS_ACTIONS_H

#include "coordinator/loop/loop.h"

void actions_run(struct loop *loop);

#endif
