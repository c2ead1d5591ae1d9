/* Rounds over all shards, as in life: each operation soon goes from one function to the next. See functions_load.h. */
#include "tests/bench/functions_load.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/redis/functions.h"
#include "tests/support/redis_server.h"

enum {
    SHARDS = 16,
    PAYLOAD = 200,
    BATCH_MAX = 500,
    PARENT_KEYS = 1000,
    RETENTION_S = 1,
    HSETS = 64,
    GENERATION = 1,
    MERGED = 8
};

const struct functions_shape functions_shapes[] = {
    { .name = "plain" },
    { .name = "parent", .parent = true },
    { .name = "named", .parent = true, .named = true },
    { .name = "sequence", .parent = true, .sequence = true },
    { .name = "merging", .parent = true, .merging = true },
    { .name = NULL },
};
const char *const functions_step_names[STEP_COUNT] = { "ingest", "claim", "apply", "remove" };

struct shard_load { /* what is on its way in one shard */
    int64_t submit_next, status_next, nonce;
    int made;                /* operations submitted so far */
    char (*hinted)[ID_SIZE]; /* claimable: told by the last answer */
    size_t hinted_count;
    struct claim_answer claimed;
};

struct load {
    const struct functions_shape *shape;
    struct redis_server server;
    struct redis *redis;
    int batch;
    struct functions_cost *cost; /* sums, until the end */
    double hsets;
    double *ratios; /* of each round */
    struct shard_load shards[SHARDS];
    struct submission submissions[BATCH_MAX];
    struct ingest_op ops[BATCH_MAX];
    struct apply_entry applied[BATCH_MAX];
    struct status_entry entries[BATCH_MAX];
    char payload[PAYLOAD];
    double cpu, commands; /* when the step began */
};

static void need(struct load *load, enum status st, const struct err *err)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "bench_functions: %s\n", err->text);
    redis_server_stop(&load->server);
    exit(1);
}

/* ---- what Redis says of itself ---- */

/* CPU of the main thread: to the nanosecond, and asking costs the server nothing. */
static double cpu_us(const struct load *load)
{
    char path[64];
    unsigned long long ns = 0;

    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)load->server.pid);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%llu", &ns) != 1)
        fprintf(stderr, "bench_functions: %s cannot be read\n", path);
    if (file)
        fclose(file);
    return (double)ns / 1000;
}

static struct redis_reply *info(struct load *load, const char *section)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;

    need(load, redis_call(load->redis, &reply, &err, "INFO", section, NULL), &err);
    return reply;
}

static double info_number(struct load *load, const char *section, const char *name)
{
    struct redis_reply *reply = info(load, section);
    const char *line = strstr(redis_reply_text(reply, NULL), name);
    double number = line ? strtod(line + strlen(name), NULL) : 0;

    redis_reply_free(reply);
    return number;
}

/* Commands that functions ran: all but the FCALLs themselves and what is asked here. */
static double commands_run(struct load *load)
{
    static const char *const others[] = { "fcall", "info", "hello", "ping", "config", "function" };
    struct redis_reply *reply = info(load, "commandstats");
    double calls = 0;

    for (const char *line = strstr(redis_reply_text(reply, NULL), "cmdstat_"); line;
         line = strstr(line + 1, "cmdstat_")) {
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || strncmp(line + 8, others[i], strlen(others[i])) == 0;
        if (!other)
            calls += strtod(strstr(line, "calls=") + 6, NULL);
    }
    redis_reply_free(reply);
    return calls;
}

static void step_begin(struct load *load)
{
    load->commands = commands_run(load);
    load->cpu = cpu_us(load);
}

static void step_end(struct load *load, enum functions_step step)
{
    load->cost->steps[step].us += cpu_us(load) - load->cpu;
    load->cost->steps[step].commands += commands_run(load) - load->commands;
}

/* ---- the functions ---- */

static void write_submission(struct load *load, int shard, int n, struct submission *submission)
{
    int parents = load->shape->merging ? load->batch / MERGED + 1 : PARENT_KEYS / SHARDS;

    submission_init(submission);
    text_copy(submission->type, sizeof submission->type, "SiteTaskCreate", 14);
    if (load->shape->parent)
        snprintf(submission->parent_key, sizeof submission->parent_key, "account-%03d", n % parents * SHARDS + shard);
    if (load->shape->named)
        snprintf(submission->name, sizeof submission->name, "task-1-%d", n * SHARDS + shard);
    if (load->shape->sequence) {
        snprintf(submission->sequence_group, sizeof submission->sequence_group, "steps-1");
        submission->sequence_number = n / parents;
    }
    submission->payload = load->payload;
    submission->payload_size = PAYLOAD;
}

static void hints_take(struct load *load, int shard, const struct hints *hints)
{
    struct shard_load *of = &load->shards[shard];

    of->hinted_count = 0;
    for (size_t i = 0; i < hints->count; i++) {
        for (size_t at = 0; at + ID_LENGTH <= hints->types[i].ids_size; at += ID_LENGTH + 1)
            text_copy(of->hinted[of->hinted_count++], ID_SIZE, hints->types[i].ids + at, ID_LENGTH);
    }
}

static void ingest_send_batch(struct load *load, int shard)
{
    struct err err = ERR_INIT;
    struct shard_load *of = &load->shards[shard];
    struct fence_move move = { 0, of->submit_next, of->submit_next + 1, { of->submit_next, 1, 1700000000000 } };

    of->submit_next++;
    for (int i = 0; i < load->batch; i++, of->made++) {
        struct id_parts parts = { .shard = shard, .offset = of->made };

        write_submission(load, shard, of->made, &load->submissions[i]);
        load->ops[i] =
            (struct ingest_op){ .submission = &load->submissions[i], .crc = 3000000000u + (uint32_t)of->made };
        id_make(load->ops[i].id, &parts);
    }
    need(load,
         ingest_send(load->redis,
                     &(struct ingest){ .shard = shard,
                                       .generation = GENERATION,
                                       .moves = &move,
                                       .move_count = 1,
                                       .ops = load->ops,
                                       .op_count = (size_t)load->batch },
                     &err),
         &err);
}

static void ingest_all(struct load *load)
{
    struct err err = ERR_INIT;
    struct ingest_answer answer;

    for (int shard = 0; shard < SHARDS; shard++)
        ingest_send_batch(load, shard);
    for (int shard = 0; shard < SHARDS; shard++) {
        need(load, ingest_receive(load->redis, &answer, &err), &err);
        hints_take(load, shard, &answer.hints);
        ingest_answer_release(&answer);
    }
}

/* Of each shard that has any: what was hinted, each of which takes along what merges. */
static void claim_all(struct load *load)
{
    struct err err = ERR_INIT;

    for (int shard = 0; shard < SHARDS; shard++) {
        struct shard_load *of = &load->shards[shard];
        char nonce[24];
        struct claim claim = { .shard = shard,
                               .generation = GENERATION,
                               .instance = "worker-1-0123456789abcdef",
                               .worker_uri = "http://127.0.0.1:40123",
                               .nonce = nonce,
                               .type = "SiteTaskCreate",
                               .want = (int)of->hinted_count,
                               .ids = (const char(*)[ID_SIZE])of->hinted,
                               .id_count = of->hinted_count };

        snprintf(nonce, sizeof nonce, "%" PRId64, ++of->nonce);
        if (of->hinted_count > 0)
            need(load, claim_send(load->redis, &claim, &err), &err);
    }
    for (int shard = 0; shard < SHARDS; shard++) {
        if (load->shards[shard].hinted_count > 0)
            need(load, claim_receive(load->redis, &load->shards[shard].claimed, &err), &err);
    }
}

static void apply_send_batch(struct load *load, int shard)
{
    struct err err = ERR_INIT;
    struct shard_load *of = &load->shards[shard];

    for (size_t i = 0; i < of->claimed.count; i++) {
        const struct claimed *op = &of->claimed.ops[of->claimed.count - 1 - i]; /* leaders behind their followers */

        load->entries[i] = (struct status_entry){ .kind = ENTRY_OK,
                                                  .token = op->token,
                                                  .started_at_ms = of->claimed.now_ms,
                                                  .duration_ms = 3,
                                                  .retry_after_ms = -1 };
        memcpy(load->entries[i].id, op->id, ID_SIZE);
        if (load->shape->merging)
            memcpy(load->entries[i].leader_id, op->leader_id[0] ? op->leader_id : op->id, ID_SIZE);
        load->applied[i] = (struct apply_entry){ &load->entries[i], "http://127.0.0.1:40123" };
    }
    need(load,
         apply_send(load->redis,
                    &(struct apply){
                        .shard = shard,
                        .generation = GENERATION,
                        .move = { shard, of->status_next, of->status_next + 1, { of->status_next, 1, 1700000000000 } },
                        .entries = load->applied,
                        .entry_count = of->claimed.count },
                    &err),
         &err);
    of->status_next++;
}

/* Answers whether anything has become claimable by it. */
static bool apply_all(struct load *load)
{
    struct err err = ERR_INIT;
    struct apply_answer answer;
    bool more = false, sent[SHARDS];

    for (int shard = 0; shard < SHARDS; shard++) {
        sent[shard] = load->shards[shard].hinted_count > 0;
        if (sent[shard])
            apply_send_batch(load, shard);
    }
    for (int shard = 0; shard < SHARDS; shard++) {
        if (!sent[shard])
            continue;
        need(load, apply_receive(load->redis, &answer, &err), &err);
        hints_take(load, shard, &answer.hints);
        apply_answer_release(&answer);
        claim_answer_release(&load->shards[shard].claimed);
        more = more || load->shards[shard].hinted_count > 0;
    }
    return more;
}

/* Ticks until nothing is due any more. */
static void remove_all(struct load *load)
{
    struct err err = ERR_INIT;
    struct tick_answer answer;

    for (bool more = true; more;) {
        more = false;
        for (int shard = 0; shard < SHARDS; shard++)
            need(load, tick_send(load->redis, shard, GENERATION, 1700000000000, 500, &err), &err);
        for (int shard = 0; shard < SHARDS; shard++) {
            need(load, tick_receive(load->redis, &answer, &err), &err);
            more = more || answer.sleep_ms == 0;
            tick_answer_release(&answer);
        }
    }
}

/* ---- the same fields natively ---- */

#define NATIVE_KEY "native:op:08P00000000%05dAAAA"
enum { NATIVE_KEY_SIZE = 64 };

static void native_send(struct load *load, int n)
{
    static const char *const fields[] = { "Status",
                                          "Complete",
                                          "SystemModstamp",
                                          "1700000000000",
                                          "Type",
                                          "SiteTaskCreate",
                                          "SubmittedAt",
                                          "1700000000000",
                                          "crc",
                                          "3000000000",
                                          "in",
                                          "",
                                          "StartedAt",
                                          "1700000000000",
                                          "WorkerUri",
                                          "http://127.0.0.1:40123",
                                          "token",
                                          "1048577",
                                          "FinishedAt",
                                          "1700000000000",
                                          "ExpiresAt",
                                          "1700000001000" };
    struct err err = ERR_INIT;
    struct redis_command command;
    char key[NATIVE_KEY_SIZE];

    redis_command_init(&command);
    redis_command_add_text(&command, "HSET");
    snprintf(key, sizeof key, NATIVE_KEY, n);
    redis_command_add_text(&command, key);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        redis_command_add_text(&command, fields[i]);
    need(load, redis_send(load->redis, &command, &err), &err);
    redis_command_release(&command);
}

static void native_remove(struct load *load)
{
    static char keys[SHARDS * HSETS][NATIVE_KEY_SIZE];
    struct err err = ERR_INIT;
    struct redis_command command;
    struct redis_reply *reply;

    redis_command_init(&command);
    redis_command_add_text(&command, "DEL");
    for (int n = 0; n < SHARDS * HSETS; n++) {
        snprintf(keys[n], NATIVE_KEY_SIZE, NATIVE_KEY, n);
        redis_command_add_text(&command, keys[n]);
    }
    need(load, redis_send(load->redis, &command, &err), &err);
    redis_command_release(&command);
    need(load, redis_receive(load->redis, &reply, &err), &err);
    redis_reply_free(reply);
}

/* Answers what one took. */
static double native_round(struct load *load)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    double us = -cpu_us(load);

    for (int first = 0; first < SHARDS * HSETS; first += HSETS) {
        for (int n = first; n < first + HSETS; n++)
            native_send(load, n);
        for (int n = 0; n < HSETS; n++) {
            need(load, redis_receive(load->redis, &reply, &err), &err);
            redis_reply_free(reply);
        }
    }
    us += cpu_us(load);
    load->cost->hset_us += us;
    load->hsets += SHARDS * HSETS;
    native_remove(load);
    return us / (SHARDS * HSETS);
}

/* ---- all of it ---- */

static void shard_open(struct load *load, int shard)
{
    struct err err = ERR_INIT;
    struct type_settings type = { .name = "SiteTaskCreate",
                                  .retry_backoff_ms = 10000,
                                  .retry_limit = 3,
                                  .timeout_ms = 900000,
                                  .retention_s = RETENTION_S,
                                  .retention_error_s = 604800,
                                  .on_sequence_failure = "hold",
                                  .merge_max = load->shape->merging ? 100 : 1,
                                  .merge_max_bytes = 1048576 };
    struct arm arm = {
        .shard = shard, .generation = GENERATION, .queue = { 30000, 3600000, 30, 15 }, .types = &type, .type_count = 1
    };
    bool opened;

    need(load, arm_send(load->redis, &arm, &err), &err);
    need(load, arm_receive(load->redis, &err), &err);
    need(load, open_send(load->redis, shard, GENERATION, &err), &err);
    need(load, open_receive(load->redis, &opened, &err), &err);
    load->shards[shard].hinted = calloc(BATCH_MAX, ID_SIZE);
}

static void load_open(struct load *load)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    bool loaded;

    memset(load->payload, 'x', PAYLOAD);
    redis_server_start(&load->server, true);
    load->redis = redis_new(load->server.url, 60000, &err);
    need(load, load->redis ? ST_OK : ST_INVALID, &err);
    need(load, redis_call(load->redis, &reply, &err, "CONFIG", "SET", "auto-aof-rewrite-percentage", "0", NULL), &err);
    redis_reply_free(reply);
    need(load, functions_load(load->redis, &loaded, &err), &err);
    for (int shard = 0; shard < SHARDS; shard++)
        shard_open(load, shard);
}

/* What is of the queue: neither the server's own, nor the functions, nor what is on its way. */
static double bytes_used(struct load *load)
{
    static const char *const others[] = { "\nused_memory_startup:", "\nused_memory_functions:", "\nmem_aof_buffer:",
                                          "\nmem_clients_normal:" };
    double bytes = info_number(load, "memory", "\nused_memory:");

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        bytes -= info_number(load, "memory", others[i]);
    return bytes;
}

static double steps_us(const struct load *load)
{
    return load->cost->steps[STEP_INGEST].us + load->cost->steps[STEP_CLAIM].us + load->cost->steps[STEP_APPLY].us;
}

/* Answers how many HSETs an operation of this round took. */
static double round_run(struct load *load)
{
    double us = -steps_us(load);
    bool more;

    step_begin(load);
    ingest_all(load);
    step_end(load, STEP_INGEST);
    do {
        step_begin(load);
        claim_all(load);
        step_end(load, STEP_CLAIM);
        step_begin(load);
        more = apply_all(load);
        step_end(load, STEP_APPLY);
    } while (more);
    us += steps_us(load);
    return us / functions_load_round(load->batch) / native_round(load);
}

static int compare_doubles(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void load_close(struct load *load)
{
    for (int shard = 0; shard < SHARDS; shard++)
        free(load->shards[shard].hinted);
    free(load->ratios);
    redis_free(load->redis);
    redis_server_stop(&load->server);
    free(load);
}

int functions_load_round(int batch)
{
    return SHARDS * batch;
}

const struct functions_shape *functions_shape_find(const char *name)
{
    for (const struct functions_shape *shape = functions_shapes; shape->name; shape++) {
        if (strcmp(shape->name, name) == 0)
            return shape;
    }
    return NULL;
}

void functions_load_run(const struct functions_shape *shape, int operations, int batch, struct functions_cost *cost)
{
    const struct timespec until_expired = { .tv_sec = RETENTION_S, .tv_nsec = 50000000 };
    struct load *load = calloc(1, sizeof *load);
    int rounds = operations / functions_load_round(batch);

    *cost = (struct functions_cost){ 0 };
    load->shape = shape, load->batch = batch, load->cost = cost;
    load_open(load);
    load->ratios = calloc((size_t)rounds, sizeof *load->ratios);
    for (int n = 0; n < rounds; n++)
        load->ratios[n] = round_run(load);
    qsort(load->ratios, (size_t)rounds, sizeof *load->ratios, compare_doubles);
    cost->ratio = load->ratios[rounds / 2];
    cost->bytes = bytes_used(load);
    nanosleep(&until_expired, NULL);
    step_begin(load);
    remove_all(load);
    step_end(load, STEP_REMOVE);
    for (int step = 0; step < STEP_COUNT; step++) {
        cost->steps[step].us /= rounds * functions_load_round(batch);
        cost->steps[step].commands /= rounds * functions_load_round(batch);
    }
    cost->bytes /= rounds * functions_load_round(batch);
    cost->hset_us /= load->hsets;
    load_close(load);
}
