/* Are there as many file descriptors as this configuration may use? Asked, and the limit raised, before anything is
 * opened. */
#ifndef BGOP_WORKER_DAEMON_DESCRIPTORS_NEEDED_H
#define BGOP_WORKER_DAEMON_DESCRIPTORS_NEEDED_H

#include "worker/handlers/types.h"

/* Of all executions that `concurrency` allows at a time, in the dearest mixture of Types. */
long long descriptors_of_executions(const struct types *types, int concurrency);
/* ST_INVALID: the hard limit is too low; err says which options ask for how many, and what to change. */
enum status descriptors_check(const struct types *types, int concurrency, struct err *err) MUST_CHECK;

#endif
