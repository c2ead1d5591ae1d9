#include "coordinator/loop/loop.h"

#include <poll.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/keys.h"

enum status loop_open(struct loop *loop, struct err *err)
{
    const struct config *config = loop->shared->config;

    loop->redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    if (!loop->redis)
        return err->status;
    if (loop->redis_only)
        return ST_OK;
    if (appender_start(&loop->appender, config, &loop->shared->counters, err) != ST_OK)
        return err->status;
    loop->appender.stop = &loop->shared->stop;
    appender_prepare_types(&loop->appender);
    return ST_OK;
}

void loop_close(struct loop *loop)
{
    const struct outage *outages[] = { &loop->redis_outage, &loop->kafka_outage, &loop->kafka_call_outage };

    for (size_t i = 0; i < sizeof outages / sizeof *outages; i++)
        outage_drop(outages[i]);
    if (!loop->redis_only)
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
    int64_t now_ms = clock_boot_ms(), end_ms = now_ms + ms;

    for (; now_ms < end_ms && !loop_stopping(loop); now_ms = clock_boot_ms()) {
        struct pollfd woken = { .fd = loop->wake.fd, .events = POLLIN };

        wake_prepare(&loop->wake);
        if (!loop_stopping(loop))
            poll(&woken, 1, (int)(end_ms - now_ms));
        wake_done(&loop->wake);
    }
    loop_beat(loop);
}

void loop_failed(struct loop *loop, const struct err *err)
{
    if (!err->server || strcmp(err->server, "kafka") != 0)
        outage_begin(&loop->redis_outage, "redis", err->text);
    else if (!loop->kafka_outage.on) /* else the consumer has said so */
        outage_begin(&loop->kafka_call_outage, "kafka", err->text);
    loop_beat(loop); /* it waited for the answer, perhaps as long as it may: the next call has its own time */
}

void loop_redis_works(struct loop *loop)
{
    outage_end(&loop->redis_outage, "redis");
}

void loop_kafka_works(struct loop *loop)
{
    outage_end(&loop->kafka_call_outage, "kafka");
}

bool loop_redis_is_ours(struct loop *loop, uint64_t *known, struct err *err)
{
    struct redis_reply *reply;
    bool ours;

    if (redis_connect(loop->redis, err) != ST_OK)
        return false;
    if (*known == redis_connection_number(loop->redis))
        return true;
    if (redis_call(loop->redis, &reply, err, "HGET", key_name(KEY_META), "genesis", NULL) != ST_OK)
        return false;
    ours = strcmp(redis_reply_text(reply, NULL), loop->shared->genesis) == 0;
    redis_reply_free(reply);
    if (ours)
        *known = redis_connection_number(loop->redis);
    else
        err_set(err, ST_AGAIN, "Redis at %s is not our queue's", redis_address(loop->redis));
    return ours;
}

void loop_fatal(struct loop *loop, int exit_code, const char *text)
{
    int none = 0;

    log_error_text(LOG_LEVEL_ERROR, "cannot go on", text, "loop=%s", loop->name);
    atomic_compare_exchange_strong(&loop->shared->exit_code, &none, exit_code);
    atomic_store(&loop->shared->stop, true);
}
