/* The producer: idempotent, acks=all, shared by threads. An idempotent producer that turned FATAL serves no
 * call any more: the polling thread puts a new one in its place, and every message that the old one held is reported
 * ST_AGAIN, so that each accepted message is reported exactly once.
 *
 * Senders hold the lock for reading; only the polling thread replaces the handle, so it reads it without. Reports are
 * given without the lock: a report may send. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/kafka/edge.h"
#include "common/server/producer_settings.h"

enum { DRAIN_TIMEOUT_MS = 10000, HEADERS_MAX = 8 };

struct known_topic {
    char *name;
    rd_kafka_topic_t *handle; /* of rk; NULL: librdkafka had none to give, so it is learned by sending */
};

struct kafka_producer {
    struct kafka_client client; /* first: librdkafka's opaque */
    rd_kafka_conf_t *conf;      /* to make another one from */
    rd_kafka_t *rk;
    pthread_rwlock_t lock; /* of rk */
    atomic_bool fatal;
    kafka_on_delivery *on_delivery;
    void *arg;
    struct known_topic *topics; /* those it was told of beforehand; the polling thread's own */
    size_t topic_count, topic_capacity;
};

/* ---- delivery reports ---- */

static bool refused_for_good(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

/* Messages whose time is up tell nothing: what the brokers' trouble is does. */
static const char *report_text(const struct kafka_producer *producer, rd_kafka_resp_err_t code, char *text, size_t room)
{
    const char *cause = kafka_cause(code, "");

    if (code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && producer->client.trouble[0])
        kafka_trouble_text(&producer->client, text, room);
    else
        snprintf(text, room, "%s%s%s", rd_kafka_err2str(code), *cause ? "; " : "", cause);
    return text;
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;
    bool persisted = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    char text[768];
    struct kafka_delivery delivery = {
        .arg = message->_private,
        .status = persisted                        ? ST_OK
                  : refused_for_good(message->err) ? ST_INVALID
                                                   : ST_AGAIN,
        .text = persisted ? "" : report_text(producer, message->err, text, sizeof text),
        .topic = rd_kafka_topic_name(message->rkt),
        .partition = message->partition,
        .offset = persisted ? message->offset : -1,
    };

    (void)rk;
    if (persisted)
        producer->client.trouble[0] = '\0'; /* of before: no later error is to be explained by it */
    if (producer->on_delivery)
        producer->on_delivery(producer->arg, &delivery);
}

static void on_client_error(struct kafka_client *client, rd_kafka_resp_err_t code, const char *text)
{
    struct kafka_producer *producer = (struct kafka_producer *)(void *)client;

    (void)text;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        atomic_store(&producer->fatal, true);
}

/* ---- life ---- */

static rd_kafka_t *handle_new(struct kafka_producer *producer, struct err *err)
{
    return kafka_handle_new(RD_KAFKA_PRODUCER, rd_kafka_conf_dup(producer->conf), err);
}

rd_kafka_conf_t *kafka_producer_conf(struct kafka_client *client, const struct kafka_settings *settings, int linger_ms,
                                     struct err *err)
{
    static const char *const fixed[] = {
#define XX(name, value) name, value,
        PRODUCER_SETTINGS(XX)
#undef XX
            NULL,
    };
    char linger[16];
    const char *tunable[] = {
        "linger.ms",
        linger,
        "compression.type",
        "none", /* 2.0.2 with Kafka 4: not checked */
        "queue.buffering.max.messages",
        "200000",
        "queue.buffering.max.kbytes",
        "262144",
        "message.timeout.ms",
        "120000",
        NULL,
    };

    snprintf(linger, sizeof linger, "%d", linger_ms);
    return kafka_conf_new(client, settings, tunable, fixed, err);
}

struct kafka_producer *kafka_producer_new(const struct kafka_settings *settings, int linger_ms,
                                          kafka_on_delivery *on_delivery, void *producer_arg, struct err *err)
{
    struct kafka_producer *producer = xcalloc(1, sizeof *producer);

    kafka_client_init(&producer->client, settings);
    producer->client.on_error = on_client_error;
    producer->on_delivery = on_delivery;
    producer->arg = producer_arg;
    pthread_rwlock_init(&producer->lock, NULL);
    producer->conf = kafka_producer_conf(&producer->client, settings, linger_ms, err);
    if (producer->conf)
        rd_kafka_conf_set_dr_msg_cb(producer->conf, on_report);
    producer->rk = producer->conf ? handle_new(producer, err) : NULL;
    if (!producer->rk) {
        kafka_producer_free(producer);
        return NULL;
    }
    return producer;
}

/* Topics that a handle has been told of must be given back before it is destroyed. */
static void forget_topics(struct kafka_producer *producer)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (producer->topics[i].handle)
            rd_kafka_topic_destroy(producer->topics[i].handle);
        free(producer->topics[i].name);
    }
    producer->topic_count = 0;
}

void kafka_producer_know(struct kafka_producer *producer, const char *topic)
{
    GROW(producer->topics, producer->topic_count, producer->topic_capacity);
    producer->topics[producer->topic_count++] =
        (struct known_topic){ xstrdup(topic), rd_kafka_topic_new(producer->rk, topic, NULL) };
}

bool kafka_producer_learn(struct kafka_producer *producer, const char *topic, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *known;

    kafka_producer_know(producer, topic);
    known = producer->topics[producer->topic_count - 1].handle;
    if (!known || rd_kafka_metadata(producer->rk, 0, known, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* Reports everything that a handle still holds, and destroys it. */
static void retire(rd_kafka_t *rk)
{
    int64_t end_ms = clock_boot_ms() + DRAIN_TIMEOUT_MS;

    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(rk) > 0 && clock_boot_ms() < end_ms)
        rd_kafka_poll(rk, 50);
    rd_kafka_destroy(rk);
}

void kafka_producer_free(struct kafka_producer *producer)
{
    if (!producer)
        return;
    forget_topics(producer);
    free(producer->topics);
    if (producer->rk)
        retire(producer->rk);
    if (producer->conf)
        rd_kafka_conf_destroy(producer->conf);
    pthread_rwlock_destroy(&producer->lock);
    kafka_client_release(&producer->client);
    free(producer);
}

static void replace_fatal(struct kafka_producer *producer)
{
    struct err err = ERR_INIT;
    char text[512] = "";
    rd_kafka_t *old = producer->rk;
    rd_kafka_t *fresh = handle_new(producer, &err);

    if (!fresh)
        return; /* no thread or memory: the next poll tries again */
    for (size_t i = 0; i < producer->topic_count; i++) {
        struct known_topic *known = &producer->topics[i];

        if (known->handle)
            rd_kafka_topic_destroy(known->handle);
        known->handle = rd_kafka_topic_new(fresh, known->name, NULL);
    }
    rd_kafka_fatal_error(old, text, sizeof text);
    log_error_text(LOG_LEVEL_WARNING, "kafka producer replaced", text, "held=%d", rd_kafka_outq_len(old));
    pthread_rwlock_wrlock(&producer->lock);
    producer->rk = fresh;
    atomic_store(&producer->fatal, false);
    pthread_rwlock_unlock(&producer->lock);
    retire(old);
}

/* ---- sending ---- */

static rd_kafka_headers_t *headers_of(const char *const *headers)
{
    rd_kafka_headers_t *list;

    if (!headers || !headers[0])
        return NULL;
    list = rd_kafka_headers_new(HEADERS_MAX);
    for (; headers[0]; headers += 2)
        rd_kafka_header_add(list, headers[0], -1, headers[1], -1);
    return list;
}

static enum status send_error(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *topic,
                              struct err *err)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return ST_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return err_set_server(err, ST_LIMIT, "kafka", "the queue of messages to Kafka at %s is full",
                              producer->client.brokers);
    case RD_KAFKA_RESP_ERR__FATAL:
        atomic_store(&producer->fatal, true);
        return err_set_server(err, ST_LIMIT, "kafka", "the Kafka producer is being replaced");
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return err_set_server(err, ST_INVALID, "kafka", "message to %s refused: %s; %s", topic, rd_kafka_err2str(code),
                              kafka_cause(code, ""));
    default: return kafka_error(&producer->client, code, topic, 0, err);
    }
}

enum status kafka_producer_send(struct kafka_producer *producer, const char *topic, int partition, const void *key,
                                size_t key_size, const void *value, size_t value_size, const char *const *headers,
                                void *arg, struct err *err)
{
    rd_kafka_headers_t *list = headers_of(headers);
    rd_kafka_vu_t parts[8];
    size_t count = 0;
    rd_kafka_error_t *error;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic };
    parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_PARTITION,
                                      .u.i32 = partition >= 0 ? partition : RD_KAFKA_PARTITION_UA };
    parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY };
    parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = arg };
    parts[count++] =
        (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)value, value_size } };
    if (key)
        parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)key, key_size } };
    if (list)
        parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = list };
    pthread_rwlock_rdlock(&producer->lock);
    error = rd_kafka_produceva(producer->rk, parts, count);
    pthread_rwlock_unlock(&producer->lock);
    if (error) {
        code = rd_kafka_error_is_fatal(error) ? RD_KAFKA_RESP_ERR__FATAL /* of which it says the reason instead */
                                              : rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        if (list)
            rd_kafka_headers_destroy(list); /* ours again on failure */
    }
    return send_error(producer, code, topic, err);
}

int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms)
{
    int served = rd_kafka_poll(producer->rk, timeout_ms);

    if (atomic_load(&producer->fatal))
        replace_fatal(producer);
    return served;
}

enum status kafka_producer_flush(struct kafka_producer *producer, int timeout_ms, struct err *err)
{
    int64_t begin_ms = clock_boot_ms();
    char text[768];
    int held;

    do {
        int64_t rest_ms = timeout_ms - (clock_boot_ms() - begin_ms);

        rd_kafka_flush(producer->rk, rest_ms > 100 ? 100 : rest_ms > 0 ? (int)rest_ms : 0);
        kafka_producer_poll(producer, 0);
        held = rd_kafka_outq_len(producer->rk);
    } while (held > 0 && clock_boot_ms() - begin_ms < timeout_ms);
    if (held == 0)
        return ST_OK;
    kafka_trouble_text(&producer->client, text, sizeof text);
    return err_set_server(err, ST_AGAIN, "kafka", "%d messages not acknowledged within %d ms: %s", held, timeout_ms,
                          text);
}
