/* The consumer: one thread, one message per poll, offsets stored by hand, eager rebalancing (why: README.md). Where
 * partitions stand is in positions.c, questions about offsets in offsets.c. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/kafka/consumer.h"

enum {
    COMMITTED_TRIES = 4,   /* x KAFKA_CALL_TIMEOUT_MS, at assignment; a watchdog waits 30 s for its loop */
    PROBE_EVERY_MS = 1000, /* during an outage: does a broker answer again? */
    PROBE_TIMEOUT_MS = 100,
    CLOSE_TIMEOUT_MS = 5000,
    BLIND_WAIT_MS = 5, /* without a descriptor: the queue is asked so often */
};

/* clang-format off */
static const char *const tunable[] = {
    "session.timeout.ms", "10000",
    "heartbeat.interval.ms", "3000",
    "max.poll.interval.ms", "60000",    /* so long a group waits for members that do not join: twice a watchdog's patience */
    "fetch.min.bytes", "1",
    "fetch.wait.max.ms", "100",         /* bounds how long a new position waits for the request in flight */
    "fetch.error.backoff.ms", "50",
    "fetch.max.bytes", "8388608",
    "queued.max.messages.kbytes", "8192",
    "auto.commit.interval.ms", "1000",
    "topic.metadata.refresh.interval.ms", "10000",  /* topics created later are found soon */
    NULL,
};
/* clang-format on */

/* ---- rebalancing ---- */

static struct kafka_position *positions_of(const rd_kafka_topic_partition_list_t *list)
{
    struct kafka_position *positions = xcalloc((size_t)list->cnt + 1, sizeof *positions);

    for (int i = 0; i < list->cnt; i++)
        positions[i] = (struct kafka_position){ list->elems[i].topic, list->elems[i].partition, KAFKA_OFFSET_STORED };
    return positions;
}

static rd_kafka_resp_err_t committed_once(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, timeout_ms);

    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    return code;
}

/* Turns KAFKA_OFFSET_STORED into the committed offset, or the beginning when there is none: with
 * auto.offset.reset=error librdkafka would call that an error. */
static void resolve_stored(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *stored = rd_kafka_topic_partition_list_new(list->cnt);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].offset == RD_KAFKA_OFFSET_STORED)
            rd_kafka_topic_partition_list_add(stored, list->elems[i].topic, list->elems[i].partition);
    }
    for (int try = 0; stored->cnt > 0 && try < COMMITTED_TRIES; try++) {
        code = committed_once(consumer->rk, stored, KAFKA_CALL_TIMEOUT_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
    }
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < stored->cnt; i++) {
        rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find(list, stored->elems[i].topic, stored->elems[i].partition);

        found->offset = stored->elems[i].offset >= 0 ? stored->elems[i].offset : RD_KAFKA_OFFSET_BEGINNING;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error_text(LOG_LEVEL_WARNING, "committed offsets unknown", rd_kafka_err2str(code), "partitions=%d",
                       stored->cnt);
    }
    rd_kafka_topic_partition_list_destroy(stored);
}

static void assign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    struct kafka_position *positions = positions_of(list);

    if (consumer->events.on_assigned)
        consumer->events.on_assigned(consumer->events.arg, positions, (size_t)list->cnt);
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = positions[i].offset == KAFKA_OFFSET_STORED ? RD_KAFKA_OFFSET_STORED
                                : positions[i].offset < 0                  ? RD_KAFKA_OFFSET_BEGINNING
                                                                           : positions[i].offset;
    }
    free(positions);
    resolve_stored(consumer, list);
    kafka_owned_fill(consumer, list);
    rd_kafka_assign(consumer->rk, list);
}

static void give_away(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    struct kafka_position *positions = positions_of(list);

    if (consumer->events.on_revoked) {
        consumer->events.on_revoked(consumer->events.arg, positions, (size_t)list->cnt,
                                    rd_kafka_assignment_lost(consumer->rk));
    }
    free(positions);
    kafka_owned_resume(consumer);
    rd_kafka_assign(consumer->rk, NULL); /* commits what was stored */
    kafka_owned_clear(consumer);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = opaque;
    rd_kafka_topic_partition_list_t *ours = kafka_surplus_drop(consumer, list);

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        assign(consumer, ours);
    else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        give_away(consumer, ours);
    else
        rd_kafka_assign(rk, NULL);
    rd_kafka_topic_partition_list_destroy(ours);
}

/* ---- outages ---- */

static void outage_begins(struct kafka_client *client, rd_kafka_resp_err_t code, const char *text)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)(void *)client;
    char words[768];

    (void)text;
    /* One lost connection is enough: librdkafka does not always say that all are down, and whatever broker comes back may
     * have another log. If others answer, the outage ends with the next word of theirs. */
    if ((!kafka_error_is_outage(code) && code != RD_KAFKA_RESP_ERR__TRANSPORT) || consumer->outage)
        return;
    consumer->outage = true;
    consumer->probe_at_ms = clock_boot_ms() + PROBE_EVERY_MS;
    kafka_trouble_text(client, words, sizeof words);
    if (consumer->events.on_outage)
        consumer->events.on_outage(consumer->events.arg, words);
}

static void outage_ends(struct kafka_consumer *consumer)
{
    consumer->outage = false;
    consumer->client.trouble[0] = '\0';
    consumer->client.trouble_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (consumer->events.on_outage)
        consumer->events.on_outage(consumer->events.arg, NULL);
}

/* An idle group says nothing when its brokers are back: ask. */
static void outage_probe(struct kafka_consumer *consumer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t now_ms = clock_boot_ms();

    if (now_ms < consumer->probe_at_ms)
        return;
    if (rd_kafka_metadata(consumer->rk, 0, NULL, &metadata, PROBE_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        outage_ends(consumer);
    }
    consumer->probe_at_ms = clock_boot_ms() + PROBE_EVERY_MS;
}

/* ---- life ---- */

rd_kafka_conf_t *kafka_consumer_conf(struct kafka_client *client, const struct kafka_settings *settings,
                                     const char *group, bool tell_ends, struct err *err)
{
    const char *fixed[] = {
        "group.id",
        group,
        "enable.auto.offset.store",
        "false",
        "enable.auto.commit",
        "true",
        "auto.offset.reset",
        "error",
        "partition.assignment.strategy",
        "range",
        "enable.partition.eof",
        tell_ends ? "true" : "false",
        NULL,
    };

    return kafka_conf_new(client, settings, tunable, fixed, err);
}

/* librdkafka 2.0.2 waits on the wall clock: a host's clock that is set back makes its shortest wait as much longer, and a
 * watchdog ends the process. So its queue is only asked, and the waiting is done on a descriptor. */
static void ready_open(struct kafka_consumer *consumer)
{
    static const uint64_t one = 1;
    rd_kafka_queue_t *queue;

    consumer->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (consumer->ready_fd < 0)
        return;
    queue = rd_kafka_queue_get_consumer(consumer->rk);
    rd_kafka_queue_io_event_enable(queue, consumer->ready_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
}

void kafka_consumer_wait(struct kafka_consumer *consumer, const int *also, size_t count, int timeout_ms)
{
    struct pollfd ready[1 + KAFKA_WAIT_ALSO_MAX] = { { .fd = consumer ? consumer->ready_fd : -1, .events = POLLIN } };
    uint64_t times;

    BGOP_ASSERT(count <= KAFKA_WAIT_ALSO_MAX);
    for (size_t i = 0; i < count; i++)
        ready[1 + i] = (struct pollfd){ .fd = also[i], .events = POLLIN };
    if (consumer && consumer->ready_fd < 0 && timeout_ms > BLIND_WAIT_MS)
        timeout_ms = BLIND_WAIT_MS;
    if (poll(ready, 1 + count, timeout_ms) > 0 && (ready[0].revents & POLLIN) &&
        read(consumer->ready_fd, &times, sizeof times) < 0)
        return; /* somebody else's wake: then there is nothing, and the queue says so */
}

static void ready_close(struct kafka_consumer *consumer)
{
    if (consumer->ready_fd >= 0)
        close(consumer->ready_fd);
}

struct kafka_consumer *kafka_consumer_new(const struct kafka_settings *settings, const char *group,
                                          const struct kafka_consumer_events *events, struct err *err)
{
    struct kafka_consumer *consumer = xcalloc(1, sizeof *consumer);
    rd_kafka_conf_t *conf;

    kafka_client_init(&consumer->client, settings);
    consumer->client.on_error = outage_begins;
    if (events)
        consumer->events = *events;
    conf = kafka_consumer_conf(&consumer->client, settings, group, events && events->on_end, err);
    if (conf)
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    consumer->rk = conf ? kafka_handle_new(RD_KAFKA_CONSUMER, conf, err) : NULL;
    if (!consumer->rk) {
        kafka_client_release(&consumer->client);
        free(consumer);
        return NULL;
    }
    rd_kafka_poll_set_consumer(consumer->rk);
    ready_open(consumer);
    kafka_client_init(&consumer->asking, settings);
    consumer->asking_conf = kafka_conf_new(&consumer->asking, settings, NULL, NULL, err);
    if (consumer->asking_conf)
        return consumer;
    kafka_consumer_free(consumer);
    return NULL;
}

/* Leaves the group. rd_kafka_consumer_close would wait for ever for a broker that is gone, so the closing is served
 * from a queue of ours, and given up after a while. */
static bool close_within(struct kafka_consumer *consumer, int timeout_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->rk, queue);
    int64_t end_ms = clock_boot_ms() + timeout_ms;
    bool closed;

    if (error)
        rd_kafka_error_destroy(error);
    while (!(closed = rd_kafka_consumer_closed(consumer->rk) != 0) && clock_boot_ms() < end_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 50);

        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
            on_rebalance(consumer->rk, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event),
                         consumer);
        }
        if (event)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return closed;
}

static void subscriptions_release(struct kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->subscription_count; i++)
        free((char *)(uintptr_t)consumer->subscriptions[i].topic);
    free(consumer->subscriptions);
    consumer->subscriptions = NULL;
    consumer->subscription_count = 0;
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
    if (!consumer)
        return;
    if (close_within(consumer, CLOSE_TIMEOUT_MS))
        rd_kafka_destroy(consumer->rk);
    else
        rd_kafka_destroy_flags(consumer->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (consumer->asking_rk)
        rd_kafka_destroy(consumer->asking_rk);
    if (consumer->asking_conf)
        rd_kafka_conf_destroy(consumer->asking_conf);
    kafka_client_release(&consumer->asking);
    ready_close(consumer);
    kafka_owned_clear(consumer);
    subscriptions_release(consumer);
    kafka_client_release(&consumer->client);
    free(consumer);
}

enum status kafka_consumer_subscribe(struct kafka_consumer *consumer, const struct kafka_subscription *topics,
                                     size_t count, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t code;

    subscriptions_release(consumer);
    consumer->subscriptions = xcalloc(count, sizeof *consumer->subscriptions);
    for (size_t i = 0; i < count; i++) {
        struct kafka_subscription *subscription = &consumer->subscriptions[consumer->subscription_count++];

        *subscription = topics[i];
        subscription->topic = xstrdup(topics[i].topic);
        rd_kafka_topic_partition_list_add(list, topics[i].topic, RD_KAFKA_PARTITION_UA);
    }
    code = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return kafka_error(&consumer->client, code, "subscribing", 0, err);
}

/* ---- polling ---- */

static void complain(struct kafka_consumer *consumer, const char *topic, int partition, const char *text)
{
    if (strncmp(text, consumer->last_complaint, sizeof consumer->last_complaint - 1) == 0)
        return;
    text_copy(consumer->last_complaint, sizeof consumer->last_complaint, text, strlen(text));
    log_error_text(LOG_LEVEL_WARNING, "kafka consumer", text, "topic=%s partition=%d", topic, partition);
}

static void out_of_range(struct kafka_consumer *consumer, const char *topic, int partition, const char *text)
{
    struct owned_partition *owned = kafka_owned_find(consumer, topic, partition);
    struct err err = ERR_INIT;

    if (!owned)
        return;
    if (consumer->events.on_out_of_range && !owned->from_stored) {
        consumer->events.on_out_of_range(consumer->events.arg, topic, partition, text);
        return;
    }
    complain(consumer, topic, partition, text);
    owned->from_stored = false;
    if (kafka_consumer_seek(consumer, topic, partition, KAFKA_OFFSET_BEGINNING, &err) != ST_OK)
        complain(consumer, topic, partition, err.text);
}

static void handle_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    const char *text = rd_kafka_message_errstr(message), *cause;
    char words[512];

    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (consumer->outage)
            outage_ends(consumer);
        if (consumer->events.on_end)
            consumer->events.on_end(consumer->events.arg, topic, message->partition, message->offset);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: out_of_range(consumer, topic, message->partition, text); break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: break; /* told by the error callback */
    default:
        cause = kafka_cause(message->err, text);
        snprintf(words, sizeof words, "%s%s%s", text, *cause ? "; " : "", cause);
        complain(consumer, topic, message->partition, words);
    }
}

static void fill_message(struct kafka_message *message, rd_kafka_message_t *from)
{
    rd_kafka_timestamp_type_t kind;

    *message = (struct kafka_message){
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
}

/* The next message or error; NULL: none within the time. */
static rd_kafka_message_t *next_of(struct kafka_consumer *consumer, int timeout_ms)
{
    int64_t end_ms = timeout_ms > 0 ? clock_boot_ms() + timeout_ms : 0;
    rd_kafka_message_t *next;

    if (consumer->ready_fd < 0)
        return rd_kafka_consumer_poll(consumer->rk, timeout_ms);
    while (!(next = rd_kafka_consumer_poll(consumer->rk, 0)) && timeout_ms > 0) {
        kafka_consumer_wait(consumer, NULL, 0, timeout_ms);
        timeout_ms = (int)(end_ms - clock_boot_ms());
    }
    return next;
}

bool kafka_consumer_poll(struct kafka_consumer *consumer, int timeout_ms, struct kafka_message *message)
{
    int64_t end_ms = timeout_ms > 0 ? clock_boot_ms() + timeout_ms : 0;
    rd_kafka_message_t *next;

    while ((next = next_of(consumer, timeout_ms))) {
        if (next->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (consumer->outage)
                outage_ends(consumer);
            fill_message(message, next);
            return true;
        }
        handle_error(consumer, next);
        rd_kafka_message_destroy(next);
        if (timeout_ms > 0) {
            int64_t rest_ms = end_ms - clock_boot_ms();

            timeout_ms = rest_ms > 0 ? (int)rest_ms : 0;
        }
    }
    if (consumer->outage)
        outage_probe(consumer);
    return false;
}

const char *kafka_message_header(const struct kafka_message *message, const char *name, size_t *size)
{
    rd_kafka_headers_t *headers;
    const void *found;

    if (!message->handle || rd_kafka_message_headers(message->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &found, size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    return found;
}

void kafka_message_release(struct kafka_message *message)
{
    if (message->handle)
        rd_kafka_message_destroy(message->handle);
    message->handle = NULL;
}
