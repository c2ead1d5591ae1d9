/* For tests of the coordinator: librdkafka's mock broker and a private redis-server, coordinators as threads of this
 * process, and a hand that does what producers and workers do. Everything waits for conditions, with one deadline. */
#ifndef TESTS_FUNCTIONS_COORDINATOR_STACK_H
#define TESTS_FUNCTIONS_COORDINATOR_STACK_H

#pragma GCC diagnostic ignored "-Wunused-function" /* a test takes what it needs */
#include "tests/support/test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/record/routing.h"
#include "coordinator/daemon/coordinator.h"
#include "coordinator/intake/memory_limit.h"
#include "coordinator/daemon/topics.h"
#include "tests/support/redis_cluster.h"
#include "tests/support/redis_server.h"

/* The mock broker waits for a session less a second before it gives a group that anybody joined or left its partitions; and
 * whoever asks it for his (SyncGroup) after the leader has told them is refused and joins once more, so that such a wait
 * may come several times in a row. */
#define STACK_SESSION_MS "3000"

enum { STACK_SHARDS = 4, STACK_PARTITIONS = 2, STACK_LEASE_MS = 1000, STACK_WAIT_MS = 60000 };

struct running {
    struct coordinator *coordinator;
    pthread_t thread;
    int exit_code;
    bool on;
};

static struct stack {
    struct kafka_mock *mock;
    struct redis_server server;
    struct redis_cluster *cluster; /* that runs, in place of the server; set before stack_open */
    struct config config;
    struct running coordinators[2];
    struct kafka_producer *producer;
    struct kafka_delivery last; /* of the producer's last message */
    int outstanding;
    struct redis *redis;
    int extra_partitions; /* of every topic, beyond those that the queue uses; set before stack_open */
    char text[65536];     /* of the last question to Redis */
} stack;

static void on_stack_delivery(void *arg, const struct kafka_delivery *delivery)
{
    (void)arg;
    assert_int_equal(delivery->status, ST_OK);
    stack.last = *delivery;
    stack.outstanding--;
}

static void stack_create_topics(void)
{
    struct topics topics;
    struct err err = ERR_INIT;

    topics_init(&topics, &stack.config);
    for (size_t i = 0; i < topics.count; i++)
        assert_int_equal(kafka_mock_create_topic(stack.mock, topics.list[i].name,
                                                 topics.list[i].partitions + stack.extra_partitions, &err),
                         ST_OK);
    topics_release(&topics);
}

static void stack_set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&stack.config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void stack_open(void)
{
    struct err err = ERR_INIT;
    struct kafka_settings settings;
    enum log_level level = LOG_LEVEL_ERROR;
    const char *url;

    if (getenv("BGOP_LOG_LEVEL"))
        log_level_parse(getenv("BGOP_LOG_LEVEL"), &level);
    log_start("test", level, false);
    if (!stack.cluster)
        redis_server_start(&stack.server, true);
    url = stack.cluster ? stack.cluster->url : stack.server.url;
    stack.mock = kafka_mock_new(&err);
    assert_non_null(stack.mock);
    config_init(&stack.config);
    stack_set("queue", "shards", "4");
    stack_set("queue", "submit_partitions", "2");
    stack_set("queue", "lease_ms", "1000");
    stack_set("kafka", "brokers", kafka_mock_brokers(stack.mock));
    stack_set("kafka", "session.timeout.ms", STACK_SESSION_MS);
    stack_set("kafka", "heartbeat.interval.ms", "500");
    stack_set("redis", "url", url);
    stack_set("types", "retry_backoff_ms", "100");
    stack_create_topics();
    settings = config_kafka(&stack.config, "test");
    stack.producer = kafka_producer_new(&settings, 0, on_stack_delivery, NULL, &err);
    assert_non_null(stack.producer);
    stack.redis = redis_new(url, stack.cluster ? 1000 : 5000, &err);
    assert_non_null(stack.redis);
}

/* ---- coordinators ---- */

static void *stack_thread(void *arg)
{
    struct running *running = arg;

    running->exit_code = coordinator_run(running->coordinator);
    running->on = false;
    return NULL;
}

static void stack_start(int which, bool rebuild)
{
    struct running *running = &stack.coordinators[which];

    running->coordinator = coordinator_new(&stack.config, rebuild);
    running->on = true;
    pthread_create(&running->thread, NULL, stack_thread, running);
}

static int stack_join(int which)
{
    struct running *running = &stack.coordinators[which];

    pthread_join(running->thread, NULL);
    coordinator_free(running->coordinator);
    running->coordinator = NULL;
    return running->exit_code;
}

static int stack_stop(int which)
{
    coordinator_stop(stack.coordinators[which].coordinator);
    return stack_join(which);
}

static void stack_nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* Waits until the expression holds; else fails with its text. */
#define EVENTUALLY(expression)                                                            \
    do {                                                                                  \
        int64_t deadline_ms = clock_boot_ms() + STACK_WAIT_MS;                            \
        while (!(expression)) {                                                           \
            if (clock_boot_ms() > deadline_ms)                                            \
                fail_msg("still not: %s (last answer: %.400s)", #expression, stack.text); \
            stack_nap();                                                                  \
        }                                                                                 \
    } while (0)

static void stack_wait_ready(int which)
{
    EVENTUALLY(coordinator_ready(stack.coordinators[which].coordinator));
}

/* For the teardown of a case that kills Redis: if it failed meanwhile, the cases behind it have one all the same. */
static void stack_redis_back(void)
{
    if (stack.server.pid <= 0)
        redis_server_again(&stack.server);
}

static void stack_close(void)
{
    for (int i = 0; i < 2; i++) {
        if (stack.coordinators[i].coordinator)
            stack_stop(i);
    }
    kafka_producer_free(stack.producer);
    redis_free(stack.redis);
    kafka_mock_free(stack.mock);
    if (!stack.cluster)
        redis_server_stop(&stack.server);
    config_release(&stack.config);
}

/* ---- what producers and workers do ---- */

/* Appends to <prefix>.<name>; stack.last says where it is. */
static void stack_produce(const char *name, int partition, const void *value, size_t size)
{
    char topic[300];
    struct err err = ERR_INIT;

    config_topic(&stack.config, name, topic, sizeof topic);
    stack.outstanding++;
    assert_int_equal(kafka_producer_send(stack.producer, topic, partition, NULL, 0, value, size, NULL, NULL, &err),
                     ST_OK);
    EVENTUALLY(kafka_producer_poll(stack.producer, 10) >= 0 && stack.outstanding == 0);
}

/* Submits; answers the Id that follows from the delivery report (common/record/README.md). */
static const char *stack_submit(int partition, const char *routing_key, const char *json)
{
    static char ids[8][ID_SIZE];
    static int n;
    char *id = ids[n++ % 8];

    stack_produce("submit", partition, json, strlen(json));
    id_make(id, &(struct id_parts){ .shard = routing_shard(routing_key, strlen(routing_key), partition,
                                                           stack.last.offset, STACK_SHARDS),
                                    .partition = partition,
                                    .offset = stack.last.offset });
    return id;
}

static int stack_shard(const char *id)
{
    struct id_parts parts;

    assert_true(id_parse(id, strlen(id), &parts));
    return parts.shard;
}

/* A command of Redis whose answer is a text or number; "" for nil. */
static const char *stack_ask(const char *command, const char *key, const char *field)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    stack.text[0] = '\0';
    if (redis_call(stack.redis, &reply, &err, command, key, field, NULL) != ST_OK)
        return stack.text;
    if (redis_reply_kind(reply) == REDIS_INTEGER)
        snprintf(stack.text, sizeof stack.text, "%" PRId64, redis_reply_int(reply, -1));
    else
        snprintf(stack.text, sizeof stack.text, "%s", redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    return stack.text;
}

/* Is this in `health` of bgop_stats, which is then in stack.text? */
static bool stack_health_has(const char *text)
{
    const char *health = strstr(stack_ask("FCALL_RO", "bgop_stats", "0"), "\"health\":");

    assert_non_null(health);
    memmove(stack.text, health, strlen(health) + 1);
    return strstr(stack.text + strlen("\"health\":"), text) != NULL;
}

static int64_t stack_info_number(const char *name)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    int64_t number;

    assert_int_equal(redis_call(stack.redis, &reply, &err, "INFO", NULL), ST_OK);
    number = info_number(redis_reply_text(reply, NULL), name);
    redis_reply_free(reply);
    return number;
}

static void stack_config(const char *name, const char *value)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_call(stack.redis, &reply, &err, "CONFIG", "SET", name, value, NULL), ST_OK);
    redis_reply_free(reply);
}

static const char *stack_key(int shard, const char *rest)
{
    static char keys[4][160]; /* rest, of 127 at most, and its shard */
    static int n;
    char *key = keys[n++ % 4];

    snprintf(key, sizeof keys[0], "bgop:{%d}:%s", shard, rest);
    return key;
}

static const char *stack_field(const char *id, const char *field)
{
    char rest[64];

    snprintf(rest, sizeof rest, "op:%s", id);
    return stack_ask("HGET", stack_key(stack_shard(id), rest), field);
}

static bool stack_is(const char *id, const char *status)
{
    return strcmp(stack_field(id, "Status"), status) == 0;
}

static int64_t stack_generation(int shard)
{
    return strtoll(stack_ask("HGET", stack_key(shard, "gate"), "gen"), NULL, 10);
}

/* Of all shards together. */
static int64_t stack_count(const char *counter)
{
    int64_t sum = 0;

    for (int s = 0; s < STACK_SHARDS; s++)
        sum += strtoll(stack_ask("HGET", stack_key(s, "counts"), counter), NULL, 10);
    return sum;
}

/* Claims one operation, as a worker that has no hints would; its token, or 0. */
static uint64_t stack_claim(const char *id, const char *type)
{
    static int nonce;
    char nonce_text[32];
    struct claim call = { .shard = stack_shard(id),
                          .generation = stack_generation(stack_shard(id)),
                          .instance = "w-1",
                          .worker_uri = "http://w",
                          .nonce = nonce_text,
                          .type = type,
                          .want = 1,
                          .ids = (const char(*)[ID_SIZE])id,
                          .id_count = 1 };
    struct claim_answer answer = { 0 };
    struct err err = ERR_INIT;
    uint64_t token = 0;

    snprintf(nonce_text, sizeof nonce_text, "n%d", nonce++);
    if (claim_send(stack.redis, &call, &err) == ST_OK && claim_receive(stack.redis, &answer, &err) == ST_OK &&
        answer.count == 1 && strcmp(answer.ops[0].id, id) == 0)
        token = answer.ops[0].token;
    snprintf(stack.text, sizeof stack.text, "%s", err.text);
    claim_answer_release(&answer);
    return token;
}

static void stack_report(const char *id, uint64_t token, enum entry_kind kind, const char *text)
{
    struct status_entry entry = { .kind = kind,
                                  .token = token,
                                  .started_at_ms = -1,
                                  .duration_ms = 5,
                                  .retry_after_ms = -1,
                                  .text = text,
                                  .text_size = text ? strlen(text) : 0 };
    struct buf buf;

    memcpy(entry.id, id, sizeof entry.id);
    buf_init(&buf, 1 << 20);
    codec_write_status_batch(&buf, &entry, 1, "http://w", "w-1", NULL);
    stack_produce("status", stack_shard(id), buf.data, buf.size);
    buf_release(&buf);
}

static bool stack_ended(const char *id, const char *type, enum entry_kind kind, const char *text, const char *status)
{
    char now[32];
    uint64_t token;

    snprintf(now, sizeof now, "%s", stack_field(id, "Status")); /* asked once: it changes */
    if (strcmp(now, status) == 0)
        return true;
    if ((strcmp(now, "New") == 0 || strcmp(now, "Waiting") == 0) && (token = stack_claim(id, type)) != 0)
        stack_report(id, token, kind, text);
    return false;
}

/* Claims and reports, until its status is as wanted. On a machine with much to do the lease (a second) may be over before
 * the report is read: then it was an attempt of nobody's, and it is claimed again. */
static void stack_end(const char *id, const char *type, enum entry_kind kind, const char *text, const char *status)
{
    EVENTUALLY(stack_ended(id, type, kind, text, status));
}

/* ---- what lies on a topic ---- */

struct stack_topic {
    size_t count;
    char last[4096];
};

static void on_stack_message(void *arg, const struct kafka_message *message)
{
    struct stack_topic *topic = arg;

    topic->count++;
    snprintf(topic->last, sizeof topic->last, "%.*s", (int)message->value_size, (const char *)message->value);
}

static struct stack_topic stack_read(const char *name, int partition)
{
    struct kafka_settings settings = config_kafka(&stack.config, "test");
    struct stack_topic topic = { 0 };
    struct err err = ERR_INIT;
    char text[300];

    config_topic(&stack.config, name, text, sizeof text);
    assert_int_equal(kafka_read_all(&settings, text, partition, 10000, on_stack_message, &topic, &err), ST_OK);
    return topic;
}

static struct stack_topic stack_hints(const char *id, const char *type)
{
    return stack_read(type, stack_shard(id));
}

/* Of a whole group of tests. */
static inline int stack_setup(void **state)
{
    (void)state;
    stack_open();
    return 0;
}

static inline int stack_teardown(void **state)
{
    (void)state;
    stack_close();
    return 0;
}

#endif
