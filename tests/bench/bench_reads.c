/* What the reading functions cost: a private redis-server, operations over 16 shards in several statuses, then each
 * question many times. Prints microseconds of Redis' CPU a call; the aim is below 5 ms for every one of them, however much
 * the queue holds.   bench_reads [operations] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/record/id.h"
#include "common/redis/functions.h"
#include "tests/support/redis_server.h"

enum { SHARDS = 16, BATCH = 250, REPEAT = 40, ARGS_MAX = 16 + BATCH * 14, NUMBER = 24, IDS = 200 };

struct bench {
    struct redis_server server;
    redisContext *redis;
    const char *argv[ARGS_MAX];
    int argc;
    char numbers[ARGS_MAX][NUMBER], answer[1 << 20];
    long long status_next[SHARDS];
    char ids[IDS][ID_SIZE];
};

static void add(struct bench *bench, const char *text)
{
    bench->argv[bench->argc++] = text;
}

static void add_number(struct bench *bench, long long number)
{
    snprintf(bench->numbers[bench->argc], NUMBER, "%lld", number);
    add(bench, bench->numbers[bench->argc]);
}

static void add_id(struct bench *bench, int shard, int number)
{
    struct id_parts parts = { .shard = shard, .offset = number };

    id_make(bench->numbers[bench->argc], &parts);
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

static redisReply *call(struct bench *bench)
{
    redisReply *reply = redisCommandArgv(bench->redis, bench->argc, bench->argv, NULL);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "%s: %s\n", bench->argv[1], reply == NULL ? bench->redis->errstr : reply->str);
        exit(1);
    }
    return reply;
}

static void arm(struct bench *bench, int shard)
{
    begin(bench, "bgop_arm", shard);
    for (int i = 0; i < 2; i++)
        add(bench, "0");
    add(bench, "30000");
    add(bench, "3600000");
    add(bench, "30");
    add(bench, "15");
    add(bench, "WebCart");
    add(bench, "{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,\"retention_s\":3600,"
               "\"retention_error_s\":7200,\"merge_max\":1}");
    freeReplyObject(call(bench));
    begin(bench, "bgop_open", shard);
    freeReplyObject(call(bench));
}

static void ingest(struct bench *bench, int shard, int first)
{
    begin(bench, "bgop_ingest", shard);
    add(bench, "0");
    add(bench, "0");
    for (int n = first; n < first + BATCH; n++) {
        add_id(bench, shard, n);
        add(bench, "WebCart");
        snprintf(bench->numbers[bench->argc], NUMBER, n % 3 == 0 ? "acct-%d" : "", n % 100);
        add(bench, bench->numbers[bench->argc]);
        for (int i = 0; i < 7; i++)
            add(bench, "");
        add_number(bench, n);
        add(bench, "c");
        add(bench, "");
        add(bench,
            "{\"some\":\"payload of a hundred bytes or so, as operations have it when they are not large at all\"}");
    }
    freeReplyObject(call(bench));
}

/* Claims a batch and ends most of it: Complete, some Error for good, some left Running. */
static void run(struct bench *bench, int shard, int first)
{
    static long long nonce;
    redisReply *claimed;

    begin(bench, "bgop_claim", shard);
    add(bench, "i1");
    add(bench, "http://127.0.0.1:8000/");
    add_number(bench, ++nonce);
    add(bench, "WebCart");
    add_number(bench, BATCH);
    for (int n = first; n < first + BATCH; n++)
        add_id(bench, shard, n);
    claimed = call(bench);
    begin(bench, "bgop_apply", shard);
    add_number(bench, bench->status_next[shard]);
    add_number(bench, ++bench->status_next[shard]);
    add(bench, "0");
    add(bench, "0");
    add(bench, "0");
    for (size_t i = 3, n = 0; i + 8 < claimed->elements; i += 9, n++) {
        if (n % 50 == 0)
            continue;
        add(bench, n % 20 == 1 ? "permanent" : "ok");
        add(bench, claimed->element[i]->str);
        add(bench, claimed->element[i + 1]->str);
        add_number(bench, claimed->element[1]->integer);
        add(bench, "5");
        add(bench, "http://127.0.0.1:8000/");
        add(bench, n % 20 == 1 ? "connection refused by the other side" : "");
        for (int k = 0; k < 4; k++)
            add(bench, "");
    }
    freeReplyObject(call(bench));
    freeReplyObject(claimed);
}

/* CPU that Redis' main thread has spent: what else the machine does must not count. */
static double redis_cpu_us(struct bench *bench)
{
    redisReply *info = redisCommand(bench->redis, "INFO cpu");
    const char *user = strstr(info->str, "used_cpu_user_main_thread:"),
               *sys = strstr(info->str, "used_cpu_sys_main_thread:");
    double us = 1e6 * (strtod(strchr(user, ':') + 1, NULL) + strtod(strchr(sys, ':') + 1, NULL));

    freeReplyObject(info);
    return us;
}

static void measure(struct bench *bench, const char *what, int argc, const char *const *argv)
{
    double begun = redis_cpu_us(bench);
    size_t bytes = 0;

    for (int i = 0; i < REPEAT; i++) {
        bench->argc = 0;
        add(bench, "FCALL_RO");
        for (int n = 0; n < argc; n++)
            add(bench, argv[n]);
        redisReply *reply = call(bench);
        bytes = (size_t)reply->len;
        freeReplyObject(reply);
    }
    printf("%-40s %8.0f us of Redis a call %8zu bytes\n", what, (redis_cpu_us(bench) - begun) / REPEAT, bytes);
}

static void fill(struct bench *bench, int operations)
{
    redisReply *reply = redisCommand(bench->redis, "FUNCTION LOAD %s", functions_code);

    freeReplyObject(reply);
    freeReplyObject(redisCommand(bench->redis, "HSET bgop:meta shards %d", SHARDS));
    for (int s = 0; s < SHARDS; s++)
        arm(bench, s);
    for (int first = 0; first < operations / SHARDS; first += BATCH) {
        for (int s = 0; s < SHARDS; s++) {
            ingest(bench, s, first);
            if (first % (4 * BATCH) != 0)
                run(bench, s, first);
        }
    }
    for (int i = 0; i < IDS; i++) {
        struct id_parts parts = { .shard = i % SHARDS, .offset = i };

        id_make(bench->ids[i], &parts);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const char *retrieve[3 + IDS] = { "bgop_retrieve", "0", "*" };
    char window[2][32];
    int operations = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100000;

    redis_server_start(&bench.server, false);
    bench.redis = redis_server_connect(&bench.server);
    fill(&bench, operations);
    for (int i = 0; i < IDS; i++)
        retrieve[3 + i] = bench.ids[i];
    snprintf(window[0], sizeof window[0], "%lld", ((long long)time(NULL) - 3600) * 1000);
    snprintf(window[1], sizeof window[1], "%lld", ((long long)time(NULL) + 3600) * 1000);
    printf("%d operations in %d shards, %d calls each\n", operations, SHARDS, REPEAT);
#define MEASURE(what, ...)                                                               \
    measure(&bench, what, (int)(sizeof(const char *[]){ __VA_ARGS__ } / sizeof(char *)), \
            (const char *[]){ __VA_ARGS__ })
    measure(&bench, "retrieve 200, all fields", 3 + IDS, retrieve);
    retrieve[2] = "Id,Status,Error";
    measure(&bench, "retrieve 200, three fields", 3 + IDS, retrieve);
    MEASURE("find 50, all fields", "bgop_find", "0", "{\"limit\":50}");
    MEASURE("find 200, all fields", "bgop_find", "0", "{\"limit\":200}");
    MEASURE("find: 500 looked at, none found", "bgop_find", "0", "{\"where\":[[\"Type\",\"=\",\"None\"]]}");
    MEASURE("find: of one ParentKey", "bgop_find", "0",
            "{\"where\":[[\"ParentKey\",\"=\",\"acct-42\"]],\"fields\":[\"Status\"],\"limit\":200}");
    MEASURE("find: Running, newest first", "bgop_find", "0",
            "{\"where\":[[\"Status\",\"=\",\"Running\"]],\"limit\":50}");
    MEASURE("lookup 500 of a worker", "bgop_lookup", "0", "WorkerUri", "http://127.0.0.1:8000/");
    MEASURE("lookup a Name", "bgop_lookup", "0", "Name", "nobody");
    MEASURE("stats", "bgop_stats", "0");
    MEASURE("why", "bgop_why", "0", bench.ids[0]);
    MEASURE("get_updated, a page", "bgop_get_updated", "0", window[0], window[1]);
    MEASURE("describe", "bgop_describe", "0");
    redisFree(bench.redis);
    redis_server_stop(&bench.server);
    return 0;
}
