#include "coordinator/loop/control.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"

void control_history_add(struct control_history *history, const struct control *control)
{
    if (control->genesis_id[0] && !history->genesis[0]) {
        text_copy(history->genesis, sizeof history->genesis, control->genesis_id, strlen(control->genesis_id));
        history->shards = control->shards;
    }
    if (control->generation > history->generation && control->generation <= GENERATION_MAX)
        history->generation = control->generation;
    if (control->topic[0]) {
        GROW(history->rewinds, history->rewind_count, history->rewind_capacity);
        history->rewinds[history->rewind_count++] = *control;
    }
}

void control_history_release(struct control_history *history)
{
    free(history->rewinds);
    *history = (struct control_history){ .shards = -1 };
}

static void on_record(void *arg, const struct kafka_message *message)
{
    struct control control;
    struct err err = ERR_INIT;

    enum status st = codec_read_control(&control, message->value, message->value_size, &err);

    if (st == ST_AGAIN)
        memory_exhausted();
    if (st == ST_OK) {
        control_history_add(arg, &control);
    } else {
        log_error_text(LOG_LEVEL_WARNING, "control record unreadable", err.text, "offset=%lld",
                       (long long)message->offset);
    }
}

enum status control_read(const struct config *config, struct control_history *history, struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-coordinator");
    char topic[300];

    *history = (struct control_history){ .shards = -1 };
    config_topic(config, "control", topic, sizeof topic);
    return kafka_read_all(&settings, topic, 0, CONTROL_READ_MS, on_record, history, err);
}

enum status control_append(struct appender *appender, const struct control *control, struct err *err)
{
    buf_clear(&appender->buf);
    codec_write_control(&appender->buf, control);
    BGOP_ASSERT(!appender->buf.overflow);
    return appender_send(appender, "control", 0, appender->buf.data, appender->buf.size, err);
}
