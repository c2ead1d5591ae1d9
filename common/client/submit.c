/* Submissions: the only part of libbgop that sees librdkafka.
 *
 * The producer is idempotent with acks=all. Such a producer turns FATAL after errors that leave a batch's fate open;
 * it is then replaced, and everything it held is reported UNKNOWN: the caller knows whether sending twice matters. */
#include "common/client/client.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/checksum.h"
#include "common/base/clock.h"
#include "common/codec/codec.h"
#include "common/record/id.h"
#include "common/record/submission.h"
#include "common/server/producer_settings.h"

struct pending { /* a submission in flight: librdkafka's message opaque */
    bgop_on_delivery *on_delivery;
    void *arg;
    int64_t created_ms; /* the message's time, unless its topic has that of the log */
};

/* As who reads the message will have it. librdkafka's mock broker (bgop dev) answers 1234 as the log's time, and keeps ours. */
static int64_t timestamp_of(const rd_kafka_message_t *message)
{
    const struct pending *pending = message->_private;
    rd_kafka_timestamp_type_t kind;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &kind);

    return kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME && timestamp_ms >= CLOCK_2000_MS ? timestamp_ms
                                                                                       : pending->created_ms;
}

static void format_id(struct bgop *bgop, char id[ID_SIZE], const rd_kafka_message_t *message)
{
    uint32_t crc =
        checksum_message(message->key, message->key_len, message->payload, message->len, timestamp_of(message));

    client_name_place(bgop, id, message->partition, message->offset, message->key, message->key_len, crc);
}

static enum bgop_code delivery_code(const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return BGOP_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: return BGOP_INVALID;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return BGOP_UNREACHABLE;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return BGOP_FAILED;
    default:
        return rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? BGOP_UNREACHABLE : BGOP_UNKNOWN;
    }
}

static void client_brokers_answer(struct bgop *bgop)
{
    bgop->outage[0] = '\0';
    bgop->outage_code = 0;
}

/* What a call met, what librdkafka said last about its brokers, and what to do about that. Who gives up waiting has
 * learned nothing: then the brokers' trouble is what counts. */
static const char *kafka_words(const struct bgop *bgop, rd_kafka_resp_err_t error, char *text, size_t room)
{
    bool waited = error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                  error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    bool trouble = waited && *bgop->outage;
    const char *cause = trouble ? kafka_cause(bgop->outage_code, bgop->outage) : kafka_cause(error, "");

    snprintf(text, room, "Kafka at %s: %s%s%s%s%s", bgop->brokers, rd_kafka_err2str(error), trouble ? ": " : "",
             trouble ? bgop->outage : "", *cause ? "; " : "", cause);
    return text;
}

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    struct bgop *bgop = arg;
    struct pending *pending = message->_private;
    struct bgop_delivery delivery = { .code = delivery_code(message), .text = "", .partition = -1, .offset = -1 };
    char text[1024];

    (void)producer;
    if (delivery.code == BGOP_OK) {
        client_brokers_answer(bgop);
        delivery.partition = message->partition;
        delivery.offset = message->offset;
        if (pending->on_delivery)
            format_id(bgop, delivery.id, message);
    } else {
        delivery.text = kafka_words(bgop, message->err, text, sizeof text);
    }
    bgop->in_flight--;
    bgop->delivered++;
    if (pending->on_delivery)
        pending->on_delivery(pending->arg, &delivery);
    free(pending);
}

static void on_error(rd_kafka_t *producer, int error, const char *reason, void *arg)
{
    struct bgop *bgop = arg;

    (void)producer;
    if (error == RD_KAFKA_RESP_ERR__FATAL)
        bgop->producer_fatal = true;
    bgop->troubles++;
    if (error != RD_KAFKA_RESP_ERR__FATAL && !kafka_cause_replaces(error, reason, bgop->outage_code))
        return;
    bgop->outage_code = error;
    snprintf(bgop->outage, sizeof bgop->outage, "%s", reason);
}

static void no_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer, (void)level, (void)facility, (void)text;
}

static enum bgop_code set_property(struct bgop *bgop, rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[512];

    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return BGOP_OK;
    return client_fail(bgop, BGOP_INVALID, "Kafka property %s: %s", name, reason);
}

static enum bgop_code set_properties(struct bgop *bgop, rd_kafka_conf_t *conf)
{
    char linger[16], delivery[16], kibibytes[16];
    const struct {
        const char *name, *value;
    } ours[] = {
        { "bootstrap.servers", bgop->brokers },
        { "client.id", "libbgop" },
#define XX(name, value) { name, value },
        PRODUCER_SETTINGS(XX)
#undef XX
            { "linger.ms", linger },
        { "message.timeout.ms", delivery },
        { "queue.buffering.max.kbytes", kibibytes },
        { "batch.num.messages", "10000" },
        { "socket.nagle.disable", "true" },
    };
    enum bgop_code code = BGOP_OK;

    snprintf(linger, sizeof linger, "%d", bgop->linger_ms);
    snprintf(delivery, sizeof delivery, "%d", CLIENT_DELIVERY_MS);
    snprintf(kibibytes, sizeof kibibytes, "%d", CLIENT_BUFFER_KIBIBYTES);
    for (size_t i = 0; i < sizeof ours / sizeof *ours && code == BGOP_OK; i++)
        code = set_property(bgop, conf, ours[i].name, ours[i].value);
    for (char **property = bgop->properties; code == BGOP_OK && property[0] && property[1]; property += 2)
        code = set_property(bgop, conf, property[0], property[1]);
    return code;
}

enum bgop_code client_open_producer(struct bgop *bgop)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum bgop_code code = set_properties(bgop, conf);
    char reason[512];

    if (code != BGOP_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    rd_kafka_conf_set_opaque(conf, bgop);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, no_log);
    bgop->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (bgop->producer)
        return BGOP_OK;
    rd_kafka_conf_destroy(conf); /* ours again: it failed */
    return client_fail(bgop, BGOP_INVALID, "no Kafka producer: %s", reason);
}

void client_close_producer(struct bgop *bgop)
{
    if (!bgop->producer)
        return;
    rd_kafka_purge(bgop->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int i = 0; bgop->in_flight && i < 50; i++)
        rd_kafka_poll(bgop->producer, 100);
    rd_kafka_destroy(bgop->producer);
    bgop->producer = NULL;
}

static enum bgop_code replace_fatal_producer(struct bgop *bgop)
{
    if (bgop->producer && !bgop->producer_fatal)
        return BGOP_OK;
    client_close_producer(bgop);
    bgop->producer_fatal = false;
    return client_open_producer(bgop);
}

static enum bgop_code fail_metadata(struct bgop *bgop, rd_kafka_resp_err_t error)
{
    char text[1024];

    rd_kafka_poll(bgop->producer, 0); /* what librdkafka has to say about its brokers */
    return client_fail(bgop, BGOP_UNREACHABLE, "%s (asked for its topics for %d ms)",
                       kafka_words(bgop, error, text, sizeof text), bgop->timeout_ms);
}

enum bgop_code client_find_topic(struct bgop *bgop)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error;
    enum bgop_code code = replace_fatal_producer(bgop);

    if (code != BGOP_OK)
        return code;
    error = rd_kafka_metadata(bgop->producer, 1, NULL, &metadata, bgop->timeout_ms);
    if (error)
        return fail_metadata(bgop, error);
    client_brokers_answer(bgop);
    bgop->topic_found = false;
    for (int i = 0; i < metadata->topic_cnt && !bgop->topic_found; i++) {
        bgop->topic_found =
            strcmp(metadata->topics[i].topic, bgop->topic) == 0 && metadata->topics[i].partition_cnt > 0;
    }
    rd_kafka_metadata_destroy(metadata);
    if (bgop->topic_found)
        return BGOP_OK;
    return client_fail(bgop, BGOP_UNREACHABLE,
                       "Kafka at %s has no topic %s: the queue has not been started there; start bgop-coordinator",
                       bgop->brokers, bgop->topic);
}

/* Which Types exist is the queue's to say (its configuration may declare more); only a reserved one is known. */
static const char *find_type(void *arg, const char *type, int *reserved)
{
    const struct record_type *known = record_type_find(type);

    (void)arg;
    *reserved = known && known->reserved;
    return type;
}

static enum bgop_code copy_text(struct bgop *bgop, char to[RECORD_STRING_SIZE], const char *text, const char *field)
{
    size_t size = text ? strlen(text) : 0;

    if (size >= RECORD_STRING_SIZE)
        return client_fail(bgop, BGOP_INVALID, "%s has more than 255 characters", field);
    memcpy(to, text ? text : "", size);
    to[size] = '\0';
    return BGOP_OK;
}

static enum bgop_code read_submission(struct bgop *bgop, struct submission *to, const struct bgop_submission *from)
{
    struct type_lookup types = { .find = find_type };
    struct err err = ERR_INIT;
    enum bgop_code code;

    submission_init(to);
    if ((code = copy_text(bgop, to->type, from->type, "Type")) != BGOP_OK ||
        (code = copy_text(bgop, to->parent_key, from->parent_key, "ParentKey")) != BGOP_OK ||
        (code = copy_text(bgop, to->name, from->name, "Name")) != BGOP_OK ||
        (code = copy_text(bgop, to->sequence_group, from->sequence_group, "SequenceGroup")) != BGOP_OK)
        return code;
    to->process_after_ms = from->process_after_ms;
    to->retry_backoff_ms = from->retry_backoff_ms;
    to->retry_limit = from->retry_limit;
    to->timeout_ms = from->timeout_ms;
    to->sequence_number = from->sequence_number;
    to->payload = from->payload;
    to->payload_size = from->payload_size;
    if (submission_check(to, &types, bgop->payload_max_bytes, &err) != ST_OK)
        return client_fail(bgop, BGOP_INVALID, "%s", err.text);
    return BGOP_OK;
}

static enum bgop_code produce_failed(struct bgop *bgop, rd_kafka_resp_err_t error)
{
    char text[1024];

    switch (error) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return client_fail(bgop, BGOP_FULL, "%zu submissions are in flight", bgop->in_flight);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return client_fail(bgop, BGOP_INVALID, "the submission is larger than Kafka's message.max.bytes");
    case RD_KAFKA_RESP_ERR__FATAL:
        bgop->producer_fatal = true;
        return client_fail(bgop, BGOP_FULL, "the producer is being replaced: %s", bgop->outage);
    default: return client_fail(bgop, BGOP_FAILED, "%s", kafka_words(bgop, error, text, sizeof text));
    }
}

/* The Kafka key is the routing key: a delivery report then tells the shard from what it carries. */
static enum bgop_code produce(struct bgop *bgop, const struct submission *submission, const struct buf *message,
                              const char *traceparent, struct pending *pending)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_resp_err_t error;
    size_t key_size;
    const char *key = submission_routing_key(submission, &key_size);

    if (traceparent && *traceparent) {
        headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(headers, "traceparent", -1, traceparent, -1);
    }
    error = rd_kafka_producev(bgop->producer, RD_KAFKA_V_TOPIC(bgop->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_KEY(key_size ? key : NULL, key_size),
                              RD_KAFKA_V_VALUE(message->data, message->size), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_TIMESTAMP(pending->created_ms), RD_KAFKA_V_OPAQUE(pending), RD_KAFKA_V_END);
    if (!error)
        return BGOP_OK;
    if (headers)
        rd_kafka_headers_destroy(headers);
    return produce_failed(bgop, error);
}

static enum bgop_code send_submission(struct bgop *bgop, const struct submission *submission,
                                      const struct bgop_submission *given, struct pending *pending)
{
    struct buf message;
    enum bgop_code code;

    buf_init(&message, bgop->payload_max_bytes + 8 * RECORD_STRING_SIZE);
    codec_write_submission(&message, submission);
    code = message.overflow ? client_no_memory(bgop) : produce(bgop, submission, &message, given->traceparent, pending);
    buf_release(&message);
    return code;
}

enum bgop_code bgop_submit(struct bgop *bgop, const struct bgop_submission *given, bgop_on_delivery *on_delivery,
                           void *arg)
{
    struct submission submission;
    struct pending *pending;
    enum bgop_code code = read_submission(bgop, &submission, given);

    if (code != BGOP_OK)
        return code;
    if (bgop->in_flight >= bgop->in_flight_max)
        return client_fail(bgop, BGOP_FULL, "%zu submissions are in flight", bgop->in_flight);
    if (!bgop->topic_found && (code = client_find_topic(bgop)) != BGOP_OK)
        return code;
    if (!bgop->producer)
        return client_fail(bgop, BGOP_FULL, "the producer is being replaced");
    pending = calloc(1, sizeof *pending);
    if (!pending)
        return client_no_memory(bgop);
    *pending = (struct pending){ .on_delivery = on_delivery, .arg = arg, .created_ms = clock_wall_ms() };
    code = send_submission(bgop, &submission, given, pending);
    if (code == BGOP_OK)
        bgop->in_flight++;
    else
        free(pending);
    return code;
}

int bgop_poll(struct bgop *bgop, int timeout_ms)
{
    bgop->delivered = 0;
    if (bgop->producer)
        rd_kafka_poll(bgop->producer, timeout_ms);
    if (bgop->producer_fatal)
        (void)(replace_fatal_producer(bgop) == BGOP_OK); /* if it failed: tried again at the next poll or submission */
    return bgop->delivered;
}

enum bgop_code bgop_flush(struct bgop *bgop, int timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    char text[1024];

    while (bgop->in_flight) {
        int64_t left = deadline - clock_boot_ms();

        if (left <= 0) {
            return client_fail(bgop, BGOP_TIMED_OUT, "%zu submissions are not acknowledged after %d ms: %s",
                               bgop->in_flight, timeout_ms,
                               kafka_words(bgop, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, text, sizeof text));
        }
        bgop_poll(bgop, left < 100 ? (int)left : 100);
    }
    return BGOP_OK;
}

size_t bgop_in_flight(const struct bgop *bgop)
{
    return bgop->in_flight;
}

void client_nap(int ms)
{
    struct timespec pause = { ms / 1000, (ms % 1000) * 1000000L };

    nanosleep(&pause, NULL);
}

void client_pause(struct bgop *bgop, int ms)
{
    int64_t deadline = clock_boot_ms() + ms;

    for (int64_t left = ms; left > 0; left = deadline - clock_boot_ms()) {
        if (bgop->in_flight)
            bgop_poll(bgop, (int)left);
        else
            client_nap((int)left);
    }
}
