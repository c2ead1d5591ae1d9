/* Waits at start until there is a queue to serve: a coordinator has made it known in Redis, and its topics exist. */
#ifndef BGOP_WORKER_QUEUE_H
#define BGOP_WORKER_QUEUE_H

#include <signal.h>

#include "worker/types.h"

/* ST_OK: *shard_count is the queue's; 0 when *stop was set before. ST_INVALID: it will never fit (a topic with another
 * partition count). */
enum status queue_wait(const struct config *config, const struct types *types, const volatile sig_atomic_t *stop,
                       int *shard_count, struct err *err) MUST_CHECK;

#endif
