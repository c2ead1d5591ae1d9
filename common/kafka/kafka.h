/* The Kafka edge: the only includer of librdkafka. A consumer belongs to one thread; a producer may be shared.
 * What librdkafka gets wrong by default is fixed here (README.md says why): offsets are stored by hand, range assignor,
 * eager rebalancing, auto.offset.reset=error, one message per poll, idempotent producer with FATAL recovery. */
#ifndef BGOP_KAFKA_KAFKA_H
#define BGOP_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* What every client gets: bootstrap servers and the [kafka] section's librdkafka properties, in order. */
struct kafka_property {
    char *name, *value;
};
struct kafka_settings {
    const char *brokers;
    const struct kafka_property *properties;
    size_t property_count;
    const char *client_id;
};

/* May a user set this librdkafka property? ST_INVALID: err names an unknown one with the nearest known, a value that
 * librdkafka refuses, or why ours is fixed. */
enum status kafka_property_check(const char *name, const char *value, struct err *err) MUST_CHECK;
/* Is its value for nobody to see (passwords, keys)? */
bool kafka_property_is_secret(const char *name);

/* Do the properties go together, and with what our loops take their time for? ST_INVALID: err names the one to change.
 * Connects to nothing. */
enum status kafka_settings_check(const struct kafka_settings *settings, struct err *err) MUST_CHECK;

struct kafka_message { /* borrowed until released */
    const char *topic;
    int partition;
    int64_t offset;
    int64_t timestamp_ms;
    const void *key;
    size_t key_size; /* NULL: none */
    const void *value;
    size_t value_size;
    void *handle;
};
/* A header's value (its last one, any bytes, no NUL behind them), part of the message; NULL: none. */
const char *kafka_message_header(const struct kafka_message *message, const char *name, size_t *size);
void kafka_message_release(struct kafka_message *message);

/* ---- consumer ---- */
struct kafka_consumer;
struct kafka_position {
    const char *topic;
    int partition;
    int64_t offset;
};
struct kafka_consumer_events { /* called inside kafka_consumer_poll, on its thread; all may be NULL */
    /* Partitions now owned: the callee answers with where to start, per partition (offset, or
     * KAFKA_OFFSET_STORED for the group's committed one). */
    void (*on_assigned)(void *arg, struct kafka_position *positions, size_t count);
    void (*on_revoked)(void *arg, const struct kafka_position *positions, size_t count, bool lost);
    /* A position is out of the log's range, or the partition's end was reached (EOF: next offset to come). */
    void (*on_out_of_range)(void *arg, const char *topic, int partition, const char *text);
    void (*on_end)(void *arg, const char *topic, int partition, int64_t next_offset);
    /* Brokers unreachable, authentication: err in words, for an outage's begin; NULL text: they answer again. */
    void (*on_outage)(void *arg, const char *text);
    void *arg;
};
#define KAFKA_OFFSET_STORED    (-1000) /* the group's committed offset, else the beginning */
#define KAFKA_OFFSET_BEGINNING (-2)

struct kafka_consumer *kafka_consumer_new(const struct kafka_settings *settings, const char *group,
                                          const struct kafka_consumer_events *events, struct err *err);
/* Leaves the group (on_revoked is called) and frees. */
void kafka_consumer_free(struct kafka_consumer *consumer);
/* A topic to be read. Partitions from `partitions` on are somebody's later addition (0: all are ours): whatever the group
 * assigns, they are never handed over, only told (kafka_surplus_tell). So a partition in an event or a message is always
 * below that number. */
struct kafka_subscription {
    const char *topic;
    int partitions;
    const char *advice;
};
enum status kafka_consumer_subscribe(struct kafka_consumer *consumer, const struct kafka_subscription *topics,
                                     size_t count, struct err *err) MUST_CHECK;
/* Says that a topic has more partitions than are used, once in this process for each number found. advice: what to do;
 * NULL: nothing is. */
void kafka_surplus_tell(const char *topic, int found, int used, const char *advice);
/* Next message within timeout_ms, or false. */
bool kafka_consumer_poll(struct kafka_consumer *consumer, int timeout_ms, struct kafka_message *message);
/* Waits until a poll may find something, or until one of these descriptors (-1: none) can be read; consumer may be NULL:
 * for them alone. Only to be called when the last poll found nothing. */
enum { KAFKA_WAIT_ALSO_MAX = 16 };
void kafka_consumer_wait(struct kafka_consumer *consumer, const int *also, size_t count, int timeout_ms);
enum status kafka_consumer_seek(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
                                struct err *err) MUST_CHECK;
/* Marks everything below next_offset as handled; committed in the background (each second) and at revoke. */
enum status kafka_consumer_store(struct kafka_consumer *consumer, const char *topic, int partition, int64_t next_offset,
                                 struct err *err) MUST_CHECK;
enum status kafka_consumer_pause(struct kafka_consumer *consumer, const char *topic, int partition,
                                 struct err *err) MUST_CHECK;
enum status kafka_consumer_resume(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
                                  struct err *err) MUST_CHECK;
/* Log start and end of a partition, asked of the broker (blocks up to timeout_ms). */
enum status kafka_consumer_log_range(struct kafka_consumer *consumer, const char *topic, int partition, int timeout_ms,
                                     int64_t *start, int64_t *end, struct err *err) MUST_CHECK;
/* Log ends of several partitions of one topic in one round trip per broker (ends[i] of partitions[i]). */
enum status kafka_consumer_log_ends(struct kafka_consumer *consumer, const char *topic, const int *partitions,
                                    size_t count, int timeout_ms, int64_t *ends, struct err *err) MUST_CHECK;
/* Committed offsets of a group (-1: none). */
enum status kafka_consumer_committed(struct kafka_consumer *consumer, const char *topic, int partition_count,
                                     int timeout_ms, int64_t *offsets, struct err *err) MUST_CHECK;

/* ---- reading by hand: no group, nothing is committed ---- */
struct kafka_reader;
/* false: nothing more is wanted. */
typedef bool kafka_on_message(void *arg, const struct kafka_message *message);
struct kafka_reader *kafka_reader_new(const struct kafka_settings *settings, struct err *err);
void kafka_reader_free(struct kafka_reader *reader);
enum status kafka_reader_range(struct kafka_reader *reader, const char *topic, int partition, int timeout_ms,
                               int64_t *start, int64_t *end, struct err *err) MUST_CHECK;
/* The messages of a partition in [from, to), as far as its log goes; from must not lie below its start. */
enum status kafka_reader_read(struct kafka_reader *reader, const char *topic, int partition, int64_t from, int64_t to,
                              int timeout_ms, kafka_on_message *on_message, void *arg, struct err *err) MUST_CHECK;
/* Reads a whole partition from its beginning to the end as it was at the call (the control topic). */
enum status kafka_read_all(const struct kafka_settings *settings, const char *topic, int partition, int timeout_ms,
                           void (*on_message)(void *arg, const struct kafka_message *message), void *arg,
                           struct err *err) MUST_CHECK;
/* The message at one offset. ST_MISSING: the log holds none there, or no longer. */
enum status kafka_read_one(const struct kafka_settings *settings, const char *topic, int partition, int64_t offset,
                           int timeout_ms, void (*on_message)(void *arg, const struct kafka_message *message),
                           void *arg, struct err *err) MUST_CHECK;

/* ---- producer ---- */
struct kafka_producer;
/* Called inside kafka_producer_poll or kafka_producer_flush. status ST_OK: the log has it, at partition/offset.
 * ST_AGAIN: not known to be there (timed out, possibly persisted, producer was recreated): send again if it matters.
 * ST_INVALID: refused for good (too large ...). */
struct kafka_delivery {
    void *arg;
    enum status status;
    const char *text;
    const char *topic;
    int partition;
    int64_t offset;
};
typedef void kafka_on_delivery(void *producer_arg, const struct kafka_delivery *delivery);
/* linger_ms: how long a message may wait for others; own librdkafka properties go over it. */
struct kafka_producer *kafka_producer_new(const struct kafka_settings *settings, int linger_ms,
                                          kafka_on_delivery *on_delivery, void *producer_arg, struct err *err);
void kafka_producer_free(struct kafka_producer *producer);
/* It will send to this topic, which exists: asks in the background where its partitions are, and keeps knowing. Else the
 * first message of an idle producer waits for that, up to a second. By the polling thread, before others send. */
void kafka_producer_know(struct kafka_producer *producer, const char *topic);
/* The same for whoever sends and goes, or measures: knows it when this returns true; false: not within the time. */
bool kafka_producer_learn(struct kafka_producer *producer, const char *topic, int timeout_ms);
enum { KAFKA_PARTITION_BY_KEY = -1 }; /* murmur2, as Java's; without a key: random */
/* Copies key and value. headers: name, value pairs closed by NULL, or NULL. Anything but ST_OK: nothing was taken.
 * ST_LIMIT: the queue is full, or the producer is being replaced: poll, then try again. ST_INVALID: too large.
 * ST_MISSING: no such topic or partition. Sending from any thread, polling and flushing by one. */
enum status kafka_producer_send(struct kafka_producer *producer, const char *topic, int partition, const void *key,
                                size_t key_size, const void *value, size_t value_size, const char *const *headers,
                                void *arg, struct err *err) MUST_CHECK;
/* Serves delivery reports; recreates a producer that turned FATAL (whatever it held is reported ST_AGAIN). */
int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms);
enum status kafka_producer_flush(struct kafka_producer *producer, int timeout_ms, struct err *err) MUST_CHECK;

/* ---- logs ---- */
struct kafka_log {
    int64_t start, end; /* of what the brokers keep; end: the high watermark */
    int64_t stable;     /* what consumers may see ends here: below end while a transaction is open */
    int64_t committed;  /* of the group; -1: nothing */
};
/* Partitions 0 .. count - 1 of a topic, and how far a group has read them. */
enum status kafka_logs_look(const struct kafka_settings *settings, const char *topic, const char *group, int count,
                            int timeout_ms, struct kafka_log *logs, struct err *err) MUST_CHECK;

/* ---- topics and brokers ---- */
struct kafka_topic {
    const char *name;
    int partitions;
    bool any_count;            /* its number of partitions may be another: the caller's own note */
    int64_t retention_ms;      /* -1: for ever */
    int replicas, min_in_sync; /* when it is created; 0: the brokers' default */
    bool found;
    int found_partitions, found_replicas;
};
/* Fills what is found. ST_AGAIN: unreachable; err says which address, what was tried, the likely cause. */
enum status kafka_topics_look(const struct kafka_settings *settings, struct kafka_topic *topics, size_t count,
                              int timeout_ms, struct err *err) MUST_CHECK;
/* Creates those that are not found as they say; fine when somebody else was first. */
enum status kafka_topics_create(const struct kafka_settings *settings, const struct kafka_topic *topics, size_t count,
                                int timeout_ms, struct err *err) MUST_CHECK;
/* One setting of a topic ("retention.ms", "min.insync.replicas" ...); ST_MISSING: brokers do not tell (mock). */
enum status kafka_topic_setting(const struct kafka_settings *settings, const char *topic, const char *name, char *value,
                                size_t room, int timeout_ms, struct err *err) MUST_CHECK;
int kafka_broker_count(const struct kafka_settings *settings, int timeout_ms);
/* The cluster's own id; ST_AGAIN: brokers are away, or have none. */
enum status kafka_cluster_id(const struct kafka_settings *settings, char *id, size_t room, int timeout_ms,
                             struct err *err) MUST_CHECK;
/* "librdkafka 2.0.2": for the first log line. */
const char *kafka_version(void);

/* ---- the mock broker (bgop dev, tests) ---- */
struct kafka_mock;
struct kafka_mock *kafka_mock_new(struct err *err); /* one broker */
struct kafka_mock *kafka_mock_new_of(int brokers, struct err *err);
void kafka_mock_free(struct kafka_mock *mock);
const char *kafka_mock_brokers(const struct kafka_mock *mock);
enum status kafka_mock_create_topic(struct kafka_mock *mock, const char *topic, int partitions,
                                    struct err *err) MUST_CHECK;
/* Trouble to order, for tests: the (first) broker closes its port; a partition gets another leader (brokers count from 1);
 * produce requests are answered by a Kafka error code, so often or until they are served again. */
void kafka_mock_set_down(struct kafka_mock *mock, bool down);
void kafka_mock_lead(struct kafka_mock *mock, const char *topic, int partition, int broker);
void kafka_mock_fail_produce(struct kafka_mock *mock, int kafka_error_code, int times);
void kafka_mock_serve_produce(struct kafka_mock *mock);

#endif
