/* Submissions in the shapes that people use, and what Redis says of a queue. See queue_load.h. */
#include "tests/bench/queue_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/base/stage.h"
#include "common/codec/codec.h"
#include "common/record/routing.h"

/* The Type of `merging` merges as it comes; that of the others does not. */
static const struct load_shape shapes[] = {
    { .name = "plain", .type = "SiteTaskCreate" },
    { .name = "parent", .type = "SiteTaskCreate", .parent = true },
    { .name = "named", .type = "SiteTaskCreate", .parent = true, .named = true },
    { .name = "sequence", .type = "SiteTaskCreate", .parent = true, .sequence = true },
    { .name = "merging", .type = "ExternalObject", .parent = true },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

const struct load_shape *load_shape_find(const char *name)
{
    for (size_t i = 0; i < SHAPES; i++) {
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    }
    return NULL;
}

void load_shape_print_names(FILE *to)
{
    for (size_t i = 0; i < SHAPES; i++)
        fprintf(to, "%s%s", i ? ", " : "", shapes[i].name);
}

_Noreturn void load_fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_queue: %s: %s\n", what, err->text);
    exit(EXIT_FAILED);
}

/* ---- submitting ---- */

static void parent_key(int64_t number, char *text, size_t room)
{
    snprintf(text, room, "account-%03d", (int)(number % LOAD_PARENT_KEYS));
}

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    struct load *load = arg;
    char key[RECORD_STRING_SIZE] = "";
    int64_t number = (int64_t)(intptr_t)delivery->arg;
    if (delivery->status != ST_OK) {
        load->refused++;
        return;
    }
    if (!load->ids)
        return;
    if (load->shape->parent)
        parent_key(number, key, sizeof key);
    struct id_parts parts = { .partition = delivery->partition, .offset = delivery->offset };
    parts.shard = routing_shard(key, strlen(key), parts.partition, parts.offset, load->shards);
    id_make(load->ids[number], &parts);
    stage_point(STAGE_ACKED, load->ids[number]);
}

static void write_message(struct load *load, int64_t number, struct submission *submission)
{
    const struct load_shape *shape = load->shape;
    submission_init(submission);
    text_copy(submission->type, sizeof submission->type, shape->type, strlen(shape->type));
    if (shape->parent)
        parent_key(number, submission->parent_key, sizeof submission->parent_key);
    if (shape->named)
        snprintf(submission->name, sizeof submission->name, "task-%" PRId64 "-%" PRId64, load->run, number);
    if (shape->sequence) {
        snprintf(submission->sequence_group, sizeof submission->sequence_group, "steps-%" PRId64, load->run);
        submission->sequence_number = number / LOAD_PARENT_KEYS;
    }
    submission->payload = load->payload;
    submission->payload_size = sizeof load->payload;
    buf_clear(&load->message);
    codec_write_submission(&load->message, submission);
}

void load_submit(struct load *load, int64_t number)
{
    struct err err = ERR_INIT;
    struct submission submission;
    enum status st;
    char topic[256];
    config_topic(load->config, "submit", topic, sizeof topic);
    write_message(load, number, &submission);
    size_t key_size = strlen(submission.parent_key);
    while ((st = kafka_producer_send(load->producer, topic, KAFKA_PARTITION_BY_KEY,
                                     key_size ? submission.parent_key : NULL, key_size, load->message.data,
                                     load->message.size, NULL, (void *)(intptr_t)number, &err)) == ST_LIMIT)
        kafka_producer_poll(load->producer, 10);
    if (st != ST_OK)
        load_fail("submit", &err);
    kafka_producer_poll(load->producer, 0);
}

void load_flush(struct load *load)
{
    struct err err = ERR_INIT;
    if (kafka_producer_flush(load->producer, 60000, &err) != ST_OK)
        load_fail("flush", &err);
}

/* ---- what Redis says ---- */

static struct redis_reply *ask(struct load *load, const char *const *words)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    struct redis_command command;
    redis_command_init(&command);
    for (const char *const *word = words; *word; word++)
        redis_command_add_text(&command, *word);
    if (redis_send(load->redis, &command, &err) != ST_OK || redis_receive(load->redis, &reply, &err) != ST_OK)
        load_fail(words[0], &err);
    redis_command_release(&command);
    load->asked++;
    return reply;
}

struct load_tally load_tally(struct load *load)
{
    static const char *const statuses[] = { "Complete", "Merged", "Running", "Error", "Canceled" };
    enum { STATUSES = sizeof statuses / sizeof *statuses };
    char key[64], fields[STATUSES][RECORD_STRING_SIZE + 16];
    const char *words[2 + STATUSES + 1] = { "HMGET", key };
    int64_t sums[STATUSES] = { 0 };
    for (int i = 0; i < STATUSES; i++) {
        snprintf(fields[i], sizeof fields[i], "%s:%s", load->shape->type, statuses[i]);
        words[2 + i] = fields[i];
    }
    for (int shard = 0; shard < load->shards; shard++) {
        snprintf(key, sizeof key, "bgop:{%d}:counts", shard);
        struct redis_reply *reply = ask(load, words);
        for (size_t i = 0; i < STATUSES; i++)
            sums[i] += redis_reply_int(redis_reply_at(reply, i), 0);
        redis_reply_free(reply);
    }
    return (struct load_tally){ sums[0], sums[1], sums[2], sums[3] + sums[4] };
}

double load_info(struct load *load, const char *section, const char *name)
{
    struct redis_reply *reply = ask(load, (const char *const[]){ "INFO", section, NULL });
    const char *found = strstr(redis_reply_text(reply, NULL), name);
    double value = found ? strtod(found + strlen(name) + 1, NULL) : 0;
    redis_reply_free(reply);
    return value;
}

double load_commands(struct load *load)
{
    struct redis_reply *reply = ask(load, (const char *const[]){ "INFO", "commandstats", NULL });
    double sum = 0;
    for (const char *at = redis_reply_text(reply, NULL); (at = strstr(at, "calls=")); at += 6)
        sum += strtod(at + 6, NULL);
    redis_reply_free(reply);
    return sum;
}

/* ---- start and end ---- */

void load_start(struct load *load, const struct config *config, const struct load_shape *shape, int linger_ms)
{
    struct err err = ERR_INIT;
    *load = (struct load){ .config = config, .shape = shape, .run = clock_wall_ms() };
    memset(load->payload, 'x', sizeof load->payload);
    buf_init(&load->message, 4096);
    load->redis = redis_new(config->redis_url, 30000, &err);
    if (!load->redis || redis_connect(load->redis, &err) != ST_OK)
        load_fail("Redis", &err);
    struct redis_reply *reply = ask(load, (const char *const[]){ "HGET", "bgop:meta", "shards", NULL });
    load->shards = (int)redis_reply_int(reply, 0);
    redis_reply_free(reply);
    struct kafka_settings settings = config_kafka(config, "bench");
    load->producer = kafka_producer_new(&settings, linger_ms, on_delivery, load, &err);
    if (!load->producer)
        load_fail("Kafka", &err);
    /* What submits has done so before: or the first message waits for up to a second, a third of a run. */
    char topic[256];
    config_topic(config, "submit", topic, sizeof topic);
    if (!kafka_producer_learn(load->producer, topic, 30000)) {
        err_set_server(&err, ST_AGAIN, "kafka", "nothing was heard of %s for 30 s", topic);
        load_fail("Kafka", &err);
    }
}

void load_end(struct load *load)
{
    kafka_producer_free(load->producer);
    redis_free(load->redis);
    buf_release(&load->message);
    free(load->ids);
}
