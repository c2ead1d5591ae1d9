/* Asking a cluster for its map: CLUSTER SLOTS, from whichever of its servers answers. */
#ifndef BGOP_REDIS_NODES_MAP_H
#define BGOP_REDIS_NODES_MAP_H

#include "common/redis/redis.h"
#include "common/server/cluster_map.h"
#include "common/server/redis_address.h"

/* Asks the servers of the map, then those of the address. ST_INVALID: one that answers is no cluster. ST_AGAIN: none answers;
 * the map stays as it is. */
enum status nodes_map_learn(struct cluster_map *map, const struct redis_address *address, int timeout_ms,
                            struct err *err) MUST_CHECK;
enum status nodes_map_fail_uncovered(const char *text, int uncovered, int first, struct err *err);

#endif
