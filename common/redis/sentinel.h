/* The primary that Sentinels name, for connection.c. Sentinels are asked one after another, the one that answered last first.
 * One of them is asked again from time to time, without waiting: an old primary that we still reach, and that still takes
 * writes, is left as soon as they have another. */
#ifndef BGOP_REDIS_SENTINEL_H
#define BGOP_REDIS_SENTINEL_H

#include "common/redis/redis.h"
#include "common/server/redis_address.h"

struct sentinel;

struct sentinel *sentinel_new(const struct redis_address *address, int timeout_ms);
void sentinel_free(struct sentinel *sentinel);

/* Tries to connect to a server, and finds out whether it is a primary. */
typedef enum status sentinel_try(void *arg, const struct redis_address *primary, struct err *err);
/* Tries each server that a Sentinel names until one serves. Else ST_AGAIN: err says what was tried at which address. */
enum status sentinel_connect(struct sentinel *sentinel, sentinel_try *try, void *arg, struct err *err) MUST_CHECK;

/* Do they name another primary by now than the one that serves us? Asks at most so often; never waits for an answer. */
bool sentinel_moved(struct sentinel *sentinel);

#endif
