/* library_ensure works under one lock, so that of the loops of a process one loads and the others find it done. Loading
 * replaces: it is only done in place of nothing or of something older. */
#include "coordinator/loop/library.h"

#include <stdio.h>
#include <string.h>

/* Under the lock: of the loops of this process one loads, and the others find it done. */
static enum status library_load(struct loop *loop, struct redis *redis, const struct library *found, struct err *err)
{
    struct shared *shared = loop->shared;

    if (functions_replace(redis, err) != ST_OK) /* another library has our names, perhaps: a person removes it */
        return err_set_server(err, ST_AGAIN, "redis", "%s", err->text);
    counter_add(&shared->counters.loads, 1);
    log_event(LOG_LEVEL_WARNING, "functions loaded again", "loop=%s found=%s version=%s redis=%s", loop->name,
              found->found == LIBRARY_OLDER ? "older" : "none", found->found == LIBRARY_OLDER ? found->version : "-",
              redis_address(redis));
    return ST_OK;
}

/* Once for each library that is found. */
static void library_report_other(struct shared *shared, const struct library *found)
{
    if (strcmp(shared->library_reported, found->sha1) == 0)
        return;
    snprintf(shared->library_reported, sizeof shared->library_reported, "%s", found->sha1);
    if (found->found == LIBRARY_OTHER) {
        log_event(LOG_LEVEL_WARNING, "functions differ", "loaded=%s sha1=%s ours=%s sha1=%s", found->version,
                  found->sha1, BGOP_VERSION, functions_sha1());
    }
}

static enum status server_ensure(void *arg, struct redis *redis, struct err *err)
{
    struct loop *loop = arg;
    struct library found;
    enum status st = functions_look(redis, "coordinator", &found, err);

    if (st == ST_OK && (found.found == LIBRARY_MISSING || found.found == LIBRARY_OLDER))
        return library_load(loop, redis, &found, err);
    if (st == ST_OK)
        library_report_other(loop->shared, &found);
    return st;
}

enum status library_ensure(struct loop *loop, struct err *err)
{
    enum status st;

    pthread_mutex_lock(&loop->shared->library_lock);
    st = redis_each_there(loop->redis, server_ensure, loop, err);
    pthread_mutex_unlock(&loop->shared->library_lock);
    return st;
}

/* said: what the call was refused with. */
static enum status server_confirm(void *said, struct redis *redis, struct err *err)
{
    struct library found;

    if (functions_look(redis, "coordinator", &found, err) != ST_OK)
        return err_set_server(err, ST_AGAIN, "redis", "%s", err->text);
    if (found.found == LIBRARY_OURS)
        return ST_OK;
    return err_set_server(
        err, ST_AGAIN, "redis", "Redis at %s: functions of another version (%s, not %s) refuse our calls: %s",
        redis_address(redis), found.version[0] ? found.version : "unknown", BGOP_VERSION, (const char *)said);
}

enum status library_confirm_ours(struct loop *loop, struct err *err)
{
    struct err why = ERR_INIT;

    if (redis_each_there(loop->redis, server_confirm, err->text, &why) == ST_OK)
        return ST_OK;
    *err = why;
    return err->status;
}
