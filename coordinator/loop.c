#include "coordinator/loop.h"

#include <time.h>

#include "common/base/clock.h"

enum status loop_open(struct loop *loop, struct err *err)
{
    const struct config *config = loop->shared->config;

    loop->redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    if (!loop->redis)
        return err->status;
    if (appender_start(&loop->appender, config, &loop->shared->counters, err) != ST_OK)
        return err->status;
    appender_know_types(&loop->appender);
    return ST_OK;
}

void loop_close(struct loop *loop)
{
    appender_stop(&loop->appender);
    redis_free(loop->redis);
    loop->redis = NULL;
}

void loop_beat(struct loop *loop)
{
    atomic_store_explicit(&loop->beat_ms, clock_boot_ms(), memory_order_relaxed);
}

bool loop_stopping(const struct loop *loop)
{
    return atomic_load_explicit(&loop->shared->stop, memory_order_relaxed);
}

void loop_pause(struct loop *loop, int ms)
{
    for (int waited = 0; waited < ms && !loop_stopping(loop); waited += 10)
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    loop_beat(loop);
}

void loop_redis_failed(struct loop *loop, const struct err *err)
{
    outage_begin(&loop->redis_outage, "redis", err->text);
}

void loop_redis_works(struct loop *loop)
{
    outage_end(&loop->redis_outage, "redis");
}

void loop_fatal(struct loop *loop, int exit_code, const char *text)
{
    int none = 0;

    log_error_text(LOG_LEVEL_ERROR, "cannot go on", text, "loop=%s", loop->name);
    atomic_compare_exchange_strong(&loop->shared->exit_code, &none, exit_code);
    atomic_store(&loop->shared->stop, true);
}
