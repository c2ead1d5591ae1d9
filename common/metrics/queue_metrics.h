/* The queue in numbers: what bgop_stats answers, as metrics. The same from every process that reaches Redis, so any one of
 * them tells the truth.
 *
 * A queue_metrics has a Redis connection of its own, which waits for an answer for QUEUE_METRICS_TIMEOUT_MS at most, and
 * keeps the answer for a second: however often it is asked, Redis is asked once a second. Used by one thread. */
#ifndef BGOP_METRICS_QUEUE_METRICS_H
#define BGOP_METRICS_QUEUE_METRICS_H

#include <jansson.h>

#include "common/metrics/metrics.h"
#include "common/redis/redis.h"

enum { QUEUE_METRICS_TIMEOUT_MS = 1000, QUEUE_METRICS_KEPT_MS = 1000 };

/* What operations wait for: counted by the Redis Functions (count_waited of common/functions/write/batch.lua), as
 * `waited_<cause>` of the totals of bgop_stats. XX(cause, from when to when) */
#define WAIT_CAUSES(XX)                                                                                    \
    XX(schedule, "ProcessAfter: from its submission until it came due")                                    \
    XX(retry, "a timed retry: from the failure until it came due")                                         \
    XX(predecessor, "another member of its sequence group: until it was the first")                        \
    XX(turn, "its lane: until the execution group, or the limit of its ParentKey, had a place for it")     \
    XX(pause, "a pause of its Type or ParentKey: as long as that lasted and the operation was laid aside") \
    XX(worker, "a worker: from claimable until claimed")

struct queue_metrics;

/* NULL: err says what is wrong with the address. Does not connect. */
struct queue_metrics *queue_metrics_new(const char *redis_url, struct err *err);
void queue_metrics_free(struct queue_metrics *queue);
/* Asks Redis, and writes bgop_redis_up and, when it answers, the metrics of the queue. */
void queue_metrics_put(struct queue_metrics *queue, struct metrics *metrics);
/* The metrics of an answer of bgop_stats. */
void queue_metrics_put_stats(struct metrics *metrics, const json_t *stats);

#endif
