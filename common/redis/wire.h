/* Shared by library.c, calls.c and answers.c. */
#ifndef BGOP_REDIS_WIRE_H
#define BGOP_REDIS_WIRE_H

#include "common/redis/edge.h"
#include "common/redis/functions.h"

#define SHARD_KEY_SIZE 32
/* "bgop:{7}" + suffix ("" or ":gate"); returns key. */
const char *functions_shard_key(char key[SHARD_KEY_SIZE], int shard, const char *suffix);

#endif
