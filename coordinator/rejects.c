#include "coordinator/rejects.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "coordinator/crash.h"

void rejects_clear(struct rejects *rejects)
{
    for (size_t i = 0; i < rejects->count; i++)
        free(rejects->list[i].reason);
    rejects->count = 0;
}

void rejects_release(struct rejects *rejects)
{
    rejects_clear(rejects);
    free(rejects->list);
    *rejects = (struct rejects){ 0 };
}

void rejects_add(struct rejects *rejects, const struct kafka_message *message, const char *reason)
{
    GROW(rejects->list, rejects->count, rejects->capacity);
    rejects->list[rejects->count++] = (struct reject){ message, xstrdup(reason) };
    log_error_text(LOG_LEVEL_WARNING, "rejected", reason, "topic=%s partition=%d offset=%" PRId64, message->topic,
                   message->partition, message->offset);
}

static enum status rejects_append(struct rejects *rejects, struct appender *appender, struct err *err)
{
    struct buf *buf = &appender->buf;
    enum status sent = ST_OK, delivered;

    for (size_t i = 0; i < rejects->count && sent == ST_OK; i++) {
        const struct kafka_message *message = rejects->list[i].message;

        buf_clear(buf);
        codec_write_reject(buf, rejects->list[i].reason, message->topic, message->partition, message->offset,
                           message->value, message->value_size);
        sent = appender_send(appender, "rejects", 0, buf->data, buf->size, err);
    }
    delivered = appender_wait(appender, err);
    return sent != ST_OK ? sent : delivered;
}

enum status rejects_deliver(struct rejects *rejects, struct loop *loop, struct err *err)
{
    if (rejects->count == 0)
        return ST_OK;
    crash_point(CRASH_REJECT_BEFORE);
    for (;;) {
        if (rejects_append(rejects, &loop->appender, err) == ST_OK)
            break;
        if (loop_stopping(loop))
            return ST_AGAIN;
        log_error_text(LOG_LEVEL_WARNING, "rejects not delivered", err->text, "count=%zu", rejects->count);
        loop_pause(loop, 1000);
    }
    counter_add(&loop->shared->counters.rejected, (int64_t)rejects->count);
    rejects_clear(rejects);
    crash_point(CRASH_REJECT_AFTER);
    return ST_OK;
}
