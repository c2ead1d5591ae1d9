/* librdkafka's mock broker: serves any client on loopback, other processes included. For bgop dev and tests: it keeps
 * about 5 MB per partition, then forgets the oldest silently, and everything when it ends. */
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h */

#include "common/base/memory.h"
#include "common/kafka/edge.h"

struct kafka_mock {
    rd_kafka_t *rk; /* what the cluster runs under; never used as a client */
    rd_kafka_mock_cluster_t *cluster;
};

struct kafka_mock *kafka_mock_new(struct err *err)
{
    return kafka_mock_new_of(1, err);
}

struct kafka_mock *kafka_mock_new_of(int brokers, struct err *err)
{
    struct kafka_mock *mock = xcalloc(1, sizeof *mock);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "log_level", "4", NULL, 0); /* no word about having no bootstrap servers */
    mock->rk = kafka_handle_new(RD_KAFKA_PRODUCER, conf, err);
    mock->cluster = mock->rk ? rd_kafka_mock_cluster_new(mock->rk, brokers) : NULL;
    if (!mock->cluster) {
        if (mock->rk)
            err_set(err, ST_FAILED, "the mock broker does not start");
        kafka_mock_free(mock);
        return NULL;
    }
    return mock;
}

void kafka_mock_free(struct kafka_mock *mock)
{
    if (!mock)
        return;
    if (mock->cluster)
        rd_kafka_mock_cluster_destroy(mock->cluster);
    if (mock->rk)
        rd_kafka_destroy(mock->rk);
    free(mock);
}

const char *kafka_mock_brokers(const struct kafka_mock *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

enum status kafka_mock_create_topic(struct kafka_mock *mock, const char *topic, int partitions, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return err_set(err, ST_FAILED, "creating topic %s on the mock broker: %s", topic, rd_kafka_err2str(code));
    return ST_OK;
}

/* ---- trouble to order, for tests ---- */

void kafka_mock_set_down(struct kafka_mock *mock, bool down)
{
    if (down)
        rd_kafka_mock_broker_set_down(mock->cluster, 1);
    else
        rd_kafka_mock_broker_set_up(mock->cluster, 1);
}

void kafka_mock_lead(struct kafka_mock *mock, const char *topic, int partition, int broker)
{
    rd_kafka_mock_partition_set_leader(mock->cluster, topic, partition, broker);
}

enum { PRODUCE_REQUEST = 0 };

void kafka_mock_serve_produce(struct kafka_mock *mock)
{
    rd_kafka_mock_clear_request_errors(mock->cluster, PRODUCE_REQUEST);
}

void kafka_mock_fail_produce(struct kafka_mock *mock, int kafka_error_code, int times)
{
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(mock->cluster, PRODUCE_REQUEST, 1, (rd_kafka_resp_err_t)kafka_error_code);
}
