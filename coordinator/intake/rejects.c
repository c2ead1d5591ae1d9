/* A reject is in Kafka before the fence passes its message: rejects_deliver is waited for, then ingest sends, or sends
 * again without what Redis would not record. What could not be delivered is dropped with its batch and found again when
 * that is read again. */
#include "coordinator/intake/rejects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"

enum {
    AGAIN_MS = 1000,
    VALUE_MAX_BYTES = 1024 * 1024,
    PLACE_SIZE = 340,
};

static void reject_release(struct reject *reject)
{
    free(reject->value);
    free(reject->reason);
    free(reject->place);
}

void rejects_clear(struct rejects *rejects)
{
    for (size_t i = 0; i < rejects->count; i++)
        reject_release(&rejects->list[i]);
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
    char place[PLACE_SIZE];
    struct buf value;
    size_t size;

    buf_init(&value, VALUE_MAX_BYTES);
    codec_write_reject(&value, reason, message->topic, message->partition, message->offset, message->value,
                       message->value_size);
    size = value.size;
    snprintf(place, sizeof place, "topic=%s partition=%d offset=%" PRId64, message->topic, message->partition,
             message->offset);
    GROW(rejects->list, rejects->count, rejects->capacity);
    rejects->list[rejects->count++] = (struct reject){ buf_take(&value), size, xstrdup(reason), xstrdup(place) };
}

static enum status rejects_append(struct rejects *rejects, struct appender *appender, struct err *err)
{
    enum status sent = ST_OK, delivered;

    for (size_t i = 0; i < rejects->count && sent == ST_OK; i++)
        sent = appender_send(appender, "rejects", 0, rejects->list[i].value, rejects->list[i].size, err);
    delivered = appender_wait(appender, err);
    return sent != ST_OK ? sent : delivered;
}

enum status rejects_deliver(struct rejects *rejects, struct loop *loop, struct err *err)
{
    if (rejects->count == 0)
        return ST_OK;
    if (clock_boot_ms() < rejects->again_at_ms)
        return err_set(err, ST_RECOVERING, "rejects wait for Kafka");
    crash_point(CRASH_REJECT_BEFORE);
    if (rejects_append(rejects, &loop->appender, err) != ST_OK) {
        rejects->again_at_ms = clock_boot_ms() + AGAIN_MS;
        log_error_text(LOG_LEVEL_WARNING, "rejects not delivered", err->text, "count=%zu", rejects->count);
        return err->status = ST_RECOVERING;
    }
    for (size_t i = 0; i < rejects->count; i++)
        log_error_text(LOG_LEVEL_WARNING, "rejected", rejects->list[i].reason, "%s", rejects->list[i].place);
    counter_add(&loop->shared->counters.rejected, (int64_t)rejects->count);
    rejects_clear(rejects);
    crash_point(CRASH_REJECT_AFTER);
    return ST_OK;
}
