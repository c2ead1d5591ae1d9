/* Messages that must arrive are sent, then waited for, all since the last wait together (a round). A report of an
 * earlier round is ignored: what it is about was given up and sent again. Hints have no report. */
#include "coordinator/loop/appender.h"

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/text.h"

#include <string.h>

enum {
    MESSAGE_MAX_BYTES = 1024 * 1024,
    CLIENT_NAME_SIZE = 64,
};

/* A message's arg is its round; hints have none. */
static void on_delivery(void *producer_arg, const struct kafka_delivery *delivery)
{
    struct appender *appender = producer_arg;

    if (!delivery->arg || (uintptr_t)delivery->arg != appender->round)
        return;
    appender->outstanding--;
    if (delivery->status != ST_OK) {
        appender->failed++;
        text_copy(appender->text, sizeof appender->text, delivery->text, strlen(delivery->text));
    }
}

enum status appender_start(struct appender *appender, const struct config *config, struct counters *counters,
                           struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-coordinator");

    *appender = (struct appender){ .config = config, .counters = counters, .round = 1 };
    buf_init(&appender->buf, MESSAGE_MAX_BYTES);
    appender->producer = kafka_producer_new(&settings, 0, on_delivery, appender, err);
    return appender->producer ? ST_OK : err->status;
}

void appender_prepare_types(struct appender *appender)
{
    char topic[TOPIC_SIZE];

    for (size_t i = 0; i < appender->config->type_count; i++) {
        config_topic(appender->config, appender->config->types[i].name, topic, sizeof topic);
        kafka_producer_know(appender->producer, topic);
    }
}

void appender_stop(struct appender *appender)
{
    struct err err = ERR_INIT;

    if (appender->producer && kafka_producer_flush(appender->producer, 2000, &err) != ST_OK)
        counter_add(&appender->counters->hints_dropped, 1);
    kafka_producer_free(appender->producer);
    buf_release(&appender->buf);
    appender->producer = NULL;
}

static bool appender_patient(const struct appender *appender, int64_t begin_ms)
{
    bool stopping = appender->stop && atomic_load_explicit(appender->stop, memory_order_relaxed);

    return clock_boot_ms() - begin_ms < (stopping ? APPENDER_STOPPING_WAIT_MS : APPENDER_WAIT_MS);
}

/* key NULL: to that partition. */
static enum status send_to(struct appender *appender, const char *name, int partition, const char *key,
                           const void *value, size_t size, struct err *err)
{
    char topic[TOPIC_SIZE];
    int64_t begin_ms = clock_boot_ms();
    enum status st;

    config_topic(appender->config, name, topic, sizeof topic);
    for (;;) {
        st = kafka_producer_send(appender->producer, topic, partition, key, key ? strlen(key) : 0, value, size, NULL,
                                 (void *)appender->round, err);
        if (st != ST_LIMIT || !appender_patient(appender, begin_ms))
            break;
        kafka_producer_poll(appender->producer, 10);
    }
    appender->outstanding += st == ST_OK;
    return st == ST_LIMIT ? ST_AGAIN : st;
}

enum status appender_send(struct appender *appender, const char *name, int partition, const void *value, size_t size,
                          struct err *err)
{
    return send_to(appender, name, partition, NULL, value, size, err);
}

enum status appender_send_keyed(struct appender *appender, const char *name, const char *key, const void *value,
                                size_t size, struct err *err)
{
    return send_to(appender, name, KAFKA_PARTITION_BY_KEY, key, value, size, err);
}

enum status appender_wait(struct appender *appender, struct err *err)
{
    int64_t begin_ms = clock_boot_ms();
    int outstanding, failed;

    while (appender->outstanding > 0 && appender_patient(appender, begin_ms))
        kafka_producer_poll(appender->producer, 100);
    outstanding = appender->outstanding;
    failed = appender->failed;
    appender->outstanding = appender->failed = 0;
    appender->round++;
    if (failed > 0)
        return err_set_server(err, ST_AGAIN, "kafka", "%d messages were not delivered: %s", failed, appender->text);
    if (outstanding > 0) {
        return err_set_server(err, ST_AGAIN, "kafka", "%d messages were not delivered within %d ms", outstanding,
                              (int)(clock_boot_ms() - begin_ms));
    }
    return ST_OK;
}

/* Ids in an answer's text: joined by blanks. */
static int64_t ids_count(const struct hint_ids *ids)
{
    return (int64_t)((ids->ids_size + 1) / ID_SIZE);
}

void appender_hint(struct appender *appender, int shard, const struct hints *hints)
{
    char topic[TOPIC_SIZE];
    struct err err = ERR_INIT;

    for (size_t i = 0; i < hints->count; i++) {
        const struct hint_ids *ids = &hints->types[i];

        buf_clear(&appender->buf);
        codec_write_hint_joined(&appender->buf, ids->ids, ids->ids_size);
        config_topic(appender->config, ids->type, topic, sizeof topic);
        if (kafka_producer_send(appender->producer, topic, shard, NULL, 0, appender->buf.data, appender->buf.size, NULL,
                                NULL, &err) == ST_OK)
            counter_add(&appender->counters->hinted, ids_count(ids));
        else
            counter_add(&appender->counters->hints_dropped, 1);
    }
    crash_point(CRASH_HINT_AFTER);
}

void appender_poll(struct appender *appender)
{
    kafka_producer_poll(appender->producer, 0);
}
