/* Which queue a Redis belongs to: bgop:meta, written by the coordinator that made it. Whoever would write into a queue asks
 * first whether the Redis, the Kafka and the prefix of its configuration go together: else its topics are one queue's and its
 * records another's, and every operation runs twice. */
#ifndef BGOP_CONFIG_QUEUE_IDENTITY_H
#define BGOP_CONFIG_QUEUE_IDENTITY_H

#include "common/config/config.h"
#include "common/redis/redis.h"

enum { QUEUE_GENESIS_SIZE = 64 };

/* "": not there (no queue yet, or one made by an older version). */
struct queue_identity {
    char genesis[QUEUE_GENESIS_SIZE], shards[16], submit_partitions[16], prefix[256], cluster[128];
};

enum status queue_identity_read(struct redis *redis, struct queue_identity *identity, struct err *err) MUST_CHECK;
/* ST_INVALID: prefix, or (when they are compared) shards differ from the configuration's; err says what to set. */
enum status queue_identity_check(const struct queue_identity *identity, const struct config *config, bool shards,
                                 struct err *err) MUST_CHECK;
/* ST_INVALID: one option differs. */
enum status queue_option_check(const char *option, const char *stored, const char *given, struct err *err) MUST_CHECK;
/* Asks Kafka which cluster it is. ST_INVALID: it is not the queue's. */
enum status queue_cluster_check(const struct queue_identity *identity, const struct config *config,
                                const char *client_id, struct err *err) MUST_CHECK;

#endif
