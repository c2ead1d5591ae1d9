/* What a pause or resume of a Type or a ParentKey has come to, in every shard that it concerns. */
#ifndef BGOP_ACTION_PAUSED_H
#define BGOP_ACTION_PAUSED_H

#include "common/redis/redis.h"

/* Of how many shards Redis shows another state than is wanted; type or parent_key is empty. shards: of the queue. */
enum status paused_missing(struct redis *redis, int shards, const char *type, const char *parent_key, bool paused,
                           int *missing, struct err *err) MUST_CHECK;

#endif
