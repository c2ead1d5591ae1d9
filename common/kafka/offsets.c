/* Questions about offsets, and reading a whole partition. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/kafka/consumer.h"

/* Log starts (RD_KAFKA_OFFSET_BEGINNING) or ends (RD_KAFKA_OFFSET_END) of partitions: "offsets for times" -2 and -1, in
 * one request per broker. (rd_kafka_query_watermark_offsets asks twice for each and forgets its timeout once a request
 * is on its way.) */
static rd_kafka_resp_err_t ask_offsets(rd_kafka_t *rk, const char *topic, const int *partitions, size_t count,
                                       int64_t which, int timeout_ms, int64_t *offsets)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, partitions[i])->offset = which;
    code = rd_kafka_offsets_for_times(rk, list, timeout_ms);
    for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        offsets[i] = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static enum status ask(struct kafka_consumer *consumer, const char *topic, const int *partitions, size_t count,
                       int64_t which, int timeout_ms, int64_t *offsets, struct err *err)
{
    int64_t asked_ms = clock_boot_ms();
    rd_kafka_resp_err_t code;

    if (!consumer->asking_rk)
        consumer->asking_rk = kafka_handle_new(RD_KAFKA_PRODUCER, rd_kafka_conf_dup(consumer->asking_conf), err);
    if (!consumer->asking_rk)
        return ST_INVALID;
    code = ask_offsets(consumer->asking_rk, topic, partitions, count, which, timeout_ms, offsets);
    rd_kafka_poll(consumer->asking_rk, 0);          /* let the error callback say what the trouble is */
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->asking.trouble[0] = '\0';
    return kafka_error(&consumer->asking, code, "asking for log offsets", (int)(clock_boot_ms() - asked_ms), err);
}

enum status kafka_consumer_log_range(struct kafka_consumer *consumer, const char *topic, int partition, int timeout_ms,
                                     int64_t *start, int64_t *end, struct err *err)
{
    enum status st = ask(consumer, topic, &partition, 1, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, start, err);

    return st == ST_OK ? ask(consumer, topic, &partition, 1, RD_KAFKA_OFFSET_END, timeout_ms, end, err) : st;
}

enum status kafka_consumer_log_ends(struct kafka_consumer *consumer, const char *topic, const int *partitions,
                                    size_t count, int timeout_ms, int64_t *ends, struct err *err)
{
    return ask(consumer, topic, partitions, count, RD_KAFKA_OFFSET_END, timeout_ms, ends, err);
}

enum status kafka_consumer_committed(struct kafka_consumer *consumer, const char *topic, int partition_count,
                                     int timeout_ms, int64_t *offsets, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    int64_t asked_ms = clock_boot_ms();
    rd_kafka_resp_err_t code;

    rd_kafka_topic_partition_list_add_range(list, topic, 0, partition_count - 1);
    code = rd_kafka_committed(consumer->rk, list, timeout_ms);
    for (int i = 0; i < partition_count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        offsets[i] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return kafka_error(&consumer->client, code, "asking for committed offsets", (int)(clock_boot_ms() - asked_ms), err);
}

/* ---- a whole partition ---- */

/* A consumer that belongs to no group's members: partitions are assigned by hand, nothing is committed. */
static rd_kafka_t *reader_new(struct kafka_client *client, const struct kafka_settings *settings, struct err *err)
{
    static const char *const fixed[] = {
        "group.id", "bgop-reader",
        "enable.auto.offset.store", "false",
        "enable.auto.commit", "false",
        "auto.offset.reset", "earliest",
        "enable.partition.eof", "true",
        NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf_new(client, settings, NULL, fixed, err);
    rd_kafka_t *rk = conf ? kafka_handle_new(RD_KAFKA_CONSUMER, conf, err) : NULL;

    if (rk)
        rd_kafka_poll_set_consumer(rk);
    return rk;
}

struct reading {
    struct kafka_client client;         /* first: librdkafka's opaque */
    rd_kafka_t *rk;
    int64_t begin_ms;
    int timeout_ms;
    void (*on_message)(void *arg, const struct kafka_message *message);
    void *arg;
};

static void hand_over(const struct reading *reading, rd_kafka_message_t *from)
{
    rd_kafka_timestamp_type_t kind;
    struct kafka_message message = {
        .topic = rd_kafka_topic_name(from->rkt), .partition = from->partition, .offset = from->offset,
        .timestamp_ms = rd_kafka_message_timestamp(from, &kind),
        .key = from->key, .key_size = from->key_len, .value = from->payload, .value_size = from->len, .handle = from,
    };

    reading->on_message(reading->arg, &message);
}

/* Reads until the position reaches end. */
static enum status read_until(const struct reading *reading, int64_t end, struct err *err)
{
    int64_t position = 0;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    while (position < end && code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_message_t *message;

        if (clock_boot_ms() - reading->begin_ms > reading->timeout_ms)
            return kafka_error(&reading->client, RD_KAFKA_RESP_ERR__TIMED_OUT, "reading", reading->timeout_ms, err);
        message = rd_kafka_consumer_poll(reading->rk, 100);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            position = message->offset + 1;
            hand_over(reading, message);
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            position = message->offset;             /* control records have offsets, but are no messages */
        } else if (!kafka_error_is_outage(message->err) && message->err != RD_KAFKA_RESP_ERR__TRANSPORT) {
            code = message->err;
        }
        rd_kafka_message_destroy(message);
    }
    return kafka_error(&reading->client, code, "reading", (int)(clock_boot_ms() - reading->begin_ms), err);
}

static enum status read_partition(struct reading *reading, const char *topic, int partition, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t start = 0, end = 0;
    rd_kafka_resp_err_t code;
    enum status st;

    code = ask_offsets(reading->rk, topic, &partition, 1, RD_KAFKA_OFFSET_BEGINNING, reading->timeout_ms, &start);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = ask_offsets(reading->rk, topic, &partition, 1, RD_KAFKA_OFFSET_END, reading->timeout_ms, &end);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && start < end) {
        rd_kafka_topic_partition_list_add(list, topic, partition)->offset = start;
        code = rd_kafka_assign(reading->rk, list);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_consumer_poll(reading->rk, 0);     /* let the error callback say what the trouble is */
    st = kafka_error(&reading->client, code, topic, (int)(clock_boot_ms() - reading->begin_ms), err);
    if (st == ST_OK && start < end)
        st = read_until(reading, end, err);
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

enum status kafka_read_all(const struct kafka_settings *settings, const char *topic, int partition, int timeout_ms,
                           void (*on_message)(void *arg, const struct kafka_message *message), void *arg,
                           struct err *err)
{
    struct reading reading = {
        .begin_ms = clock_boot_ms(), .timeout_ms = timeout_ms, .on_message = on_message, .arg = arg,
    };
    enum status st = ST_INVALID;

    kafka_client_init(&reading.client, settings);
    reading.rk = reader_new(&reading.client, settings, err);
    if (reading.rk) {
        st = read_partition(&reading, topic, partition, err);
        rd_kafka_assign(reading.rk, NULL);
        rd_kafka_destroy_flags(reading.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    kafka_client_release(&reading.client);
    return st;
}
