/* Rounds over all shards, as in life: each operation soon goes from one function to the next. See functions_load.h. */
#include "tests/bench/functions_load.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/bench/functions_calls.h"

enum { RETENTION_S = 1, KEPT_S = 86400, POINT_OPERATIONS = 64 * 1024 };

const struct functions_shape functions_shapes[] = {
    { .name = "plain" },
    { .name = "parent", .parent = true },
    { .name = "named", .parent = true, .named = true },
    { .name = "sequence", .parent = true, .sequence = true },
    { .name = "merging", .parent = true, .merging = true },
    { .name = NULL },
};
const char *const functions_step_names[STEP_COUNT] = { "ingest", "claim", "apply", "remove" };

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

    functions_need(load, redis_call(load->redis, &reply, &err, "INFO", section, NULL), &err);
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
    functions_need(load, redis_send(load->redis, &command, &err), &err);
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
    functions_need(load, redis_send(load->redis, &command, &err), &err);
    redis_command_release(&command);
    functions_need(load, redis_receive(load->redis, &reply, &err), &err);
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
            functions_need(load, redis_receive(load->redis, &reply, &err), &err);
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

static void load_open(struct load *load)
{
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    bool loaded;

    memset(load->payload, 'x', PAYLOAD);
    redis_server_start(&load->server, true);
    load->redis = redis_new(load->server.url, 60000, &err);
    functions_need(load, load->redis ? ST_OK : ST_INVALID, &err);
    functions_need(
        load, redis_call(load->redis, &reply, &err, "CONFIG", "SET", "auto-aof-rewrite-percentage", "0", NULL), &err);
    redis_reply_free(reply);
    functions_need(load, functions_load(load->redis, &loaded, &err), &err);
    for (int shard = 0; shard < SHARDS; shard++)
        load->shards[shard].hinted = calloc(BATCH_MAX, ID_SIZE);
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
    functions_ingest(load);
    step_end(load, STEP_INGEST);
    do {
        step_begin(load);
        functions_claim(load);
        step_end(load, STEP_CLAIM);
        step_begin(load);
        more = functions_apply(load);
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

static struct load *load_new(const struct functions_shape *shape, int batch, struct functions_cost *cost)
{
    struct load *load = calloc(1, sizeof *load);

    load->shape = shape, load->batch = batch, load->cost = cost;
    load_open(load);
    return load;
}

/* So many rounds, and what was measured of them, an operation. before: bytes that are not theirs. */
static void rounds_measure(struct load *load, int rounds, double before)
{
    const struct timespec until_expired = { .tv_sec = RETENTION_S, .tv_nsec = 50000000 };
    struct functions_cost *cost = load->cost;
    double *ratios = calloc((size_t)rounds, sizeof *ratios), operations = rounds * functions_load_round(load->batch);

    *cost = (struct functions_cost){ 0 };
    load->hsets = 0;
    for (int n = 0; n < rounds; n++)
        ratios[n] = round_run(load);
    qsort(ratios, (size_t)rounds, sizeof *ratios, compare_doubles);
    cost->ratio = ratios[rounds / 2];
    cost->bytes = (bytes_used(load) - before) / operations;
    nanosleep(&until_expired, NULL);
    step_begin(load);
    functions_remove(load);
    step_end(load, STEP_REMOVE);
    for (int step = 0; step < STEP_COUNT; step++) {
        cost->steps[step].us /= operations;
        cost->steps[step].commands /= operations;
    }
    cost->hset_us /= load->hsets;
    free(ratios);
}

void functions_load_run(const struct functions_shape *shape, int operations, int batch, struct functions_cost *cost)
{
    struct load *load = load_new(shape, batch, cost);

    functions_arm(load, RETENTION_S);
    rounds_measure(load, operations / functions_load_round(batch), 0);
    load_close(load);
}

/* ---- a queue that grows ---- */

static void point_measure(struct load *load, struct functions_point *point)
{
    int64_t began_us = clock_boot_us();

    functions_arm(load, RETENTION_S);
    point->arm_ms = (double)(clock_boot_us() - began_us) / 1000;
    rounds_measure(load, POINT_OPERATIONS / functions_load_round(load->batch), bytes_used(load));
    functions_arm(load, KEPT_S);
}

void functions_growth_run(const struct functions_shape *shape, int batch, const long *records, int count, long backlog,
                          void (*report)(const struct functions_point *point))
{
    struct functions_point point = { 0 };
    struct functions_cost filling = { 0 };
    struct load *load = load_new(shape, batch, &point.cost);

    functions_arm(load, KEPT_S);
    for (int i = 0; i < count; i++) {
        load->cost = &filling;
        for (; point.records < records[i]; point.records += functions_load_round(batch))
            round_run(load);
        load->cost = &point.cost;
        point_measure(load, &point);
        report(&point);
    }
    for (; point.backlog < backlog; point.backlog += functions_load_round(batch))
        functions_ingest(load);
    if (backlog > 0) {
        point_measure(load, &point);
        report(&point);
    }
    load_close(load);
}
