/* Loads a running queue and says what it reached. The queue is used as anybody would: submissions through Kafka,
 * results read from Redis.
 *
 *   bench_queue rate COUNT       as fast as possible: submit rate; first submit to last Complete in Redis; what Redis
 *                                spent per operation (CPU, commands, bytes)
 *   bench_queue latency RATE SECONDS   open loop: from produce to Complete visible in Redis (a blocked XREAD on the
 *                                shards' `changes`), p50, p99, max, after 3 s of warm-up
 *
 * BGOP_KAFKA and BGOP_REDIS say where. Prints one JSON object. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/config/config.h"
#include "common/kafka/kafka.h"
#include "common/record/id.h"
#include "common/record/routing.h"
#include "common/redis/redis.h"

#define TYPE "SiteTaskCreate"
enum { PAYLOAD_SIZE = 200, WARM_UP_S = 3 };

struct sample {
    char id[ID_SIZE];
    int64_t produced_us, done_us;
};

struct bench {
    struct config config;
    struct redis *redis;
    struct kafka_producer *producer;
    int shards;
    int64_t delivered, failed;
    struct sample *samples; /* of `latency`; NULL otherwise */
};

static _Noreturn void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_queue: %s: %s\n", what, err->text);
    exit(EXIT_FAILED);
}

static int64_t ask_int(struct bench *bench, const char *verb, const char *key, const char *field)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    if (redis_call(bench->redis, &reply, &err, verb, key, field, NULL) != ST_OK)
        fail(key, &err);
    int64_t value = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return value;
}

/* "name:value" of an INFO section. */
static double ask_info(struct bench *bench, const char *section, const char *name)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    if (redis_call(bench->redis, &reply, &err, "INFO", section, NULL) != ST_OK)
        fail("INFO", &err);
    const char *found = strstr(redis_reply_text(reply, NULL), name);
    double value = found ? strtod(found + strlen(name) + 1, NULL) : 0;
    redis_reply_free(reply);
    return value;
}

/* Calls of every command, those inside functions included. */
static double ask_commands(struct bench *bench)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    if (redis_call(bench->redis, &reply, &err, "INFO", "commandstats", NULL) != ST_OK)
        fail("INFO commandstats", &err);
    double sum = 0;
    for (const char *at = redis_reply_text(reply, NULL); (at = strstr(at, "calls=")); at += 6)
        sum += strtod(at + 6, NULL);
    redis_reply_free(reply);
    return sum;
}

static int64_t complete_count(struct bench *bench)
{
    char key[64];
    int64_t sum = 0;
    for (int shard = 0; shard < bench->shards; shard++) {
        snprintf(key, sizeof key, "bgop:{%d}:counts", shard);
        sum += ask_int(bench, "HGET", key, TYPE ":Complete");
    }
    return sum;
}

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    struct bench *bench = arg;
    if (delivery->status != ST_OK) {
        bench->failed++;
        return;
    }
    bench->delivered++;
    if (bench->samples) {
        struct id_parts parts = { .partition = delivery->partition, .offset = delivery->offset };
        parts.shard = routing_shard("", 0, parts.partition, parts.offset, bench->shards);
        id_make(((struct sample *)delivery->arg)->id, &parts);
    }
}

static void produce(struct bench *bench, const struct buf *message, void *arg)
{
    struct err err = ERR_INIT;
    enum status st;
    char topic[256];
    config_topic(&bench->config, "submit", topic, sizeof topic);
    while ((st = kafka_producer_send(bench->producer, topic, KAFKA_PARTITION_BY_KEY, NULL, 0, message->data,
                                     message->size, NULL, arg, &err)) == ST_LIMIT)
        kafka_producer_poll(bench->producer, 10);
    if (st != ST_OK)
        fail("submit", &err);
    kafka_producer_poll(bench->producer, 0);
}

static void flush(struct bench *bench)
{
    struct err err = ERR_INIT;
    if (kafka_producer_flush(bench->producer, 60000, &err) != ST_OK)
        fail("flush", &err);
}

static void submission_message(struct buf *message)
{
    struct submission submission;
    char payload[PAYLOAD_SIZE];
    memset(payload, 'x', sizeof payload);
    submission_init(&submission);
    text_copy(submission.type, sizeof submission.type, TYPE, strlen(TYPE));
    submission.payload = payload;
    submission.payload_size = sizeof payload;
    codec_write_submission(message, &submission);
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static void run_rate(struct bench *bench, int64_t count)
{
    struct buf message;
    buf_init(&message, 4096);
    submission_message(&message);
    int64_t before = complete_count(bench);
    double cpu = ask_info(bench, "cpu", "used_cpu_user") + ask_info(bench, "cpu", "used_cpu_sys");
    double commands = ask_commands(bench), bytes = ask_info(bench, "memory", "used_memory_dataset");

    int64_t start = clock_boot_us();
    for (int64_t i = 0; i < count; i++)
        produce(bench, &message, NULL);
    flush(bench);
    int64_t submitted = clock_boot_us();
    while (complete_count(bench) < before + count && clock_boot_us() - start < 600 * 1000000LL)
        sleep_ms(20);
    int64_t done = clock_boot_us();
    int64_t completed = complete_count(bench) - before;

    double n = (double)count;
    cpu = ask_info(bench, "cpu", "used_cpu_user") + ask_info(bench, "cpu", "used_cpu_sys") - cpu;
    commands = ask_commands(bench) - commands;
    bytes = ask_info(bench, "memory", "used_memory_dataset") - bytes;
    printf("{\"bench\":\"rate\",\"operations\":%" PRId64 ",\"completed\":%" PRId64 ",\"submit_per_s\":%.0f,"
           "\"end_to_end_per_s\":%.0f,\"redis_us_per_operation\":%.1f,\"redis_commands_per_operation\":%.2f,"
           "\"redis_bytes_per_operation\":%.0f}\n",
           count, completed, n / ((double)(submitted - start) / 1e6), n / ((double)(done - start) / 1e6), cpu * 1e6 / n,
           commands / n, bytes / n);
    buf_release(&message);
    if (completed != count || bench->failed)
        exit(EXIT_FAILED);
}

/* ---- latency: one thread reads `changes`, the main one produces ---- */

struct done_id {
    char id[ID_SIZE];
    int64_t at_us;
};
struct watch {
    struct bench *bench;
    struct done_id *done;
    size_t count, capacity, wanted;
};

static void note_completed(struct watch *watch, const struct redis_reply *fields, int64_t now_us)
{
    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        if (strcmp(redis_reply_text(redis_reply_at(fields, i), NULL), "Complete") != 0)
            continue;
        const char *ids = redis_reply_text(redis_reply_at(fields, i + 1), NULL);
        for (; strlen(ids) >= ID_LENGTH; ids += ids[ID_LENGTH] ? ID_LENGTH + 1 : ID_LENGTH) {
            GROW(watch->done, watch->count, watch->capacity);
            struct done_id *done = &watch->done[watch->count++];
            text_copy(done->id, sizeof done->id, ids, ID_LENGTH);
            done->at_us = now_us;
        }
    }
}

static void *watch_changes(void *arg)
{
    struct watch *watch = arg;
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(watch->bench->config.redis_url, 30000, &err);
    int shards = watch->bench->shards;
    char(*last)[64] = xcalloc((size_t)shards, sizeof *last), (*keys)[64] = xcalloc((size_t)shards, sizeof *keys);
    for (int s = 0; s < shards; s++) {
        snprintf(keys[s], sizeof keys[s], "bgop:{%d}:changes", s);
        snprintf(last[s], sizeof last[s], "%" PRId64, clock_wall_ms() - 1);
    }
    while (watch->count < watch->wanted) {
        struct redis_command command;
        struct redis_reply *reply;
        redis_command_init(&command);
        for (const char *const *word = (const char *const[]){ "XREAD", "BLOCK", "10000", "STREAMS", NULL }; *word;
             word++)
            redis_command_add_text(&command, *word);
        for (int s = 0; s < shards; s++)
            redis_command_add_text(&command, keys[s]);
        for (int s = 0; s < shards; s++)
            redis_command_add_text(&command, last[s]);
        if (redis_send(redis, &command, &err) != ST_OK || redis_receive(redis, &reply, &err) != ST_OK)
            fail("XREAD", &err);
        redis_command_release(&command);
        int64_t now_us = clock_boot_us();
        if (redis_reply_count(reply) == 0) {
            redis_reply_free(reply);
            break; /* nothing for 10 s: report what is there */
        }
        for (size_t i = 0; i < redis_reply_count(reply); i++) {
            const struct redis_reply *stream = redis_reply_at(reply, i), *entries = redis_reply_at(stream, 1);
            int shard = (int)strtol(strchr(redis_reply_text(redis_reply_at(stream, 0), NULL), '{') + 1, NULL, 10);
            for (size_t j = 0; j < redis_reply_count(entries); j++) {
                const struct redis_reply *entry = redis_reply_at(entries, j);
                text_copy(last[shard], sizeof last[shard], redis_reply_text(redis_reply_at(entry, 0), NULL),
                          strlen(redis_reply_text(redis_reply_at(entry, 0), NULL)));
                note_completed(watch, redis_reply_at(entry, 1), now_us);
            }
        }
        redis_reply_free(reply);
    }
    free(last);
    free(keys);
    redis_free(redis);
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}
static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report_latency(const struct sample *samples, size_t skip, size_t count, struct watch *watch, double rate)
{
    int64_t *us = xcalloc(count, sizeof *us);
    size_t found = 0;
    qsort(watch->done, watch->count, sizeof *watch->done, by_id);
    for (size_t i = skip; i < count; i++) {
        struct done_id *done = bsearch(samples[i].id, watch->done, watch->count, sizeof *watch->done, by_id);
        if (done)
            us[found++] = done->at_us - samples[i].produced_us;
    }
    qsort(us, found, sizeof *us, by_number);
    if (found == 0) {
        fprintf(stderr, "bench_queue: no operation was seen to complete\n");
        exit(EXIT_FAILED);
    }
    printf(
        "{\"bench\":\"latency\",\"rate_per_s\":%.0f,\"measured\":%zu,\"missing\":%zu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
        "\"max_ms\":%.2f}\n",
        rate, found, count - skip - found, (double)us[found / 2] / 1e3, (double)us[found * 99 / 100] / 1e3,
        (double)us[found - 1] / 1e3);
    free(us);
    if (found != count - skip)
        exit(EXIT_FAILED);
}

static void run_latency(struct bench *bench, double rate, int seconds)
{
    size_t count = (size_t)(rate * (seconds + WARM_UP_S)), warm_up = (size_t)(rate * WARM_UP_S);
    struct watch watch = { .bench = bench, .wanted = count };
    struct buf message;
    pthread_t thread;
    buf_init(&message, 4096);
    submission_message(&message);
    bench->samples = xcalloc(count, sizeof *bench->samples);
    pthread_create(&thread, NULL, watch_changes, &watch);
    sleep_ms(500);

    int64_t start = clock_boot_us();
    for (size_t i = 0; i < count; i++) {
        int64_t due = start + (int64_t)((double)i * 1e6 / rate), now;
        while ((now = clock_boot_us()) < due) {
            if (due - now > 1500)
                kafka_producer_poll(bench->producer, 1);
            else
                nanosleep(&(struct timespec){ .tv_nsec = (long)(due - now) * 1000 }, NULL);
        }
        bench->samples[i].produced_us = due; /* open loop: measured from when it was due */
        produce(bench, &message, &bench->samples[i]);
    }
    flush(bench);
    pthread_join(thread, NULL);
    report_latency(bench->samples, warm_up, count, &watch, rate);
    free(watch.done);
    free(bench->samples);
    buf_release(&message);
}

int main(int argc, char **argv)
{
    struct bench bench = { 0 };
    struct err err = ERR_INIT;
    config_init(&bench.config);
    if (config_read_environment(&bench.config, &err) != ST_OK)
        fail("environment", &err);
    if (argc < 3 || (strcmp(argv[1], "rate") != 0 && (strcmp(argv[1], "latency") != 0 || argc < 4))) {
        fprintf(stderr, "usage: bench_queue rate COUNT | latency RATE SECONDS\n");
        return EXIT_USAGE_ERROR;
    }
    bool latency = strcmp(argv[1], "latency") == 0;
    bench.redis = redis_new(bench.config.redis_url, 30000, &err);
    if (!bench.redis || redis_connect(bench.redis, &err) != ST_OK)
        fail("Redis", &err);
    bench.shards = (int)ask_int(&bench, "HGET", "bgop:meta", "shards");
    struct kafka_settings settings = config_kafka(&bench.config, "bench");
    bench.producer = kafka_producer_new(&settings, latency ? 0 : 5, on_delivery, &bench, &err);
    if (!bench.producer)
        fail("Kafka", &err);
    if (latency)
        run_latency(&bench, strtod(argv[2], NULL), (int)strtol(argv[3], NULL, 10));
    else
        run_rate(&bench, strtoll(argv[2], NULL, 10));
    kafka_producer_free(bench.producer);
    redis_free(bench.redis);
    config_release(&bench.config);
    return EXIT_OK;
}
