/* A queue around libbgop: the mock broker, a private redis-server with the real functions, and the part of a coordinator
 * and a worker, played by hand. What the library submitted is ingested under the Ids that it told, so they must be
 * right. */
#ifndef TESTS_FUNCTIONS_CLIENT_QUEUE_H
#define TESTS_FUNCTIONS_CLIENT_QUEUE_H

#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/client/bgop.h"
#include "common/client/client.h"
#include "common/kafka/kafka.h"
#include "common/record/id.h"
#include "common/redis/functions.h"
#include "tests/support/redis_server.h"

enum { SHARDS = 4, PARTITIONS = 3, GENERATION = 7, DELIVERED_MAX = 64 };

static struct redis_server server;
static struct redis *redis;
static struct kafka_mock *mock;
static struct bgop *bgop;
static struct bgop_delivery delivered[DELIVERED_MAX];
static int delivered_count;
static int64_t status_next[SHARDS];

#define FINE(call)                               \
    do {                                         \
        struct err err = ERR_INIT;               \
        if ((call) != ST_OK)                     \
            fail_msg("%s: %s", #call, err.text); \
    } while (0)
#define OK(call)                                                        \
    do {                                                                \
        enum bgop_code code_ = (call);                                  \
        if (code_ != BGOP_OK)                                           \
            fail_msg("%s: %d %s", #call, (int)code_, bgop_error(bgop)); \
    } while (0)

static inline void redis_run(const char *verb, const char *key, const char *field, const char *value)
{
    struct redis_reply *reply = NULL;

    FINE(redis_call(redis, &reply, &err, verb, key, field, value, NULL));
    redis_reply_free(reply);
}

/* ---- the queue, as a coordinator starts it ---- */
static inline void arm(int shard)
{
    static const struct type_settings types[] = {
        { .name = "WebCart",
          .retry_backoff_ms = 1000,
          .retry_limit = 3,
          .timeout_ms = 60000,
          .retention_s = 3600,
          .retention_error_s = 7200,
          .merge_max = 1,
          .merge_max_bytes = 1 << 20,
          .on_sequence_failure = "hold" },
        { .name = "ExternalObject",
          .retry_backoff_ms = 1000,
          .retry_limit = 3,
          .timeout_ms = 60000,
          .retention_s = 3600,
          .retention_error_s = 7200,
          .merge_max = 10,
          .merge_max_bytes = 1 << 20,
          .on_sequence_failure = "hold" },
    };
    const struct arm call = {
        .shard = shard,
        .generation = GENERATION,
        .types = types,
        .type_count = TEST_COUNT(types),
        .queue = { .lease_ms = 30000, .retry_max_delay_ms = 3600000, .log_days = 30, .deleted_log_days = 15 },
    };
    bool opened = false;

    FINE(arm_send(redis, &call, &err));
    FINE(arm_receive(redis, &err));
    FINE(open_send(redis, shard, GENERATION, &err));
    FINE(open_receive(redis, &opened, &err));
    assert_true(opened);
}

static inline void start_queue(void)
{
    bool loaded;

    FINE(functions_load(redis, &loaded, &err));
    redis_run("HSET", "bgop:meta", "shards", "4");
    redis_run("HSET", "bgop:epochs", "2", "1");
    for (int shard = 0; shard < SHARDS; shard++)
        arm(shard);
    memset(status_next, 0, sizeof status_next);
}

/* Reads the submission of that delivery: its record appears, if Id and shard are right. */
static inline void ingest(const struct bgop_delivery *delivery, struct submission *submission)
{
    struct id_parts parts;
    struct ingest_op op = { .submission = submission, .traceparent = "" };
    struct fence_move move;
    struct ingest_answer answer = { 0 };

    assert_true(id_parse(delivery->id, ID_LENGTH, &parts));
    memcpy(op.id, delivery->id, ID_SIZE);
    move = (struct fence_move){
        .partition = parts.partition, .from = 0, .next = parts.offset + 1, .fingerprint = { .offset = parts.offset }
    };
    for (int turn = 0; turn < 2; turn++) {
        const struct ingest call = {
            .shard = parts.shard, .generation = GENERATION, .moves = &move, .move_count = 1, .ops = &op, .op_count = 1
        };
        enum status st;

        FINE(ingest_send(redis, &call, &err));
        st = ingest_receive(redis, &answer, NULL);
        if (st == ST_STALE && turn == 0)
            move.from = answer.fences[0].next; /* where it stands */
        else
            assert_int_equal(st, ST_OK);
        ingest_answer_release(&answer);
        if (st == ST_OK)
            return;
    }
}

/* Answers the token of the first one granted. */
static inline uint64_t claim_group(const char *id, const char *type, size_t count)
{
    struct id_parts parts;
    char ids[1][ID_SIZE], nonce[32];
    static int number;
    struct claim_answer answer = { 0 };
    uint64_t token;

    memcpy(ids[0], id, ID_SIZE);
    assert_true(id_parse(id, ID_LENGTH, &parts));
    snprintf(nonce, sizeof nonce, "n%d", ++number);
    const struct claim call = { .shard = parts.shard,
                                .generation = GENERATION,
                                .instance = "i1",
                                .worker_uri = "http://w1",
                                .nonce = nonce,
                                .type = type,
                                .want = 1,
                                .ids = (const char(*)[ID_SIZE])ids,
                                .id_count = 1 };
    FINE(claim_send(redis, &call, &err));
    FINE(claim_receive(redis, &answer, &err));
    assert_int_equal(answer.count, count);
    token = answer.ops[0].token;
    claim_answer_release(&answer);
    return token;
}

static inline uint64_t claim_one(const char *id)
{
    return claim_group(id, "WebCart", 1);
}

static inline void apply_one(const char *id, uint64_t token, enum entry_kind kind, const char *text)
{
    struct id_parts parts;
    struct status_entry entry = { .kind = kind,
                                  .token = token,
                                  .started_at_ms = -1,
                                  .duration_ms = 5,
                                  .retry_after_ms = -1,
                                  .text = text,
                                  .text_size = text ? strlen(text) : 0 };
    struct apply_entry entries[1] = { { .entry = &entry, .worker_uri = "http://w1" } };
    struct apply_answer answer = { 0 };

    memcpy(entry.id, id, ID_SIZE);
    assert_true(id_parse(id, ID_LENGTH, &parts));
    const struct apply call = { .shard = parts.shard,
                                .generation = GENERATION,
                                .entries = entries,
                                .entry_count = 1,
                                .move = { .partition = parts.shard,
                                          .from = status_next[parts.shard],
                                          .next = status_next[parts.shard] + 1,
                                          .fingerprint = { .offset = status_next[parts.shard] } } };
    FINE(apply_send(redis, &call, &err));
    FINE(apply_receive(redis, &answer, &err));
    apply_answer_release(&answer);
    status_next[parts.shard]++;
}

/* ---- fixture ---- */
static inline struct bgop *open_client(void)
{
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock), .redis = server.url, .timeout_ms = 5000 };
    struct bgop *opened;
    char text[256];

    if (bgop_open(&opened, &config, text, sizeof text) != BGOP_OK)
        fail_msg("bgop_open: %s", text);
    return opened;
}

static inline int setup_all(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    redis_server_start(&server, false);
    mock = kafka_mock_new(&err);
    assert_non_null(mock);
    assert_int_equal(kafka_mock_create_topic(mock, "bgop.submit", PARTITIONS, &err), ST_OK);
    redis = redis_new(server.url, 5000, &err);
    return redis ? 0 : -1;
}

static inline int teardown_all(void **state)
{
    (void)state;
    redis_free(redis);
    kafka_mock_free(mock);
    redis_server_stop(&server);
    return 0;
}

static inline int setup(void **state)
{
    struct redis_reply *reply = NULL;

    (void)state;
    FINE(redis_call(redis, &reply, &err, "FLUSHALL", NULL));
    redis_reply_free(reply);
    start_queue();
    bgop = open_client();
    delivered_count = 0;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    bgop_close(bgop);
    bgop = NULL;
    return 0;
}

static inline void keep(void *arg, const struct bgop_delivery *delivery)
{
    (void)arg;
    assert_true(delivered_count < DELIVERED_MAX);
    delivered[delivered_count++] = *delivery;
}

/* Submits, waits for the report, lets the "coordinator" read it. */
static inline const char *submit(const struct bgop_submission *given)
{
    static struct submission submission;

    OK(bgop_submit(bgop, given, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_int_equal(delivered[delivered_count - 1].code, BGOP_OK);
    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "%s", given->type);
    if (given->parent_key)
        snprintf(submission.parent_key, sizeof submission.parent_key, "%s", given->parent_key);
    submission.retry_limit = given->retry_limit;
    submission.payload = given->payload;
    submission.payload_size = given->payload_size;
    ingest(&delivered[delivered_count - 1], &submission);
    return delivered[delivered_count - 1].id;
}

static inline struct bgop_submission web_cart(const char *parent_key)
{
    struct bgop_submission submission = BGOP_SUBMISSION_INIT;

    submission.type = "WebCart";
    submission.parent_key = parent_key;
    submission.payload = "hello";
    submission.payload_size = 5;
    return submission;
}

#endif
