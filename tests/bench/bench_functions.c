/* What the Redis Functions cost: a private redis-server (unix socket, AOF everysec), operations of 200 bytes of Type
 * SiteTaskCreate through ingest, claim, apply and then removal, in batches of 250 over 16 shards. Prints, for each function, microseconds of Redis CPU and Redis commands per operation, and bytes of Redis per
 * finished operation.   bench_functions [operations [batch]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/redis/functions.h"
#include "tests/support/redis_server.h"

enum { SHARDS = 16, PAYLOAD = 200, BATCH_MAX = 500, ARGS_MAX = 16384, NUMBER = 24, RETENTION_S = 30 };

struct bench {
    struct redis_server server;
    redisContext *redis;
    int operations, batch;
    const char *argv[ARGS_MAX];
    size_t sizes[ARGS_MAX];
    int argc;
    char numbers[ARGS_MAX][NUMBER];
    long long submit_next[SHARDS], status_next[SHARDS];
    char payload[PAYLOAD + 1];
    double ended;
};

static void add(struct bench *bench, const char *text)
{
    bench->argv[bench->argc] = text;
    bench->sizes[bench->argc++] = strlen(text);
}

static void add_number(struct bench *bench, long long number)
{
    snprintf(bench->numbers[bench->argc], NUMBER, "%lld", number);
    add(bench, bench->numbers[bench->argc]);
}

static void add_id(struct bench *bench, int shard, int n)
{
    snprintf(bench->numbers[bench->argc], NUMBER, "08P0%c%09dAAAA", "0123456789ABCDEFGHIJ"[shard], n);
    add(bench, bench->numbers[bench->argc]);
}

static void begin(struct bench *bench, const char *function, int shard)
{
    bench->argc = 0;
    add(bench, "FCALL");
    add(bench, function);
    add(bench, "1");
    snprintf(bench->numbers[3], NUMBER, "bgop:{%d}", shard);
    add(bench, bench->numbers[3]);
    add(bench, "1");
}

static void send(struct bench *bench)
{
    redisAppendCommandArgv(bench->redis, bench->argc, bench->argv, bench->sizes);
}

/* The next answer; ends the program on an error. Free it. */
static redisReply *receive(struct bench *bench)
{
    void *reply = NULL;

    if (redisGetReply(bench->redis, &reply) != REDIS_OK || ((redisReply *)reply)->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "redis: %s\n", reply == NULL ? bench->redis->errstr : ((redisReply *)reply)->str);
        redis_server_stop(&bench->server);
        exit(1);
    }
    return reply;
}

static void receive_some(struct bench *bench, int count)
{
    while (count-- > 0)
        freeReplyObject(receive(bench));
}

static double info_number(struct bench *bench, const char *section, const char *name)
{
    redisReply *reply = redisCommand(bench->redis, "INFO %s", section);
    const char *line = strstr(reply->str, name);
    double number = line == NULL ? 0 : strtod(line + strlen(name), NULL);

    freeReplyObject(reply);
    return number;
}

static double cpu_s(struct bench *bench)
{
    return info_number(bench, "cpu", "\nused_cpu_sys:") + info_number(bench, "cpu", "\nused_cpu_user:");
}

/* Commands that functions ran: all but the FCALLs themselves. */
static double commands_run(struct bench *bench)
{
    redisReply *reply = redisCommand(bench->redis, "INFO commandstats");
    double calls = 0;

    for (const char *line = strstr(reply->str, "cmdstat_"); line != NULL; line = strstr(line + 1, "cmdstat_")) {
        if (strncmp(line, "cmdstat_fcall", 13) != 0 && strncmp(line, "cmdstat_info", 12) != 0 &&
            strncmp(line, "cmdstat_config", 14) != 0)
            calls += strtod(strstr(line, "calls=") + 6, NULL);
    }
    freeReplyObject(reply);
    return calls;
}

static void send_ingest(struct bench *bench, int shard, int first)
{
    begin(bench, "bgop_ingest", shard);
    add(bench, "1");
    add(bench, "0");
    add_number(bench, bench->submit_next[shard]);
    add_number(bench, ++bench->submit_next[shard]);
    add_number(bench, bench->submit_next[shard]);
    add(bench, "1");
    add(bench, "1700000000000");
    add(bench, "0");
    for (int n = first; n < first + bench->batch; n++) {
        add_id(bench, shard, n);
        add(bench, "SiteTaskCreate");
        for (int i = 0; i < 8; i++)
            add(bench, "");
        add_number(bench, 3000000000 + n);
        add(bench, "");
        add(bench, "");
        add(bench, "");
        add(bench, bench->payload);
    }
    send(bench);
}

static void send_claim(struct bench *bench, int shard, int first)
{
    begin(bench, "bgop_claim", shard);
    add(bench, "worker-1-0123456789abcdef");
    add(bench, "http://127.0.0.1:40123");
    add_number(bench, first);
    add(bench, "SiteTaskCreate");
    add_number(bench, bench->batch);
    for (int n = first; n < first + bench->batch; n++)
        add_id(bench, shard, n);
    send(bench);
}

static void send_apply(struct bench *bench, int shard, int first)
{
    char started[NUMBER];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(started, sizeof started, "%lld", (long long)now.tv_sec * 1000 - 5);
    begin(bench, "bgop_apply", shard);
    add_number(bench, bench->status_next[shard]);
    add_number(bench, ++bench->status_next[shard]);
    add_number(bench, bench->status_next[shard]);
    add(bench, "1");
    add(bench, "1700000000000");
    for (int n = first; n < first + bench->batch; n++) {
        add(bench, "ok");
        add_id(bench, shard, n);
        add_number(bench, 1048577);
        add(bench, started);
        add(bench, "3");
        add(bench, "http://127.0.0.1:40123");
        for (int i = 0; i < 5; i++)
            add(bench, "");
    }
    send(bench);
}

static double wall_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_cost(struct bench *bench, const char *name, double cpu, double commands)
{
    printf("%-8s %6.2f us of Redis CPU, %5.2f commands per operation\n", name, cpu * 1e6 / bench->operations,
           commands / bench->operations);
    fflush(stdout);
}

/* As in life, each operation soon goes from one function to the next: round by round over all shards. */
static void run_rounds(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*send_batch)(struct bench *, int, int);
    } steps[] = {
        { "ingest", send_ingest },
        { "claim", send_claim },
        { "apply", send_apply },
    };
    double cpu[3] = { 0 }, commands[3] = { 0 }, total = 0;
    int per_shard = bench->operations / SHARDS;

    for (int first = 0; first < per_shard; first += bench->batch) {
        for (int step = 0; step < 3; step++) {
            double cpu_before = cpu_s(bench), commands_before = commands_run(bench);

            for (int shard = 0; shard < SHARDS; shard++)
                steps[step].send_batch(bench, shard, first);
            receive_some(bench, SHARDS);
            cpu[step] += cpu_s(bench) - cpu_before;
            commands[step] += commands_run(bench) - commands_before;
        }
    }
    for (int step = 0; step < 3; step++) {
        print_cost(bench, steps[step].name, cpu[step], commands[step]);
        total += cpu[step];
    }
    printf("together %6.2f us of Redis CPU per operation\n", total * 1e6 / bench->operations);
}

static void phase_remove(struct bench *bench)
{
    struct timespec pause = { .tv_sec = 1 };
    double cpu, commands;

    while (wall_s() < bench->ended + RETENTION_S + 1)
        nanosleep(&pause, NULL);
    cpu = cpu_s(bench), commands = commands_run(bench);
    for (bool more = true; more;) {
        more = false;
        for (int shard = 0; shard < SHARDS; shard++) {
            begin(bench, "bgop_tick", shard);
            add(bench, "1700000000000");
            add(bench, "500");
            send(bench);
        }
        for (int shard = 0; shard < SHARDS; shard++) {
            redisReply *reply = receive(bench);
            more = more || reply->element[2]->integer == 0;
            freeReplyObject(reply);
        }
    }
    print_cost(bench, "remove", cpu_s(bench) - cpu, commands_run(bench) - commands);
}

static void shards_open(struct bench *bench)
{
    redisReply *reply = redisCommand(bench->redis, "FUNCTION LOAD REPLACE %b", functions_code, functions_code_size);
    char settings[256];

    snprintf(settings, sizeof settings,
             "{\"retry_backoff_ms\":10000,\"retry_limit\":3,\"timeout_ms\":900000,"
             "\"retention_s\":%d,\"retention_error_s\":604800}",
             RETENTION_S);
    if (reply->type == REDIS_REPLY_ERROR)
        fprintf(stderr, "redis: %s\n", reply->str);
    freeReplyObject(reply);
    for (int shard = 0; shard < SHARDS; shard++) {
        static const char *const numbers[] = { "0", "0", "30000", "3600000", "30", "15" };

        begin(bench, "bgop_arm", shard);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            add(bench, numbers[i]);
        add(bench, "SiteTaskCreate");
        add(bench, settings);
        send(bench);
        begin(bench, "bgop_open", shard);
        send(bench);
    }
    receive_some(bench, 2 * SHARDS);
    freeReplyObject(redisCommand(bench->redis, "CONFIG RESETSTAT"));
}

int main(int argc, char **argv)
{
    static struct bench bench;
    double after;

    bench.batch = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 250;
    bench.operations = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 200000;
    if (bench.batch < 1 || bench.batch > BATCH_MAX)
        bench.batch = 250;
    bench.operations -= bench.operations % (SHARDS * bench.batch);
    memset(bench.payload, 'x', PAYLOAD);
    redis_server_start(&bench.server, true);
    bench.redis = redis_server_connect(&bench.server);
    freeReplyObject(redisCommand(bench.redis, "CONFIG SET auto-aof-rewrite-percentage 0")); /* not what is measured */
    shards_open(&bench);
    printf("%d operations in batches of %d over %d shards\n", bench.operations, bench.batch, SHARDS);
    run_rounds(&bench);
    bench.ended = wall_s();
    after = info_number(&bench, "memory", "\nused_memory:") - info_number(&bench, "memory", "\nmem_aof_buffer:") -
            info_number(&bench, "memory", "\nmem_clients_normal:") -
            info_number(&bench, "memory", "\nused_memory_startup:");
    printf("memory   %6.0f bytes of Redis per finished operation\n", after / bench.operations);
    phase_remove(&bench);
    redisFree(bench.redis);
    redis_server_stop(&bench.server);
    return 0;
}
