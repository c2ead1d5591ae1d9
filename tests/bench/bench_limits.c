/* What a queue on these servers cannot exceed: the servers' own speed at what an operation needs at least.
 *
 *   bench_limits hset PORT COUNT DEPTH FIELD VALUE...   native HSETs of these fields, each into a key of its own, DEPTH
 *                                                       of them in flight: a second, and Redis' CPU for each
 *   bench_limits produce BROKERS TOPIC COUNT            librdkafka, 200 bytes, acks=all, idempotent
 *   bench_limits consume BROKERS TOPIC COUNT            from the beginning of all its partitions
 *
 * Prints one JSON object. */
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

enum { MESSAGE_BYTES = 200, BATCH = 1000, TIMEOUT_MS = 30000 };

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_limits: %s: %s\n", what, why);
    exit(1);
}

static double since(int64_t start_us)
{
    return (double)(clock_boot_us() - start_us + 1) / 1e6; /* never 0 */
}

/* ---- Redis ---- */

static void receive(redisContext *redis)
{
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK || ((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        fail("HSET", reply ? ((redisReply *)reply)->str : redis->errstr);
    freeReplyObject(reply);
}

static double cpu_s(redisContext *redis)
{
    redisReply *reply = redisCommand(redis, "INFO cpu");
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail("INFO", redis->errstr);
    const char *system = strstr(reply->str, "\nused_cpu_sys:"), *user = strstr(reply->str, "\nused_cpu_user:");
    double seconds = system && user ? strtod(system + 14, NULL) + strtod(user + 15, NULL) : 0;
    freeReplyObject(reply);
    return seconds;
}

static void limit_hset(int port, long count, long depth, int fields, char **field)
{
    redisContext *redis = redisConnect("127.0.0.1", port);
    const char **words = xcalloc((size_t)fields + 2, sizeof *words);
    char key[64];
    if (!redis || redis->err)
        fail("Redis", redis ? redis->errstr : "no memory");
    words[0] = "HSET";
    words[1] = key;
    memcpy(words + 2, field, (size_t)fields * sizeof *words);
    double cpu = cpu_s(redis);
    int64_t start = clock_boot_us();
    for (long i = 0; i < count; i++) {
        snprintf(key, sizeof key, "bench:limit:%ld", i);
        redisAppendCommandArgv(redis, fields + 2, words, NULL);
        if (i + 1 >= depth && (i + 1) % depth == 0) {
            for (long j = 0; j < depth; j++)
                receive(redis);
        }
    }
    for (long j = 0; j < count % depth; j++)
        receive(redis);
    double seconds = since(start);
    cpu = cpu_s(redis) - cpu;
    printf("{\"limit\":\"redis_hset\",\"operations\":%ld,\"depth\":%ld,\"fields\":%d,\"per_s\":%.0f,"
           "\"redis_us_per_operation\":%.2f}\n",
           count, depth, fields / 2, (double)count / seconds, cpu * 1e6 / (double)count);
    free(words);
    redisFree(redis);
}

/* ---- Kafka ---- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail(name, text);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[512];
    rd_kafka_t *kafka = rd_kafka_new(type, conf, text, sizeof text);
    if (!kafka)
        fail("Kafka", text);
    return kafka;
}

static void print_kafka(const char *limit, long count, double seconds)
{
    printf("{\"limit\":\"%s\",\"operations\":%ld,\"bytes\":%d,\"per_s\":%.0f}\n", limit, count, MESSAGE_BYTES,
           (double)count / seconds);
}

/* Connects and learns where the partitions are, so that this is not measured. Answers how many there are. */
static int know_topic(rd_kafka_t *kafka, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(kafka, 0, handle, &metadata, TIMEOUT_MS);
    if (error || metadata->topic_cnt != 1)
        fail("metadata", rd_kafka_err2str(error));
    int partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return partitions;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *arg)
{
    (void)kafka;
    if (message->err)
        fail("produce", rd_kafka_err2str(message->err));
    ++*(long *)arg;
}

static void limit_produce(const char *brokers, const char *topic, long count)
{
    char payload[MESSAGE_BYTES];
    long delivered = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    memset(payload, 'x', sizeof payload);
    set(conf, "bootstrap.servers", brokers);
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "queue.buffering.max.messages", "500000");
    rd_kafka_conf_set_opaque(conf, &delivered);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, conf);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    know_topic(kafka, topic);
    int64_t start = clock_boot_us();
    for (long i = 0; i < count; i++) {
        while (rd_kafka_produce(handle, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payload, sizeof payload, &i,
                                sizeof i, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
            rd_kafka_poll(kafka, 5);
        }
        if (i % 256 == 0)
            rd_kafka_poll(kafka, 0);
    }
    if (rd_kafka_flush(kafka, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR || delivered != count)
        fail("produce", "not everything was delivered in time");
    print_kafka("kafka_produce", count, since(start));
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(kafka);
}

static void limit_consume(const char *brokers, const char *topic, long count)
{
    rd_kafka_message_t *messages[BATCH];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    long got = 0;
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "bench-limits");
    set(conf, "enable.auto.commit", "false");
    rd_kafka_t *kafka = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(kafka);
    int count_of_partitions = know_topic(kafka, topic);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(count_of_partitions);
    for (int p = 0; p < count_of_partitions; p++)
        rd_kafka_topic_partition_list_add(partitions, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(kafka, partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
    int64_t start = 0; /* counted from the first batch on: before that it is about connections */
    while (got < count) {
        ssize_t some = rd_kafka_consume_batch_queue(queue, TIMEOUT_MS, messages, BATCH);
        if (some <= 0)
            fail("consume", "the topic has fewer messages, or the broker does not answer");
        start = start ? start : clock_boot_us();
        for (ssize_t i = 0; i < some; i++) {
            got += messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    print_kafka("kafka_consume", count, since(start));
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

int main(int argc, char **argv)
{
    long count = argc > 4 ? strtol(argv[argc > 5 ? 3 : 4], NULL, 10) : 0;
    if (argc > 6 && argc % 2 == 1 && count > 0 && strcmp(argv[1], "hset") == 0 && strtol(argv[4], NULL, 10) > 0)
        limit_hset((int)strtol(argv[2], NULL, 10), count, strtol(argv[4], NULL, 10), argc - 5, argv + 5);
    else if (argc == 5 && count > 0 && strcmp(argv[1], "produce") == 0)
        limit_produce(argv[2], argv[3], count);
    else if (argc == 5 && count > 0 && strcmp(argv[1], "consume") == 0)
        limit_consume(argv[2], argv[3], count);
    else {
        fprintf(stderr,
                "usage: bench_limits hset PORT COUNT DEPTH FIELD VALUE... | produce|consume BROKERS TOPIC COUNT\n");
        return 64;
    }
    return 0;
}
