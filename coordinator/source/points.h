/* Points: messages of a partition that were applied, one a second, a minute and an hour, in a ring. When Kafka went
 * backwards, the last of them that its log still holds bounds what is common (common_point.h). They lie in Redis, so
 * that a coordinator that takes over has them, too. */
#ifndef BGOP_COORDINATOR_SOURCE_POINTS_H
#define BGOP_COORDINATOR_SOURCE_POINTS_H

#include <stdbool.h>

#include "common/redis/functions.h"

enum { POINTS_MAX = 30 + 60 + 170, POINTS_EVERY_MS = 1000 };

struct point {
    char slot[16]; /* its field in Redis; "": it is none of the ring's (the fingerprint beside a fence) */
    struct fingerprint message;
};

/* topic: submit, status or command, without the prefix. at_ms: the wall clock. */
enum status point_note(struct redis *redis, const char *topic, int partition, const struct fingerprint *message,
                       int64_t at_ms, struct err *err) MUST_CHECK;
/* Room for POINTS_MAX; *count of them are there, in no order. */
enum status points_read(struct redis *redis, const char *topic, int partition, struct point *points, size_t *count,
                        struct err *err) MUST_CHECK;
/* Forgets those from that offset on: the log does not hold them any more. */
enum status points_forget(struct redis *redis, const char *topic, int partition, const struct point *points,
                          size_t count, int64_t from, struct err *err) MUST_CHECK;

/* ---- pure ---- */
/* By offset, rising; each offset once. Answers how many are left. */
size_t points_sort(struct point *points, size_t count);

#endif
