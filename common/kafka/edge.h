/* What the files of common/kafka share; nobody else includes it. */
#ifndef BGOP_KAFKA_EDGE_H
#define BGOP_KAFKA_EDGE_H

#include <librdkafka/rdkafka.h>

#include "common/kafka/kafka.h"
#include "common/server/causes.h"

/* What every librdkafka handle of ours carries as its opaque: where it connects, and what went wrong last. */
struct kafka_client {
    char *brokers;
    char trouble[512]; /* the last connection trouble in librdkafka's words; "" = none */
    rd_kafka_resp_err_t trouble_code;
    /* Called by librdkafka's error callback (inside poll), after trouble was set; may be NULL. */
    void (*on_error)(struct kafka_client *client, rd_kafka_resp_err_t code, const char *text);
};
void kafka_client_init(struct kafka_client *client, const struct kafka_settings *settings);
void kafka_client_release(struct kafka_client *client);

/* name, value pairs, closed by NULL. */
typedef const char *const *kafka_pairs;
/* A configuration: tunable settings, over them the user's properties, over them what is fixed. NULL: err says why. */
rd_kafka_conf_t *kafka_conf_new(struct kafka_client *client, const struct kafka_settings *settings, kafka_pairs tunable,
                                kafka_pairs fixed, struct err *err);
/* What a consumer's and a producer's handle are made from. */
rd_kafka_conf_t *kafka_consumer_conf(struct kafka_client *client, const struct kafka_settings *settings,
                                     const char *group, bool tell_ends, struct err *err);
rd_kafka_conf_t *kafka_producer_conf(struct kafka_client *client, const struct kafka_settings *settings, int linger_ms,
                                     struct err *err);
/* Takes conf in any case. NULL: err says why. */
rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err);
/* A plain handle for questions to the brokers (topics, settings). */
rd_kafka_t *kafka_question_handle(struct kafka_client *client, const struct kafka_settings *settings, struct err *err);

/* What an error of librdkafka means for the caller; transport errors say address, attempt and likely cause. */
enum status kafka_error(const struct kafka_client *client, rd_kafka_resp_err_t code, const char *what, int tried_ms,
                        struct err *err);
/* "Kafka at 127.0.0.1:9092 unreachable: Connection refused; is the broker running there ...?" */
void kafka_trouble_text(const struct kafka_client *client, char *text, size_t room);
bool kafka_error_is_outage(rd_kafka_resp_err_t code);

#endif
