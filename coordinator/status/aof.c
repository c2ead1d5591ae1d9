#include "coordinator/status/aof.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/log.h"

static bool says(const struct redis_reply *info, const char *line)
{
    return strstr(redis_reply_text(info, NULL), line) != NULL;
}

void aof_renew(struct redis *redis)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    bool needed;

    if (redis_call(redis, &reply, &err, "INFO", "persistence", NULL) != ST_OK)
        return;
    needed = says(reply, "aof_enabled:1") && says(reply, "aof_rewrites:0") && says(reply, "aof_rewrite_in_progress:0");
    redis_reply_free(reply);
    if (!needed)
        return;
    if (redis_call(redis, &reply, &err, "BGREWRITEAOF", NULL) != ST_OK) {
        /* Another coordinator may have been quicker. */
        log_error_text(LOG_LEVEL_INFO, "append-only file not renewed", err.text, "redis=%s", redis_address(redis));
        return;
    }
    redis_reply_free(reply);
    log_event(LOG_LEVEL_INFO, "append-only file renewed", "redis=%s", redis_address(redis));
}
