/* What the calls cost in a queue of a million records: a private redis-server filled through the functions themselves
 * (million_queue.h), then every reading function with many shapes of arguments, page after page. Prints, for each
 * shape, Redis' own time (its slow log): p50, p99 and the longest of all pages. Exit 1 when a page took longer than the
 * limit. bench_million [records (1000000) [limit in ms (5) [socket of a server to fill and keep]]]
 *
 * The slow log's time is wall time, and the machine may be busy: each page is asked for REPEAT times in a row (up to
 * REPEAT_MAX while it takes more than half the limit) and its shortest time counts. Reading changes nothing, so what
 * differs between them is noise. Where even the shortest is too long, the CPU time of Redis' thread decides (it has no
 * waiting for a CPU in it; the column behind says its maximum). Calls that change something cannot be repeated: of
 * these the table at the end shows everything, and nothing is judged.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/million_queue.h"
#include "tests/support/redis_server.h"

enum { REPEAT = 5, REPEAT_MAX = 12, PAGES_MAX = 8, CALLS_MAX = 4096, IDS = 200, TEXT = 8192, TICKS = 70 };

struct bench {
    struct million queue;
    long limit_us, times[CALLS_MAX], cpu_max, longest;
    char schedstat[64]; /* of Redis' main thread: its first number is ns on a CPU */
    int calls, exceeded;
    size_t bytes;
    char cursor[1 << 17], argument[1 << 18];
};

static int by_time(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

static long percentile(struct bench *bench, int percent)
{
    return bench->times[(bench->calls - 1) * percent / 100];
}

static void print_head(const char *what)
{
    printf("\n%-66s %6s %8s %8s %8s %8s %8s\n", what, "calls", "p50 us", "p99 us", "max us", "max CPU", "bytes");
}

static void print_times(struct bench *bench, const char *name, bool judged)
{
    long max;

    if (bench->calls == 0)
        return;
    qsort(bench->times, (size_t)bench->calls, sizeof bench->times[0], by_time);
    max = bench->times[bench->calls - 1];
    if (judged && bench->cpu_max < max)
        max = bench->cpu_max;
    if (judged) {
        bench->exceeded += max > bench->limit_us;
        bench->longest = max > bench->longest ? max : bench->longest;
    }
    printf("%-66s %6d %8ld %8ld %8ld %8ld %8zu%s\n", name, bench->calls, percentile(bench, 50), percentile(bench, 99),
           bench->times[bench->calls - 1], bench->cpu_max, bench->bytes,
           judged && max > bench->limit_us ? "  TOO LONG" : "");
    fflush(stdout);
    bench->calls = 0;
    bench->bytes = 0;
    bench->cpu_max = 0;
}

static void take_time(struct bench *bench, long us)
{
    if (bench->calls < CALLS_MAX)
        bench->times[bench->calls++] = us;
}

/* Redis' time of the call just made. */
static long slow_log_us(struct bench *bench)
{
    redisReply *log = million_command(&bench->queue, "SLOWLOG GET 1");
    long us = log->elements == 1 && log->element[0]->elements > 2 ? (long)log->element[0]->element[2]->integer : 0;

    freeReplyObject(log);
    return us;
}

static long cpu_us(struct bench *bench)
{
    FILE *file = fopen(bench->schedstat, "r");
    long long ns = 0;

    if (file == NULL || fscanf(file, "%lld", &ns) != 1)
        ns = 0;
    if (file != NULL)
        fclose(file);
    return (long)(ns / 1000);
}

/* The answer's cursor, as JSON: its last member. */
static void cursor_take(struct bench *bench, const char *answer)
{
    const char *cursor = NULL;

    for (const char *at = answer; (at = strstr(at, "\"cursor\":")) != NULL; at++)
        cursor = at + strlen("\"cursor\":");
    snprintf(bench->cursor, sizeof bench->cursor, "%.*s", cursor == NULL ? 4 : (int)strcspn(cursor, "}"),
             cursor == NULL ? "null" : cursor);
}

/* One page, REPEAT times. Its answer's cursor, as JSON, is kept: false when there is none, or it is null. */
static bool page_measure(struct bench *bench, int argc, const char **argv)
{
    long least = 0, least_cpu = 0;

    for (int i = 0; i < REPEAT || (i < REPEAT_MAX && least > bench->limit_us / 2); i++) {
        long us, cpu = cpu_us(bench);
        redisReply *reply = redisCommandArgv(bench->queue.redis, argc, argv, NULL);

        cpu = cpu_us(bench) - cpu;
        if (reply != NULL && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MALFORMED_QUERY", 15) == 0) {
            printf("    refused: %.90s\n", reply->str);
            freeReplyObject(reply);
            return false;
        }
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            fprintf(stderr, "%s %.300s: %s\n", argv[1], argc > 3 ? argv[3] : "", reply == NULL ? "gone" : reply->str);
            exit(1);
        }
        us = slow_log_us(bench);
        least = i == 0 || us < least ? us : least;
        least_cpu = i == 0 || cpu < least_cpu ? cpu : least_cpu;
        bench->bytes = (size_t)reply->len > bench->bytes ? (size_t)reply->len : bench->bytes;
        cursor_take(bench, reply->str);
        freeReplyObject(reply);
    }
    take_time(bench, least);
    bench->cpu_max = least_cpu > bench->cpu_max ? least_cpu : bench->cpu_max;
    return strcmp(bench->cursor, "null") != 0;
}

/* bgop_find with these members, page after page. */
static void find_measure(struct bench *bench, const char *name, const char *members, int pages)
{
    const char *argv[] = { "FCALL_RO", "bgop_find", "0", bench->argument };
    bool more;

    snprintf(bench->cursor, sizeof bench->cursor, "null");
    do {
        snprintf(bench->argument, sizeof bench->argument, "{%s%s\"cursor\":%s}", members, members[0] == '\0' ? "" : ",",
                 bench->cursor);
        more = page_measure(bench, 4, argv);
    } while (more && --pages > 0);
    print_times(bench, name, true);
}

/* Any other function: arguments by blanks, and the cursor behind them. */
static void call_measure(struct bench *bench, const char *name, const char *function, int argc, const char *const *args,
                         int pages)
{
    const char *argv[8 + IDS] = { "FCALL_RO", function, "0" };
    bool more;

    for (int i = 0; i < argc; i++)
        argv[3 + i] = args[i];
    more = page_measure(bench, 3 + argc, argv);
    while (more && --pages > 0) {
        snprintf(bench->argument, sizeof bench->argument, "%.*s", (int)strlen(bench->cursor) - 2, bench->cursor + 1);
        argv[3 + argc] = bench->argument;
        more = page_measure(bench, 4 + argc, argv);
    }
    print_times(bench, name, true);
}

/* ---- the calls ---- */

static void measure_records(struct bench *bench)
{
    static char ids[IDS][ID_SIZE];
    static const char *args[1 + IDS];
    static const char *const fields[] = { "*", "Id,Status,Error", "Id,Type,Name,RetryCount,RetryLimit,Timeout" };

    print_head("retrieve, why, describe, stats, blocked");
    for (int f = 0; f < 3; f++) {
        char name[80];

        args[0] = fields[f];
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < IDS; i++) {
                million_id(ids[i], i % MILLION_SHARDS, (i * 7919 + round * 104729) % bench->queue.per_shard);
                args[1 + i] = ids[i];
            }
            const char *argv[4 + IDS] = { "FCALL_RO", "bgop_retrieve", "0" };
            memcpy(argv + 3, args, sizeof args);
            page_measure(bench, 4 + IDS, argv);
        }
        snprintf(name, sizeof name, "retrieve 200: %s", fields[f]);
        print_times(bench, name, true);
    }
    for (int i = 0; i < 200; i++)
        page_measure(bench, 4, (const char *[]){ "FCALL_RO", "bgop_why", "0", ids[i] });
    print_times(bench, "why, of 200 records", true);
    call_measure(bench, "describe", "bgop_describe", 0, NULL, 1);
    call_measure(bench, "stats", "bgop_stats", 0, NULL, 1);
    call_measure(bench, "history", "bgop_history", 0, NULL, 1);
    page_measure(bench, 4, (const char *[]){ "FCALL_RO", "bgop_stats", "1", "bgop:{3}" });
    print_times(bench, "stats of one shard", true);
    call_measure(bench, "blocked, 500", "bgop_blocked", 1, (const char *[]){ "500" }, 1);
}

static void measure_lookups(struct bench *bench)
{
    static const struct {
        const char *field, *value;
        int pages;
    } cases[] = {
        { "ParentKey", "acct-huge", 40 },
        { "ParentKey", "acct-5-1", 20 },
        { "ParentKey", "acct-5-300", 10 },
        { "ParentKey", "nobody", 1 },
        { "WorkerUri", "http://10.0.0.3:8000/", 30 },
        { "WorkerUri", "nobody", 1 },
        { "Name", "import-3-1000", 1 },
        { "Name", "BO-08P030000000007", 1 },
        { "Name", "nobody", 1 },
        { "Id", "08P030000000007", 1 },
    };

    print_head("lookup");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[80];

        snprintf(name, sizeof name, "lookup %s %s", cases[i].field, cases[i].value);
        call_measure(bench, name, "bgop_lookup", 2, (const char *[]){ cases[i].field, cases[i].value }, cases[i].pages);
    }
}

static void measure_changes(struct bench *bench)
{
    char all[2][24], hour[2][24], minute[2][24];

    snprintf(all[0], 24, "%" PRId64, MILLION_T0 - 86400000);
    snprintf(all[1], 24, "%" PRId64, MILLION_T0 + 2 * 86400000);
    snprintf(hour[0], 24, "%" PRId64, MILLION_T0 + 10 * INT64_C(3600000));
    snprintf(hour[1], 24, "%" PRId64, MILLION_T0 + 11 * INT64_C(3600000));
    snprintf(minute[0], 24, "%" PRId64, bench->queue.now_ms - 60000);
    snprintf(minute[1], 24, "%" PRId64, bench->queue.now_ms + 60000);
    print_head("get_updated, get_deleted");
    call_measure(bench, "get_updated, all", "bgop_get_updated", 2, (const char *[]){ all[0], all[1] }, 40);
    call_measure(bench, "get_updated, an hour", "bgop_get_updated", 2, (const char *[]){ hour[0], hour[1] }, 40);
    call_measure(bench, "get_updated, the last minute", "bgop_get_updated", 2, (const char *[]){ minute[0], minute[1] },
                 10);
    call_measure(bench, "get_deleted, all", "bgop_get_deleted", 2, (const char *[]){ all[0], all[1] }, 40);
    call_measure(bench, "get_deleted, an hour", "bgop_get_deleted", 2, (const char *[]){ hour[0], hour[1] }, 40);
}

/* Every F field with a condition that few records meet and one that most do, in the order of submission. */
static void measure_filters(struct bench *bench)
{
    static const char *const conditions[] = {
        "[\"Error\",\"=\",\"exit status 3\"]",
        "[\"Error\",\"=\",null]",
        "[\"Error\",\"like\",\"%refused%host-7.%\"]",
        "[\"ExecutionGroup\",\"!=\",null]",
        "[\"ExecutionGroup\",\"=\",null]",
        "[\"ExpiresAt\",\"<\",1700000000000]",
        "[\"ExpiresAt\",\">\",\"2023-11-14\"]",
        "[\"FinishedAt\",\">\",1700071990000]",
        "[\"FinishedAt\",\"<\",1700071990000]",
        "[\"GroupLeaderId\",\"=\",\"08P030000000000\"]",
        "[\"GroupLeaderId\",\"=\",null]",
        "[\"Name\",\"=\",\"import-3-1000\"]",
        "[\"Name\",\"like\",\"import-%-1000\"]",
        "[\"Name\",\"like\",\"%0%\"]",
        "[\"Name\",\"in\",[\"import-3-1000\",\"import-4-999\",\"BO-08P030000000007\"]]",
        "[\"NumFollowers\",\">\",1]",
        "[\"NumFollowers\",\"=\",null]",
        "[\"ParentKey\",\"=\",\"acct-huge\"]",
        "[\"ParentKey\",\"=\",\"acct-5-300\"]",
        "[\"ParentKey\",\"!=\",null]",
        "[\"ParentKey\",\"in\",[\"acct-5-300\",\"acct-7-2\",\"acct-huge\"]]",
        "[\"ParentKey\",\"like\",\"acct-5-%\"]",
        "[\"ProcessAfter\",\">\",1700080000000]",
        "[\"ProcessAfter\",\"=\",null]",
        "[\"RetryBackoff\",\"=\",2500]",
        "[\"RetryBackoff\",\"<=\",1000]",
        "[\"RetryCount\",\">\",0]",
        "[\"RetryCount\",\"=\",0]",
        "[\"RetryLimit\",\"=\",7]",
        "[\"RetryLimit\",\"in\",[4,5]]",
        "[\"SequenceGroup\",\"=\",\"g7\"]",
        "[\"SequenceGroup\",\"=\",null]",
        "[\"SequenceNumber\",\"=\",100]",
        "[\"SequenceNumber\",\"=\",null]",
        "[\"StartedAt\",\">\",1700071990000]",
        "[\"StartedAt\",\"!=\",null]",
        "[\"Status\",\"=\",\"New\"]",
        "[\"Status\",\"=\",\"Scheduled\"]",
        "[\"Status\",\"=\",\"Canceled\"]",
        "[\"Status\",\"=\",\"Merged\"]",
        "[\"Status\",\"=\",\"Waiting\"]",
        "[\"Status\",\"=\",\"Running\"]",
        "[\"Status\",\"=\",\"Error\"]",
        "[\"Status\",\"=\",\"Complete\"]",
        "[\"Status\",\"in\",[\"Running\",\"Error\"]]",
        "[\"SubmittedAt\",\">\",1700071990000]",
        "[\"SubmittedAt\",\"<\",1700001000000]",
        "[\"Timeout\",\"=\",5000]",
        "[\"Timeout\",\"!=\",5000]",
        "[\"Type\",\"=\",\"Nonsense\"]",
        "[\"Type\",\"=\",\"WebCart\"]",
        "[\"Type\",\"=\",\"CdpMetadataDeploy\"]",
        "[\"WorkerUri\",\"=\",\"http://10.0.0.3:8000/\"]",
        "[\"WorkerUri\",\"=\",null]",
        "[\"WorkerUri\",\"=\",\"nobody\"]",
        "[\"Id\",\"=\",\"08P030000000007\"]",
        "[\"Id\",\">\",\"08P0F0000000000\"]",
        "[\"SystemModstamp\",\">\",1700071990000]",
        "[\"LastModifiedDate\",\"<\",1700001000000]",
        "[\"IsDeleted\",\"=\",true]",
        "[\"IsDeleted\",\"=\",false]",
        "[\"Status\",\"=\",\"Error\"],[\"Type\",\"=\",\"WebCart\"],[\"ParentKey\",\"=\",\"acct-huge\"]",
    };

    print_head("find, newest first, 50 whole records a page");
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        char members[TEXT];

        snprintf(members, sizeof members, "\"where\":[%s]", conditions[i]);
        find_measure(bench, conditions[i], members, PAGES_MAX);
    }
}

static void measure_orders(struct bench *bench)
{
    static const char *const fields[] = {
        "Error",       "ExecutionGroup", "ExpiresAt",      "FinishedAt",   "GroupLeaderId", "Id",
        "Name",        "NumFollowers",   "ParentKey",      "ProcessAfter", "RetryBackoff",  "RetryCount",
        "RetryLimit",  "SequenceGroup",  "SequenceNumber", "StartedAt",    "Status",        "SystemModstamp",
        "SubmittedAt", "Timeout",        "Type",           "WorkerUri"
    };
    static const char *const subsets[] = { "", "\"where\":[[\"ParentKey\",\"=\",\"acct-huge\"]],",
                                           "\"where\":[[\"Status\",\"=\",\"Error\"]]," };
    static const char *const names[] = { "all", "ParentKey acct-huge", "Status Error" };

    for (size_t s = 0; s < sizeof subsets / sizeof subsets[0]; s++) {
        char head[80];

        snprintf(head, sizeof head, "find, in every order: %s, 50 whole records a page", names[s]);
        print_head(head);
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            char members[TEXT], name[80];

            for (int rising = 0; rising < 2; rising++) {
                snprintf(members, sizeof members, "%s\"order\":\"%s%s\"", subsets[s], rising ? "" : "-", fields[i]);
                snprintf(name, sizeof name, "order %s%s", rising ? "" : "-", fields[i]);
                find_measure(bench, name, members, s == 0 ? PAGES_MAX : 12);
            }
        }
    }
}

static void measure_pages(struct bench *bench)
{
    print_head("find, large pages, long walks");
    find_measure(bench, "200 whole records a page", "\"limit\":200", 40);
    find_measure(bench, "200 Ids a page", "\"limit\":200,\"fields\":[]", 40);
    find_measure(bench, "200 whole records a page, oldest first", "\"limit\":200,\"order\":\"SubmittedAt\"", 40);
    find_measure(bench, "200 whole records a page of acct-huge",
                 "\"limit\":200,\"where\":[[\"ParentKey\",\"=\",\"acct-huge\"]]", 40);
    find_measure(bench, "200 whole records a page of one Type",
                 "\"limit\":200,\"where\":[[\"Type\",\"=\",\"WebCart\"]]", 40);
    find_measure(bench, "five conditions on all records, none met",
                 "\"where\":[[\"Error\",\"like\",\"%a%b%c%\"],[\"RetryLimit\",\">\",100],[\"StartedAt\",\"<\",5],"
                 "[\"WorkerUri\",\"like\",\"%9\"],[\"Name\",\"like\",\"%x%\"]]",
                 60);
}

/* ---- what changes something ---- */

/* Of the calls that filled the queue: those that took longer than a third of the limit, from the slow log. */
static void print_filling(struct bench *bench)
{
    static const char *const functions[] = { "bgop_ingest", "bgop_claim", "bgop_apply", "bgop_tick", "bgop_renew" };
    redisReply *log = million_command(&bench->queue, "SLOWLOG GET 10000");

    printf("\n%-66s %6s %35s\n", "what filled the queue (not judged)", "slow", "max us");
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
        long long count = 0, max = 0;

        for (size_t i = 0; i < log->elements; i++) {
            redisReply *args = log->element[i]->element[3];

            if (args->elements < 2 || strcmp(args->element[1]->str, functions[f]) != 0)
                continue;
            count++;
            max = log->element[i]->element[2]->integer > max ? log->element[i]->element[2]->integer : max;
        }
        printf("%-66s %6lld %35lld\n", functions[f], count, max);
    }
    freeReplyObject(log);
}

static void ticks(struct bench *bench, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        million_clock(&bench->queue, bench->queue.now_ms + 1000);
        for (int s = 0; s < MILLION_SHARDS; s++) {
            million_begin(&bench->queue, "bgop_tick", s);
            million_add(&bench->queue, "0");
            million_add(&bench->queue, "100");
            freeReplyObject(million_call(&bench->queue));
            take_time(bench, slow_log_us(bench));
        }
    }
}

static void measure_ticks(struct bench *bench)
{
    print_head("tick, every shard once a second (not judged)");
    ticks(bench, TICKS);
    print_times(bench, "tick", false);
}

/* ---- a busy hour ---- */

/* Filling gives each shard something to count every few minutes; a busy queue counts everything in every minute. Last, because
 * these numbers are of no operation. */
static void measure_busy_hour(struct bench *bench)
{
    static const char script[] =
        "local stats, last = 'bgop:{' .. ARGV[1] .. '}:stats:', tonumber(ARGV[2]) "
        "local names = {'accepted', 'finished', 'failed', 'retried', 'ws', 'rs'} "
        "for n = 0, 59 do names[#names + 1] = 'w' .. n names[#names + 1] = 'r' .. n end "
        "for i, name in ipairs(names) do "
        "for minute = last - 60, last do redis.call('HSET', stats .. string.format('%.0f', minute), name, i) end "
        "redis.call('HSET', stats .. '5', name, 5 * i) redis.call('HSET', stats .. '60', name, 60 * i) end";

    for (int s = 0; s < MILLION_SHARDS; s++)
        freeReplyObject(
            million_command(&bench->queue, "EVAL %s 0 %d %" PRId64, script, s, bench->queue.now_ms / 60000));
    /* what is over is remembered: it was another hour that was counted so far */
    freeReplyObject(million_command(&bench->queue, "FUNCTION DELETE bgop"));
    million_open(&bench->queue, bench->queue.redis, bench->queue.per_shard * MILLION_SHARDS);
    print_head("an hour in which each shard counted everything in every minute");
    call_measure(bench, "stats", "bgop_stats", 0, NULL, 1);
    call_measure(bench, "history", "bgop_history", 0, NULL, 1);
}

static void schedstat_find(struct bench *bench)
{
    redisReply *info = million_command(&bench->queue, "INFO server");
    const char *pid = strstr(info->str, "process_id:");

    snprintf(bench->schedstat, sizeof bench->schedstat, "/proc/%ld/schedstat",
             pid == NULL ? 0 : strtol(pid + strlen("process_id:"), NULL, 10));
    freeReplyObject(info);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct redis_server server = { 0 };
    redisContext *redis;
    int records = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;

    bench.limit_us = argc > 2 ? (long)(strtod(argv[2], NULL) * 1000) : 5000;
    if (argc > 3) {
        redis = redisConnectUnix(argv[3]);
    } else {
        redis_server_start(&server, false);
        redis = redis_server_connect(&server);
    }
    freeReplyObject(
        redisCommand(redis, "CONFIG SET slowlog-log-slower-than %ld slowlog-max-len 10000", bench.limit_us / 3));
    million_open(&bench.queue, redis, records);
    schedstat_find(&bench);
    printf("%d records in %d shards; each page %d times or more, its shortest time counts\n",
           bench.queue.per_shard * MILLION_SHARDS, MILLION_SHARDS, REPEAT);
    print_filling(&bench);
    freeReplyObject(million_command(&bench.queue, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 4"));
    measure_records(&bench);
    measure_lookups(&bench);
    measure_changes(&bench);
    measure_pages(&bench);
    measure_filters(&bench);
    measure_orders(&bench);
    measure_ticks(&bench);
    measure_busy_hour(&bench);
    printf("\nthe longest of the reading calls: %ld us; %d shapes above %ld us\n", bench.longest, bench.exceeded,
           bench.limit_us);
    redisFree(redis);
    if (argc <= 3)
        redis_server_stop(&server);
    return bench.exceeded > 0;
}
