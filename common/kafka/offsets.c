/* Questions about offsets, and reading a whole partition. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/kafka/consumer.h"

enum { ASK_KNOWN_MS = 1000 }; /* longer than a broker that is well takes */

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

static enum status asking_open(struct kafka_consumer *consumer, struct err *err)
{
    if (!consumer->asking_rk)
        consumer->asking_rk = kafka_handle_new(RD_KAFKA_PRODUCER, rd_kafka_conf_dup(consumer->asking_conf), err);
    return consumer->asking_rk ? ST_OK : err->status;
}

/* A handle that only asks believes for minutes what it once heard: that a topic is not there, or who leads a partition, also
 * when that broker says that it does not, or is gone. */
static void asking_close(struct kafka_consumer *consumer)
{
    rd_kafka_destroy(consumer->asking_rk);
    consumer->asking_rk = NULL;
}

/* Asks the handle that there is, for a moment; then, in what is left of the time, a new one. */
static enum status ask(struct kafka_consumer *consumer, const char *topic, const int *partitions, size_t count,
                       int64_t which, int timeout_ms, int64_t *offsets, struct err *err)
{
    int64_t begin_ms = clock_boot_ms(), until_ms = begin_ms + timeout_ms;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool known = consumer->asking_rk != NULL;
    struct err why = ERR_INIT;

    for (int handle = known ? 0 : 1; handle < 2 && code != RD_KAFKA_RESP_ERR_NO_ERROR; handle++) {
        int left_ms = (int)(until_ms - clock_boot_ms());

        if (handle == 0 && left_ms > ASK_KNOWN_MS)
            left_ms = ASK_KNOWN_MS;
        if (asking_open(consumer, &why) != ST_OK) {
            if (err)
                *err = why;
            return why.status;
        }
        code = ask_offsets(consumer->asking_rk, topic, partitions, count, which, left_ms > 1 ? left_ms : 1, offsets);
        rd_kafka_poll(consumer->asking_rk, 0); /* let the error callback say what the trouble is */
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            consumer->asking.trouble[0] = '\0';
        else
            asking_close(consumer);
    }
    return kafka_error(&consumer->asking, code, "asking for log offsets", (int)(clock_boot_ms() - begin_ms), err);
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

/* ---- bounds of logs ---- */

/* Ends as consumers of committed messages see them (the last stable offset) differ from the log's while a transaction is
 * open. A handle answers in its own isolation level. */
static enum status ask_isolated(const struct kafka_settings *settings, const char *level, const char *topic, int count,
                                int timeout_ms, int64_t *starts, int64_t *ends, struct err *err)
{
    const char *fixed[] = { "isolation.level", level, NULL };
    struct kafka_client client;
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    int64_t asked_ms = clock_boot_ms();
    int *partitions = xcalloc((size_t)count + 1, sizeof *partitions);
    rd_kafka_resp_err_t code;
    enum status st = ST_INVALID;

    for (int p = 0; p < count; p++)
        partitions[p] = p;
    kafka_client_init(&client, settings);
    conf = kafka_conf_new(&client, settings, NULL, fixed, err);
    rk = conf ? kafka_handle_new(RD_KAFKA_PRODUCER, conf, err) : NULL;
    if (rk) {
        code = ask_offsets(rk, topic, partitions, (size_t)count, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, starts);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = ask_offsets(rk, topic, partitions, (size_t)count, RD_KAFKA_OFFSET_END, timeout_ms, ends);
        rd_kafka_poll(rk, 0); /* let the error callback say what the trouble is */
        st = kafka_error(&client, code, "asking for log offsets", (int)(clock_boot_ms() - asked_ms), err);
        rd_kafka_destroy(rk);
    }
    kafka_client_release(&client);
    free(partitions);
    return st;
}

static enum status ask_group(const struct kafka_settings *settings, const char *topic, const char *group, int count,
                             int timeout_ms, int64_t *committed, struct err *err)
{
    struct kafka_consumer *consumer = kafka_consumer_new(settings, group, &(struct kafka_consumer_events){ 0 }, err);
    enum status st =
        consumer ? kafka_consumer_committed(consumer, topic, count, timeout_ms, committed, err) : ST_INVALID;

    kafka_consumer_free(consumer);
    return st;
}

/* What was read is asked for first: it is never beyond the ends. */
enum status kafka_logs_look(const struct kafka_settings *settings, const char *topic, const char *group, int count,
                            int timeout_ms, struct kafka_log *logs, struct err *err)
{
    int64_t *offsets = xcalloc(4 * (size_t)count + 1, sizeof *offsets);
    int64_t *committed = offsets, *starts = offsets + count, *stable = starts + count, *ends = stable + count;
    enum status st = ask_group(settings, topic, group, count, timeout_ms, committed, err);

    if (st == ST_OK)
        st = ask_isolated(settings, "read_committed", topic, count, timeout_ms, starts, stable, err);
    if (st == ST_OK)
        st = ask_isolated(settings, "read_uncommitted", topic, count, timeout_ms, starts, ends, err);
    for (int p = 0; p < count && st == ST_OK; p++) {
        logs[p] = (struct kafka_log){
            .start = starts[p],
            .end = ends[p],
            .stable = stable[p] < ends[p] ? stable[p] : ends[p],
            .committed = committed[p],
        };
    }
    free(offsets);
    return st;
}

/* ---- a whole partition ---- */

/* A consumer that belongs to no group's members: partitions are assigned by hand, nothing is committed. */
static rd_kafka_t *reader_new(struct kafka_client *client, const struct kafka_settings *settings, struct err *err)
{
    static const char *const fixed[] = {
        "group.id",
        "bgop-reader",
        "enable.auto.offset.store",
        "false",
        "enable.auto.commit",
        "false",
        "auto.offset.reset",
        "earliest",
        "enable.partition.eof",
        "true",
        NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf_new(client, settings, NULL, fixed, err);
    rd_kafka_t *rk = conf ? kafka_handle_new(RD_KAFKA_CONSUMER, conf, err) : NULL;

    if (rk)
        rd_kafka_poll_set_consumer(rk);
    return rk;
}

struct kafka_reader {
    struct kafka_client client; /* first: librdkafka's opaque */
    rd_kafka_t *rk;
};

struct reading {
    struct kafka_reader *reader;
    int64_t begin_ms;
    int timeout_ms;
    kafka_on_message *on_message;
    void *arg;
};

static bool hand_over(const struct reading *reading, rd_kafka_message_t *from)
{
    rd_kafka_timestamp_type_t kind;
    struct kafka_message message = {
        .topic = rd_kafka_topic_name(from->rkt),
        .partition = from->partition,
        .offset = from->offset,
        .timestamp_ms = rd_kafka_message_timestamp(from, &kind),
        .key = from->key,
        .key_size = from->key_len,
        .value = from->payload,
        .value_size = from->len,
        .handle = from,
    };

    return reading->on_message(reading->arg, &message);
}

/* Reads until the position reaches end, or nothing more is wanted. */
static enum status read_until(const struct reading *reading, int64_t end, struct err *err)
{
    const struct kafka_client *client = &reading->reader->client;
    int64_t position = 0;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    while (position < end && code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_message_t *message;

        if (clock_boot_ms() - reading->begin_ms > reading->timeout_ms)
            return kafka_error(client, RD_KAFKA_RESP_ERR__TIMED_OUT, "reading", reading->timeout_ms, err);
        message = rd_kafka_consumer_poll(reading->reader->rk, 100);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            position = message->offset + 1;
            if (message->offset >= end || !hand_over(reading, message))
                position = end;
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            position = message->offset; /* control records have offsets, but are no messages */
        } else if (!kafka_error_is_outage(message->err) && message->err != RD_KAFKA_RESP_ERR__TRANSPORT) {
            code = message->err;
        }
        rd_kafka_message_destroy(message);
    }
    return kafka_error(client, code, "reading", (int)(clock_boot_ms() - reading->begin_ms), err);
}

static enum status read_range(const struct reading *reading, const char *topic, int partition, int64_t from, int64_t to,
                              struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;
    enum status st;

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
    code = rd_kafka_assign(reading->reader->rk, list);
    st = kafka_error(&reading->reader->client, code, topic, (int)(clock_boot_ms() - reading->begin_ms), err);
    if (st == ST_OK)
        st = read_until(reading, to, err);
    rd_kafka_assign(reading->reader->rk, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

enum status kafka_reader_range(struct kafka_reader *reader, const char *topic, int partition, int timeout_ms,
                               int64_t *start, int64_t *end, struct err *err)
{
    int64_t begin_ms = clock_boot_ms();
    rd_kafka_resp_err_t code =
        ask_offsets(reader->rk, topic, &partition, 1, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, start);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = ask_offsets(reader->rk, topic, &partition, 1, RD_KAFKA_OFFSET_END, timeout_ms, end);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_consumer_poll(reader->rk, 0); /* let the error callback say what the trouble is */
    return kafka_error(&reader->client, code, topic, (int)(clock_boot_ms() - begin_ms), err);
}

enum status kafka_reader_read(struct kafka_reader *reader, const char *topic, int partition, int64_t from, int64_t to,
                              int timeout_ms, kafka_on_message *on_message, void *arg, struct err *err)
{
    const struct reading reading = { reader, clock_boot_ms(), timeout_ms, on_message, arg };

    return from < to ? read_range(&reading, topic, partition, from, to, err) : ST_OK;
}

struct kafka_reader *kafka_reader_new(const struct kafka_settings *settings, struct err *err)
{
    struct kafka_reader *reader = xcalloc(1, sizeof *reader);

    kafka_client_init(&reader->client, settings);
    reader->rk = reader_new(&reader->client, settings, err);
    if (reader->rk)
        return reader;
    kafka_reader_free(reader);
    return NULL;
}

void kafka_reader_free(struct kafka_reader *reader)
{
    if (!reader)
        return;
    if (reader->rk)
        rd_kafka_destroy_flags(reader->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_client_release(&reader->client);
    free(reader);
}

struct read_some {
    int64_t only; /* this offset; -1: all */
    bool met;
    void (*on_message)(void *arg, const struct kafka_message *message);
    void *arg;
};

static bool on_any_message(void *arg, const struct kafka_message *message)
{
    struct read_some *some = arg;

    if (some->only >= 0 && message->offset != some->only)
        return false; /* it is not there, and this lies behind it */
    some->met = true;
    some->on_message(some->arg, message);
    return some->only < 0;
}

static enum status read_some(const struct kafka_settings *settings, const char *topic, int partition, int timeout_ms,
                             struct read_some *some, struct err *err)
{
    struct err why = ERR_INIT;
    struct kafka_reader *reader = kafka_reader_new(settings, &why);
    int64_t start = 0, end = 0;
    enum status st = why.status;

    if (!reader && err)
        *err = why;
    if (reader) {
        st = kafka_reader_range(reader, topic, partition, timeout_ms, &start, &end, err);
        if (some->only >= 0) { /* none of it, when the log begins behind it */
            start = some->only > start ? some->only : start;
            end = some->only < end ? some->only + 1 : end;
        }
        if (st == ST_OK)
            st = kafka_reader_read(reader, topic, partition, start, end, timeout_ms, on_any_message, some, err);
    }
    kafka_reader_free(reader);
    return st;
}

enum status kafka_read_all(const struct kafka_settings *settings, const char *topic, int partition, int timeout_ms,
                           void (*on_message)(void *arg, const struct kafka_message *message), void *arg,
                           struct err *err)
{
    struct read_some all = { .only = -1, .on_message = on_message, .arg = arg };

    return read_some(settings, topic, partition, timeout_ms, &all, err);
}

enum status kafka_read_one(const struct kafka_settings *settings, const char *topic, int partition, int64_t offset,
                           int timeout_ms, void (*on_message)(void *arg, const struct kafka_message *message),
                           void *arg, struct err *err)
{
    struct read_some one = { .only = offset, .on_message = on_message, .arg = arg };
    enum status st = read_some(settings, topic, partition, timeout_ms, &one, err);

    if (st != ST_OK || one.met)
        return st;
    return err_set(err, ST_MISSING, "%s[%d] holds no message at offset %" PRId64 " any more", topic, partition, offset);
}
