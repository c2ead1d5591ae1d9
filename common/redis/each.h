/* One command for each of several shards (or instances, or keys), all in one round trip: what people look at must not take
 * longer because there are many. */
#ifndef BGOP_REDIS_EACH_H
#define BGOP_REDIS_EACH_H

#include "common/record/keys.h"
#include "common/redis/redis.h"

/* Adds the arguments of the n-th command; what they point to is borrowed until the next one is written. */
typedef void redis_each_write(void *arg, int n, struct redis_command *command);
/* The answer to the n-th. */
typedef void redis_each_take(void *arg, int n, const struct redis_reply *reply);

/* Not ST_OK: the first failure; answers behind it are not taken. */
enum status redis_ask_each(struct redis *redis, int count, redis_each_write *write, redis_each_take *take, void *arg,
                           struct err *err) MUST_CHECK;
/* The same command on this key of each shard from 0 on, and behind the key these words (NULL at their end; NULL: none). */
enum status redis_ask_shards(struct redis *redis, int shards, const char *command, enum redis_key key,
                             const char *const *words, redis_each_take *take, void *arg, struct err *err) MUST_CHECK;

#endif
