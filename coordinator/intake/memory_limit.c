#include "coordinator/intake/memory_limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

bool memory_pauses(bool pausing, int64_t used, int64_t maxmemory)
{
    if (maxmemory <= 0)
        return false;
    return used >= maxmemory / 100 * (pausing ? MEMORY_RESUME_PERCENT : MEMORY_PAUSE_PERCENT);
}

int64_t info_number(const char *info, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            return strtoll(line + size + 1, NULL, 10);
    }
    return -1;
}

/* Of the servers the one that stands against going on. */
struct fullest {
    bool was_full, full;
    int64_t used, maxmemory;
};

static enum status server_memory(void *arg, struct redis *redis, struct err *err)
{
    struct fullest *fullest = arg;
    struct redis_reply *reply;

    if (fullest->full)
        return ST_OK;
    if (redis_call(redis, &reply, err, "INFO", "memory", NULL) != ST_OK)
        return err->status;
    fullest->used = info_number(redis_reply_text(reply, NULL), "used_memory");
    fullest->maxmemory = info_number(redis_reply_text(reply, NULL), "maxmemory");
    fullest->full = memory_pauses(fullest->was_full, fullest->used, fullest->maxmemory);
    redis_reply_free(reply);
    return ST_OK;
}

bool memory_limit_check(struct memory_limit *limit, struct redis *redis, int64_t now_ms)
{
    struct fullest fullest = { .was_full = limit->full };
    struct err err = ERR_INIT;
    bool was_full = limit->full;

    if (now_ms - limit->checked_at_ms < MEMORY_CHECK_MS)
        return false;
    limit->checked_at_ms = now_ms;
    if (redis_each_there(redis, server_memory, &fullest, &err) != ST_OK)
        return false;
    limit->full = fullest.full;
    if (limit->full != was_full) {
        log_event(LOG_LEVEL_WARNING, limit->full ? "ingest paused" : "ingest resumed",
                  "why=redis-memory used=%" PRId64 " maxmemory=%" PRId64, fullest.used, fullest.maxmemory);
    }
    return limit->full != was_full;
}
