/* A queue around a worker under test: the mock broker, a private redis-server with the real functions, and a coordinator
 * reduced to what a worker can see of it: submissions recorded and hinted, the status log applied, shards armed. The
 * worker runs in a thread of the test. */
#ifndef TESTS_FUNCTIONS_WORKER_QUEUE_H
#define TESTS_FUNCTIONS_WORKER_QUEUE_H

#include "tests/support/test.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "tests/support/redis_cluster.h"
#include "tests/support/redis_server.h"
#include "worker/daemon/worker.h"

enum {
    QUEUE_SHARDS = 4,
    QUEUE_ADDED = 2, /* partitions that its topics have besides: nobody is to mind */
    QUEUE_LEASE_MS = 4500,
    QUEUE_WAIT_MS = 40000,
    QUEUE_MOST_BATCHES = 4096,
};

struct queue {
    struct redis_server server; /* unless there is a cluster */
    struct redis_cluster *cluster;
    const char *url; /* of either */
    struct kafka_mock *mock;
    struct config config;
    struct kafka_settings settings;
    struct kafka_producer *hints;
    struct redis *redis; /* the coordinator's */
    int64_t generation;
    int64_t submitted[QUEUE_SHARDS]; /* fences of the one submit partition */
    int next_number;
    bool hint;          /* hint what becomes claimable */
    int merge_all;      /* not 0: arm all Types with this merge_max, whatever the worker's configuration says */
    atomic_bool freeze; /* stop the redis-server (SIGSTOP) before the next hint ... */
    pid_t frozen;       /* ... or this one of the cluster */

    pthread_t applier; /* reads the status log and applies it, with a connection of its own */
    atomic_bool applier_stop;
    int64_t applied[QUEUE_SHARDS];
    atomic_int batches, entries;

    pthread_t thread; /* of the worker */
    struct worker *worker;
    volatile sig_atomic_t stop;
    enum status ended;
};

/* ---- the coordinator's part ---- */

static struct redis *queue_connect(struct queue *queue)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(queue->url, queue->cluster ? 1000 : 5000, &err);

    assert_non_null(redis);
    return redis;
}

/* One command's answer as text; "" for nil. */
static const char *queue_redis(struct queue *queue, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *queue_redis(struct queue *queue, const char *format, ...)
{
    static char texts[8][512];
    static int next;
    char line[512], *words[8] = { 0 }, *save = NULL, *text = texts[next++ % 8];
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    va_list args;
    int count = 0;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *word = strtok_r(line, " ", &save); word && count < 8; word = strtok_r(NULL, " ", &save))
        words[count++] = word;
    for (int try = 0; redis_call(queue->redis, &reply, &err, words[0], words[1], words[2], words[3], words[4], words[5],
                                 NULL) != ST_OK;
         try++) {
        if (err.status != ST_AGAIN || try == 100)
            fail_msg("%s: %s", words[0], err.text);
        usleep(20000); /* the server was started again */
    }
    if (redis_reply_kind(reply) == REDIS_INTEGER)
        snprintf(text, 512, "%lld", (long long)redis_reply_int(reply, 0));
    else
        snprintf(text, 512, "%s", redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    return text;
}

/* Arms every shard under the next generation; opens when that is wanted. */
static inline void queue_arm(struct queue *queue, bool open)
{
    struct type_settings types[32];
    struct err err = ERR_INIT;
    bool opened = false;
    size_t count = 0;

    queue->generation++;
    for (size_t i = 0; i < queue->config.type_count; i++) {
        const struct type_config *type = &queue->config.types[i];

        types[count++] = (struct type_settings){
            .name = type->name,
            .retry_backoff_ms = type->retry_backoff_ms,
            .retry_limit = type->retry_limit,
            .timeout_ms = type->timeout_ms,
            .retention_s = 3600,
            .retention_error_s = 7200,
            .merge_max = queue->merge_all > 0 ? queue->merge_all : type->merge_max,
            .merge_max_bytes = type->merge_max_bytes,
            .max_running_per_parent = type->max_running_per_parent,
            .on_sequence_failure = "hold",
        };
    }
    for (int shard = 0; shard < QUEUE_SHARDS; shard++) {
        const struct arm call = { .shard = shard,
                                  .generation = queue->generation,
                                  .types = types,
                                  .type_count = count,
                                  .queue = { QUEUE_LEASE_MS, 3600000, 30, 15 } };

        if (arm_send(queue->redis, &call, &err) != ST_OK || arm_receive(queue->redis, &err) != ST_OK)
            fail_msg("arm: %s", err.text);
        if (open && (open_send(queue->redis, shard, queue->generation, &err) != ST_OK ||
                     open_receive(queue->redis, &opened, &err) != ST_OK))
            fail_msg("open: %s", err.text);
    }
}

static inline void queue_open(struct queue *queue)
{
    struct err err = ERR_INIT;
    bool opened = false;

    for (int shard = 0; shard < QUEUE_SHARDS; shard++)
        if (open_send(queue->redis, shard, queue->generation, &err) != ST_OK ||
            open_receive(queue->redis, &opened, &err) != ST_OK || !opened)
            fail_msg("open: %s", err.text);
}

static inline void queue_hint(struct queue *queue, int shard, const struct hints *hints)
{
    struct err err = ERR_INIT;
    char topic[320];

    if (hints->count > 0 && atomic_exchange(&queue->freeze, false))
        kill(queue->cluster ? queue->frozen : queue->server.pid, SIGSTOP);
    for (size_t i = 0; i < hints->count && queue->hint; i++) {
        struct buf value;

        buf_init(&value, 1 << 20);
        codec_write_hint_joined(&value, hints->types[i].ids, hints->types[i].ids_size);
        config_topic(&queue->config, hints->types[i].type, topic, sizeof topic);
        if (kafka_producer_send(queue->hints, topic, shard, NULL, 0, value.data, value.size, NULL, NULL, &err) != ST_OK)
            fail_msg("hint: %s", err.text);
        buf_release(&value);
    }
    kafka_producer_poll(queue->hints, 0);
}

/* A Redis that went backwards says where it stands: what was recorded behind that is gone, new work is not. */
static inline void queue_ingest(struct queue *queue, struct ingest *call, struct fence_move *move)
{
    struct ingest_answer answer;
    struct err err = ERR_INIT;
    enum status st = ST_STALE;

    for (int turn = 0; st == ST_STALE && turn < 2; turn++) {
        *move = (struct fence_move){
            0, queue->submitted[call->shard], queue->submitted[call->shard] + 1, { queue->submitted[call->shard], 1, 1 }
        };
        if (ingest_send(queue->redis, call, &err) != ST_OK)
            fail_msg("ingest: %s", err.text);
        st = ingest_receive(queue->redis, &answer, &err);
        queue->submitted[call->shard] = st == ST_STALE ? answer.fences[0].next : move->next;
        if (st == ST_OK)
            queue_hint(queue, call->shard, &answer.hints);
        ingest_answer_release(&answer);
    }
    if (st != ST_OK)
        fail_msg("ingest: %s", err.text);
}

/* Records `count` such operations in one shard, all in one call; *first_id is the first one's Id. */
static inline void queue_submit_as(struct queue *queue, const struct submission *submission, int shard, int count,
                                   char first_id[ID_SIZE])
{
    struct ingest_op *ops = xcalloc((size_t)count, sizeof *ops);
    struct fence_move move;
    struct ingest call = { .shard = shard,
                           .generation = queue->generation,
                           .moves = &move,
                           .move_count = 1,
                           .ops = ops,
                           .op_count = (size_t)count };

    for (int i = 0; i < count; i++) {
        id_make(ops[i].id, &(struct id_parts){ 0, shard, 0, queue->next_number++ });
        ops[i].submission = submission;
        ops[i].traceparent = "";
    }
    memcpy(first_id, ops[0].id, ID_SIZE);
    queue_ingest(queue, &call, &move);
    free(ops);
}

static inline void queue_submit(struct queue *queue, const char *type, int shard, int count, const char *payload,
                                int timeout_ms, char first_id[ID_SIZE])
{
    struct submission submission;

    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "%s", type);
    submission.payload = payload;
    submission.payload_size = strlen(payload);
    submission.timeout_ms = timeout_ms;
    queue_submit_as(queue, &submission, shard, count, first_id);
}

/* One of a ParentKey. */
static inline void queue_submit_child(struct queue *queue, const char *type, int shard, const char *parent_key,
                                      const char *payload, char id[ID_SIZE])
{
    struct submission submission;

    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "%s", type);
    snprintf(submission.parent_key, sizeof submission.parent_key, "%s", parent_key);
    submission.payload = payload;
    submission.payload_size = strlen(payload);
    queue_submit_as(queue, &submission, shard, 1, id);
}

/* ---- the status log ---- */

/* ST_STALE: the fence stands elsewhere, and queue->applied says where: Redis went backwards, or an answer was lost. */
static enum status apply_batch(struct queue *queue, struct redis *redis, const struct kafka_message *message)
{
    int shard = message->partition;
    struct apply_entry *entries;
    struct status_batch batch;
    struct err err = ERR_INIT;
    struct apply call = { .shard = shard, .generation = queue->generation };
    struct apply_answer answer = { 0 };
    enum status st;

    call.move = (struct fence_move){ shard, queue->applied[shard], message->offset + 1, { message->offset, 1, 1 } };
    if (codec_read_status_batch(&batch, message->value, message->value_size, &err) != ST_OK)
        fail_msg("status batch: %s", err.text);
    entries = xcalloc(batch.count, sizeof *entries);
    for (size_t i = 0; i < batch.count; i++)
        entries[i] = (struct apply_entry){ &batch.entries[i], batch.worker_uri };
    call.entries = entries;
    call.entry_count = batch.count;
    st = apply_send(redis, &call, &err);
    if (st == ST_OK)
        st = apply_receive(redis, &answer, &err);
    if (st == ST_STALE)
        queue->applied[shard] = answer.fence.next;
    if (st == ST_OK) {
        queue->applied[shard] = message->offset + 1;
        queue_hint(queue, shard, &answer.hints);
        atomic_fetch_add(&queue->batches, 1);
        atomic_fetch_add(&queue->entries, (int)batch.count);
    }
    apply_answer_release(&answer);
    free(entries);
    status_batch_release(&batch);
    return st;
}

/* Until it is applied, or must be read again behind others. */
static void apply_message(struct queue *queue, struct redis *redis, struct kafka_consumer *consumer,
                          const struct kafka_message *message)
{
    struct err err = ERR_INIT;

    while (message->offset >= queue->applied[message->partition] && !atomic_load(&queue->applier_stop)) {
        enum status st = apply_batch(queue, redis, message);

        if (st == ST_STALE && queue->applied[message->partition] < message->offset) {
            if (kafka_consumer_seek(consumer, message->topic, message->partition, queue->applied[message->partition],
                                    &err) == ST_OK)
                return;
            st = ST_AGAIN;
        }
        if (st == ST_AGAIN && redis_shard_away(redis, message->partition) &&
            kafka_consumer_seek(consumer, message->topic, message->partition, message->offset, &err) == ST_OK)
            return; /* the other shards' meanwhile */
        if (st != ST_OK && st != ST_STALE)
            usleep(20000); /* Redis is away, or another generation */
    }
}

static void *queue_apply(void *arg)
{
    struct queue *queue = arg;
    struct redis *redis = queue_connect(queue);
    struct err err = ERR_INIT;
    struct kafka_consumer *consumer = kafka_consumer_new(&queue->settings, "test-status", NULL, &err);
    struct kafka_message message;

    assert_int_equal(
        kafka_consumer_subscribe(consumer, &(struct kafka_subscription){ "bgop.status", QUEUE_SHARDS, NULL }, 1, &err),
        ST_OK);
    while (!atomic_load(&queue->applier_stop)) {
        if (!kafka_consumer_poll(consumer, 20, &message))
            continue;
        apply_message(queue, redis, consumer, &message);
        kafka_message_release(&message);
    }
    kafka_consumer_free(consumer);
    redis_free(redis);
    return NULL;
}

/* ---- life ---- */

static inline void queue_set(struct queue *queue, const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&queue->config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void *queue_run_worker(void *arg)
{
    struct queue *queue = arg;
    struct err err = ERR_INIT;

    queue->ended = worker_run(queue->worker, &queue->stop, &err);
    return NULL;
}

static inline void queue_start_worker(struct queue *queue)
{
    struct err err = ERR_INIT;

    queue->stop = 0;
    queue->worker = worker_new(&queue->config, &err);
    if (!queue->worker)
        fail_msg("%s", err.text);
    pthread_create(&queue->thread, NULL, queue_run_worker, queue);
}

static inline enum status queue_stop_worker(struct queue *queue)
{
    queue->stop = 1;
    pthread_join(queue->thread, NULL);
    worker_free(queue->worker);
    queue->worker = NULL;
    return queue->ended;
}

static enum status queue_load_server(void *arg, struct redis *server, struct err *err)
{
    bool loaded;

    (void)arg;
    return functions_load(server, &loaded, err);
}

static inline void queue_load(struct queue *queue)
{
    struct err err = ERR_INIT;

    if (redis_each_server(queue->redis, queue_load_server, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
}

/* Topics of all Types that have a handler by now. */
static inline void queue_create_topics(struct queue *queue)
{
    struct err err = ERR_INIT;
    char topic[320];

    for (size_t i = 0; i < queue->config.type_count; i++)
        if (queue->config.types[i].handler && queue->config.types[i].handler[0])
            assert_int_equal(
                kafka_mock_create_topic(queue->mock,
                                        config_topic(&queue->config, queue->config.types[i].name, topic, sizeof topic),
                                        QUEUE_SHARDS + QUEUE_ADDED, &err),
                ST_OK);
    assert_int_equal(kafka_mock_create_topic(queue->mock, "bgop.status", QUEUE_SHARDS + QUEUE_ADDED, &err), ST_OK);
}

/* Servers only; set the configuration's rest, then queue_begin. cluster: one that runs; NULL: a server of its own. */
static inline void queue_init_on(struct queue *queue, struct redis_cluster *cluster)
{
    struct err err = ERR_INIT;

    memset(queue, 0, sizeof *queue);
    queue->hint = true;
    queue->cluster = cluster;
    if (!cluster)
        redis_server_start(&queue->server, true);
    queue->url = cluster ? cluster->url : queue->server.url;
    queue->mock = kafka_mock_new(&err);
    assert_non_null(queue->mock);
    config_init(&queue->config);
    queue_set(queue, "redis", "url", queue->url);
    queue_set(queue, "kafka", "brokers", kafka_mock_brokers(queue->mock));
    queue_set(queue, "kafka", "session.timeout.ms", "3000"); /* why: STACK_SESSION_MS in coordinator_stack.h */
    queue_set(queue, "kafka", "heartbeat.interval.ms", "500");
    queue->redis = queue_connect(queue);
    queue_load(queue);
    queue_redis(queue, "HSET bgop:meta shards %d", QUEUE_SHARDS);
}

static inline void queue_init(struct queue *queue)
{
    queue_init_on(queue, NULL);
}

static inline void queue_begin(struct queue *queue)
{
    struct err err = ERR_INIT;

    queue->settings = config_kafka(&queue->config, "test");
    queue_create_topics(queue);
    queue->hints = kafka_producer_new(&queue->settings, 0, NULL, NULL, &err);
    assert_non_null(queue->hints);
    queue_arm(queue, true);
    pthread_create(&queue->applier, NULL, queue_apply, queue);
}

static inline void queue_release(struct queue *queue)
{
    atomic_store(&queue->applier_stop, true);
    pthread_join(queue->applier, NULL);
    kafka_producer_free(queue->hints);
    redis_free(queue->redis);
    config_release(&queue->config);
    kafka_mock_free(queue->mock);
    if (!queue->cluster)
        redis_server_stop(&queue->server);
}

/* The server that was killed is started again, and armed. */
static inline void queue_redis_again(struct queue *queue)
{
    redis_server_again(&queue->server);
    redis_free(queue->redis);
    queue->redis = queue_connect(queue);
    queue_arm(queue, true);
}

/* ---- questions ---- */

static inline const char *queue_field(struct queue *queue, const char *id, const char *field)
{
    struct id_parts parts;

    assert_true(id_parse(id, strlen(id), &parts));
    return queue_redis(queue, "HGET bgop:{%d}:op:%s %s", parts.shard, id, field);
}

static inline int queue_count(struct queue *queue, const char *type, const char *status)
{
    int count = 0;

    for (int shard = 0; shard < QUEUE_SHARDS; shard++)
        count += (int)strtol(queue_redis(queue, "HGET bgop:{%d}:counts %s:%s", shard, type, status), NULL, 10);
    return count;
}

/* ---- the worker's page, commands ---- */

static size_t queue_on_body(char *data, size_t unit, size_t size, void *arg)
{
    struct buf *body = arg;

    (void)unit;
    buf_append(body, data, size);
    return size;
}

/* GET of the worker's own page, its headers first; the caller frees. */
static char *queue_page(struct queue *queue, const char *path)
{
    CURL *easy = curl_easy_init();
    struct buf body;
    char url[512];

    buf_init(&body, 1 << 20);
    snprintf(url, sizeof url, "%s%s", worker_uri(queue->worker), path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HEADER, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, queue_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
    buf_append_char(&body, '\0');
    return buf_take(&body);
}

static inline bool queue_page_shows(struct queue *queue, const char *path, const char *text)
{
    char *shown = queue_page(queue, path);
    bool found = strstr(shown, text) != NULL;

    free(shown);
    return found;
}

/* As a coordinator appends it. */
static inline void queue_cancel(struct queue *queue, const char *op)
{
    struct status_entry entry = { .kind = ENTRY_CANCEL,
                                  .token = 0,
                                  .started_at_ms = -1,
                                  .duration_ms = -1,
                                  .retry_after_ms = -1,
                                  .text = "not wanted",
                                  .text_size = 10 };
    struct err err = ERR_INIT;
    struct id_parts parts;
    struct buf value;

    assert_true(id_parse(op, strlen(op), &parts));
    memcpy(entry.id, op, ID_SIZE);
    buf_init(&value, 4096);
    codec_write_status_batch(&value, &entry, 1, NULL, "test", NULL);
    assert_int_equal(kafka_producer_send(queue->hints, "bgop.status", parts.shard, NULL, 0, value.data, value.size,
                                         NULL, NULL, &err),
                     ST_OK);
    kafka_producer_poll(queue->hints, 0);
    buf_release(&value);
}

/* Waits until the condition holds; fails naming it. */
#define queue_wait_for(condition)                                                 \
    do {                                                                          \
        int64_t until_ = clock_boot_ms() + QUEUE_WAIT_MS;                         \
        while (!(condition)) {                                                    \
            if (clock_boot_ms() > until_)                                         \
                fail_msg("waited %d s for %s", QUEUE_WAIT_MS / 1000, #condition); \
            usleep(5000);                                                         \
        }                                                                         \
    } while (0)

#define queue_status_is(queue, id, status) (strcmp(queue_field((queue), (id), "Status"), (status)) == 0)

#endif
