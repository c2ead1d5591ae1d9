#include "coordinator/status/aof.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/log.h"

static bool says(const struct redis_reply *info, const char *line)
{
    return strstr(redis_reply_text(info, NULL), line) != NULL;
}

static enum status server_renew(void *arg, struct redis *redis, struct err *err)
{
    struct redis_reply *reply;
    bool needed;

    (void)arg;
    if (redis_call(redis, &reply, err, "INFO", "persistence", NULL) != ST_OK)
        return err->status;
    needed = says(reply, "aof_enabled:1") && says(reply, "aof_rewrites:0") && says(reply, "aof_rewrite_in_progress:0");
    redis_reply_free(reply);
    if (!needed)
        return ST_OK;
    if (redis_call(redis, &reply, err, "BGREWRITEAOF", NULL) != ST_OK) {
        /* Another coordinator may have been quicker. */
        log_error_text(LOG_LEVEL_INFO, "append-only file not renewed", err->text, "redis=%s", redis_address(redis));
        *err = (struct err)ERR_INIT;
        return ST_OK;
    }
    redis_reply_free(reply);
    log_event(LOG_LEVEL_INFO, "append-only file renewed", "redis=%s", redis_address(redis));
    return ST_OK;
}

void aof_renew(struct redis *redis)
{
    struct err err = ERR_INIT;

    (void)!redis_each_there(redis, server_renew, NULL, &err); /* one that fails has its calls to say so */
}
