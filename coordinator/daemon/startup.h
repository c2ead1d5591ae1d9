/* What must be true before a loop may run: a Redis and a Kafka that can be trusted, the topics, the genesis, the
 * function library. Servers that are away are waited for (one line at the outage's start and end); settings that
 * are wrong end the process with a text that says what to change. */
#ifndef BGOP_COORDINATOR_DAEMON_STARTUP_H
#define BGOP_COORDINATOR_DAEMON_STARTUP_H

#include "coordinator/loop/loop.h"

/* Answers 0, or the exit code (already logged). Stops early, with 0, when shared->stop is set. Fills
 * shared->genesis. */
int startup_run(struct shared *shared, bool rebuild);

#endif
