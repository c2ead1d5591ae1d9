/* Waits at start until there is a queue to serve: a coordinator has made it known in Redis, and its topics exist. */
#ifndef BGOP_WORKER_DAEMON_QUEUE_WAIT_H
#define BGOP_WORKER_DAEMON_QUEUE_WAIT_H

#include <signal.h>

#include "common/config/queue_identity.h"
#include "worker/handlers/types.h"

/* ST_OK: *shard_count is the queue's; 0 when *stop was set before. ST_INVALID: it will never fit (the queue
 * has another prefix, number of shards or Kafka; a topic with another partition count). genesis: the queue's, "" before. */
enum status queue_wait(const struct config *config, const struct types *types, const volatile sig_atomic_t *stop,
                       char genesis[QUEUE_GENESIS_SIZE], int *shard_count, struct err *err) MUST_CHECK;

#endif
