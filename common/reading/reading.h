/* The reading functions, answers as JSON. A single server answers for all its shards; on a Redis Cluster each shard is asked at
 * its server and the answers are merged to what one server would have said: order, limits and cursors are the same. */
#ifndef BGOP_READING_READING_H
#define BGOP_READING_READING_H

#include <jansson.h>

#include "common/redis/redis.h"

enum { READING_ALL_SHARDS = -1 };

/* FCALL_RO function args..., of all shards or of one; the caller decrefs *answer. */
enum status reading_ask(struct redis *redis, json_t **answer, int shard, const char *function, const char *const *args,
                        size_t count, struct err *err) MUST_CHECK;
/* Of all shards, asked one by one also where one call would do: what a cluster does, for tests on one server. */
enum status reading_merged(struct redis *redis, json_t **answer, const char *function, const char *const *args,
                           size_t count, struct err *err) MUST_CHECK;
/* The number of shards, 0 when no queue was set up here yet. */
enum status reading_shards(struct redis *redis, int *shards, struct err *err) MUST_CHECK;

#endif
