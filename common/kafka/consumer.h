/* The consumer's inside, shared by consumer.c, positions.c, surplus.c and offsets.c. */
#ifndef BGOP_KAFKA_CONSUMER_H
#define BGOP_KAFKA_CONSUMER_H

#include "common/kafka/edge.h"

enum { KAFKA_CALL_TIMEOUT_MS = 5000 }; /* of requests to librdkafka itself, such as seek */

struct owned_partition {
    char *topic;
    int partition;
    int64_t start; /* where reading began (assignment or seek) */
    bool paused;
    bool from_stored; /* librdkafka itself was left to look up the committed offset */
};

struct kafka_consumer {
    struct kafka_client client; /* first: librdkafka's opaque */
    rd_kafka_t *rk;
    struct kafka_consumer_events events;
    int ready_fd;                             /* told when something comes into the empty queue; -1: none to be had */
    struct kafka_subscription *subscriptions; /* names owned */
    size_t subscription_count;
    struct owned_partition *owned;
    size_t owned_count;
    struct kafka_client asking;   /* a handle of its own for questions about offsets: on the consumer's */
    rd_kafka_conf_t *asking_conf; /* connection they would wait behind the fetch request in flight */
    rd_kafka_t *asking_rk;        /* NULL: nothing was asked yet */
    bool outage;
    int64_t probe_at_ms;
    char last_complaint[256]; /* the same complaint is logged once in a row */
};

/* Those of an assignment that are ours to read; the caller destroys the list. What is not is told. */
rd_kafka_topic_partition_list_t *kafka_surplus_drop(struct kafka_consumer *consumer,
                                                    const rd_kafka_topic_partition_list_t *list);

void kafka_owned_clear(struct kafka_consumer *consumer);
void kafka_owned_fill(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list);
/* Before they are given away. */
void kafka_owned_resume(struct kafka_consumer *consumer);
struct owned_partition *kafka_owned_find(struct kafka_consumer *consumer, const char *topic, int partition);

#endif
