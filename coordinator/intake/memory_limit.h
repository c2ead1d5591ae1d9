/* Ingest pauses while Redis is nearly full: what is recorded must still be able to run and end. */
#ifndef BGOP_COORDINATOR_INTAKE_MEMORY_LIMIT_H
#define BGOP_COORDINATOR_INTAKE_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis/redis.h"

enum {
    MEMORY_CHECK_MS = 1000,
    MEMORY_PAUSE_PERCENT = 80,  /* of maxmemory: ingest pauses ... */
    MEMORY_RESUME_PERCENT = 78, /* ... until it fell below this */
};

/* Pure: should ingest pause, given that it is pausing or not now? No limit (0): never. */
bool memory_pauses(bool pausing, int64_t used, int64_t maxmemory);
/* One number of an INFO text ("used_memory"), or -1. Pure. */
int64_t info_number(const char *info, const char *name);

struct memory_limit {
    bool full;
    int64_t checked_at_ms;
};
/* Asks the server (INFO memory) when it is time to. true: `full` has changed (logged). */
bool memory_limit_check(struct memory_limit *limit, struct redis *redis, int64_t now_ms);

#endif
