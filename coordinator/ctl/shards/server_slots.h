/* What one server of a Redis Cluster has of the slots in which shards lie. */
#ifndef BGOP_CTL_SHARDS_SERVER_SLOTS_H
#define BGOP_CTL_SHARDS_SERVER_SLOTS_H

#include "common/redis/redis.h"
#include "coordinator/ctl/shards/cluster_line.h"

/* The slot of a shard's keys. */
int shard_slot(int shard);
/* What it says of itself. The line points into *reply, which is the caller's to free, also after an error. */
enum status server_self(struct redis *server, struct redis_reply **reply, struct cluster_line *self,
                        struct err *err) MUST_CHECK;
/* How many keys of a slot it has, its own or another's. */
enum status server_count_keys(struct redis *server, int slot, long long *count, struct err *err) MUST_CHECK;

#endif
