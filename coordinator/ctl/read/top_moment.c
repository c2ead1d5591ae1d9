/* What `top` reads, and how it looks as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "coordinator/ctl/health.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/stats.h"
#include "coordinator/ctl/read/top.h"

enum { RUNNING_A_SHARD = 50, RUNNING_SHOWN = 20, FAILED_SHOWN = 10, WORKERS_SHOWN = 10, HEALTH_SHOWN = 5 };

/* ---- what runs ---- */

struct running {
    struct session *session;
    json_t *list;
    int64_t now_ms;
};

static enum status read_one(struct running *running, int shard, const char *id, struct err *err)
{
    struct redis_reply *reply = NULL;
    char key[64];
    enum status st;

    key_format(key, sizeof key, KEY_OP, shard, id);
    st = redis_call(running->session->redis, &reply, err, "HMGET", key, "Status", "StartedAt", "Type", "ParentKey",
                    "WorkerUri", "token", NULL);
    if (st == ST_OK && strcmp(redis_reply_text(redis_reply_at(reply, 0), NULL), "Running") == 0) {
        int64_t started_ms = redis_reply_int(redis_reply_at(reply, 1), 0);
        const char *parent = redis_reply_text(redis_reply_at(reply, 3), NULL);

        json_array_append_new(
            running->list,
            json_pack("{s:s, s:s, s:s?, s:s, s:I, s:I}", "Id", id, "Type",
                      redis_reply_text(redis_reply_at(reply, 2), NULL), "ParentKey", *parent ? parent : NULL,
                      "WorkerUri", redis_reply_text(redis_reply_at(reply, 4), NULL), "attempt",
                      (json_int_t)(redis_reply_int(redis_reply_at(reply, 5), 0) & 0xfffff), "runningMs",
                      (json_int_t)(running->now_ms > started_ms ? running->now_ms - started_ms : 0)));
    }
    redis_reply_free(reply);
    return st;
}

/* Some of each shard: those whose lease ends first, which is no order, but all of them when they are few. */
static enum status read_running(struct running *running, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(running->session->redis, &reply, err, "TIME", NULL);

    if (st == ST_OK) {
        running->now_ms =
            redis_reply_int(redis_reply_at(reply, 0), 0) * 1000 + redis_reply_int(redis_reply_at(reply, 1), 0) / 1000;
    }
    redis_reply_free(reply);
    for (int shard = 0; shard < running->session->shards && st == ST_OK; shard++) {
        char key[64], last[16];

        key_format(key, sizeof key, KEY_RUNNING, shard, NULL);
        snprintf(last, sizeof last, "%d", RUNNING_A_SHARD - 1);
        reply = NULL;
        st = redis_call(running->session->redis, &reply, err, "ZRANGE", key, "0", last, NULL);
        for (size_t i = 0; i < redis_reply_count(reply) && st == ST_OK; i++)
            st = read_one(running, shard, redis_reply_text(redis_reply_at(reply, i), NULL), err);
        redis_reply_free(reply);
    }
    return st;
}

static int compare_running(const void *a, const void *b)
{
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "runningMs")),
               y = json_integer_value(json_object_get(*(json_t *const *)b, "runningMs"));

    return x > y ? -1 : x < y;
}

/* The longest first, no more than are shown. */
static json_t *longest(json_t *list)
{
    size_t count = json_array_size(list);
    json_t **sorted = xcalloc(count + 1, sizeof *sorted), *shown = json_array();

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, count, sizeof(json_t *), compare_running);
    for (size_t i = 0; i < count && i < RUNNING_SHOWN; i++)
        json_array_append(shown, sorted[i]);
    free(sorted);
    json_decref(list);
    return shown;
}

/* ---- what failed for good ---- */

struct failure {
    char id[ID_SIZE];
    int64_t at_ms;
    int shard;
};

static int compare_failures(const void *a, const void *b)
{
    int64_t x = ((const struct failure *)a)->at_ms, y = ((const struct failure *)b)->at_ms;

    return x > y ? -1 : x < y;
}

/* Those of one shard that failed last; with their times. */
static enum status read_errors(struct running *running, int shard, struct failure *failures, size_t *count,
                               struct err *err)
{
    struct redis_reply *reply = NULL;
    char key[64], last[16];
    enum status st;

    key_format(key, sizeof key, KEY_ERRORS, shard, NULL);
    snprintf(last, sizeof last, "%d", FAILED_SHOWN - 1);
    st = redis_call(running->session->redis, &reply, err, "ZREVRANGE", key, "0", last, "WITHSCORES", NULL);
    for (size_t i = 0; i + 1 < redis_reply_count(reply) && i / 2 < FAILED_SHOWN; i += 2) {
        struct failure *failure = &failures[(*count)++];

        *failure = (struct failure){ .shard = shard, .at_ms = redis_reply_int(redis_reply_at(reply, i + 1), 0) };
        snprintf(failure->id, sizeof failure->id, "%s", redis_reply_text(redis_reply_at(reply, i), NULL));
    }
    redis_reply_free(reply);
    return st;
}

/* ExpiresAt: it is final, and no retry comes. */
static enum status read_failure(struct running *running, const struct failure *failure, struct err *err)
{
    struct redis_reply *reply = NULL;
    char key[64];
    enum status st;

    key_format(key, sizeof key, KEY_OP, failure->shard, failure->id);
    st = redis_call(running->session->redis, &reply, err, "HMGET", key, "Status", "Type", "ParentKey", "Error",
                    "ExpiresAt", NULL);
    if (st == ST_OK && strcmp(redis_reply_text(redis_reply_at(reply, 0), NULL), "Error") == 0 &&
        *redis_reply_text(redis_reply_at(reply, 4), NULL)) {
        const char *parent = redis_reply_text(redis_reply_at(reply, 2), NULL);

        json_array_append_new(
            running->list,
            json_pack("{s:s, s:s, s:s?, s:s, s:I}", "Id", failure->id, "Type",
                      redis_reply_text(redis_reply_at(reply, 1), NULL), "ParentKey", *parent ? parent : NULL, "Error",
                      redis_reply_text(redis_reply_at(reply, 3), NULL), "failedMs",
                      (json_int_t)(running->now_ms > failure->at_ms ? running->now_ms - failure->at_ms : 0)));
    }
    redis_reply_free(reply);
    return st;
}

static enum status read_failed(struct running *running, struct err *err)
{
    size_t shards = (size_t)running->session->shards, count = 0;
    struct failure *failures = xcalloc(shards * FAILED_SHOWN + 1, sizeof *failures);
    enum status st = ST_OK;

    for (size_t shard = 0; shard < shards && st == ST_OK; shard++)
        st = read_errors(running, (int)shard, failures, &count, err);
    qsort(failures, count, sizeof *failures, compare_failures);
    for (size_t i = 0; i < count && i < FAILED_SHOWN && st == ST_OK; i++)
        st = read_failure(running, &failures[i], err);
    free(failures);
    return st;
}

/* ---- a moment ---- */

void moment_release(struct moment *moment)
{
    json_decref(moment->stats);
    json_decref(moment->running);
    json_decref(moment->failed);
    *moment = (struct moment){ .stats = NULL };
}

int moment_read(struct moment *moment, struct session *session)
{
    struct running running = { .session = session, .list = json_array() };
    struct err err = ERR_INIT;
    int code = session_call(session, &moment->stats, "bgop_stats", NULL, 0);

    moment->at_ms = clock_boot_ms();
    if (code == EXIT_OK && read_running(&running, &err) != ST_OK)
        code = session_fail_status(&err);
    moment->running = longest(running.list);
    running.list = moment->failed = json_array();
    if (code == EXIT_OK && read_failed(&running, &err) != ST_OK)
        code = session_fail_status(&err);
    return code;
}

/* ---- as text ---- */

static long long total(const struct moment *moment, const char *name)
{
    return (long long)json_number_value(json_object_get(json_object_get(moment->stats, "totals"), name));
}

/* Since the last look; of the last minute when there was none. */
static double rate(const struct moment *moment, const struct moment *before, const char *name)
{
    if (before->stats && moment->at_ms > before->at_ms)
        return (double)(total(moment, name) - total(before, name)) * 1000 / (double)(moment->at_ms - before->at_ms);
    return json_number_value(json_object_get(json_object_get(json_object_get(moment->stats, "rates"), name), "1m"));
}

/* width: as many words on a line as it has room for; 0: all of them. */
static void print_rates(const struct moment *moment, const struct moment *before, FILE *to, int width)
{
    static const char *const names[] = { "accepted", "finished", "failed", "retried" };
    int at = fprintf(to, "a second (%s):", before->stats ? "now" : "last minute");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        int size = snprintf(text, sizeof text, "  %s %.1f", names[i], rate(moment, before, names[i]));

        if (width > 0 && at + size > width) {
            fputc('\n', to);
            at = 0;
        }
        at += fprintf(to, "%s", text);
    }
    fprintf(to, "\n\n");
}

static void print_head(const struct moment *moment, const struct moment *before, FILE *to, int width)
{
    char clock[64];

    fprintf(to, "bgop  %s  %s  %lld shards  %lld workers\n", format_moment(clock, clock_wall_ms(), false),
            shown(json_string_value(json_object_get(moment->stats, "mode"))),
            (long long)json_integer_value(json_object_get(moment->stats, "shards")),
            (long long)json_integer_value(json_object_get(moment->stats, "workers")));
    print_rates(moment, before, to, width);
}

static void print_workers(const json_t *workers, FILE *to, int width)
{
    static const struct column columns[] = {
        { "WORKER", COLUMN_SHRINK },
        { "STATUS PAGE", COLUMN_SHRINK },
        { "SLOTS", COLUMN_RIGHT },
        { "TYPES", COLUMN_SHRINK },
    };
    struct table table;
    const json_t *worker;
    size_t i;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(workers, i, worker)
    {
        if (i == WORKERS_SHOWN)
            break;
        table_add_json(&table, json_object_get(worker, "instance"));
        table_add_json(&table, json_object_get(worker, "uri"));
        table_add_json(&table, json_object_get(worker, "slots"));
        table_add_json(&table, json_object_get(worker, "types"));
    }
    fputc('\n', to);
    if (i)
        table_print(&table, to, width, false);
    else
        fprintf(to, "no workers\n");
    table_release(&table);
}

static void print_running(const json_t *running, FILE *to, int width)
{
    static const struct column columns[] = {
        { "RUNNING", COLUMN_ALWAYS },
        { "TYPE", COLUMN_SHRINK | COLUMN_EXTRA },
        { "FOR", COLUMN_RIGHT | COLUMN_EXTRA },
        { "ATTEMPT", COLUMN_RIGHT | COLUMN_EXTRA },
        { "PARENT", COLUMN_SHRINK | COLUMN_EXTRA },
        { "WORKER", COLUMN_SHRINK | COLUMN_EXTRA },
    };
    struct table table;
    const json_t *one;
    char text[32];
    size_t i;

    if (!json_array_size(running))
        return;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(running, i, one)
    {
        table_add_json(&table, json_object_get(one, "Id"));
        table_add_json(&table, json_object_get(one, "Type"));
        table_add(&table, format_length(text, json_integer_value(json_object_get(one, "runningMs"))));
        table_add_json(&table, json_object_get(one, "attempt"));
        table_add_json(&table, json_object_get(one, "ParentKey"));
        table_add_json(&table, json_object_get(one, "WorkerUri"));
    }
    fputc('\n', to);
    table_print(&table, to, width, false);
    table_release(&table);
}

static void print_failed(const json_t *failed, FILE *to, int width)
{
    static const struct column columns[] = {
        { "FAILED", COLUMN_ALWAYS },
        { "TYPE", COLUMN_SHRINK | COLUMN_EXTRA },
        { "AGO", COLUMN_RIGHT | COLUMN_EXTRA },
        { "PARENT", COLUMN_SHRINK | COLUMN_EXTRA },
        { "ERROR", COLUMN_SHRINK },
    };
    struct table table;
    const json_t *one;
    char text[32];
    size_t i;

    if (!json_array_size(failed))
        return;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(failed, i, one)
    {
        table_add_json(&table, json_object_get(one, "Id"));
        table_add_json(&table, json_object_get(one, "Type"));
        table_add(&table, format_length(text, json_integer_value(json_object_get(one, "failedMs"))));
        table_add_json(&table, json_object_get(one, "ParentKey"));
        table_add_json(&table, json_object_get(one, "Error"));
    }
    fputc('\n', to);
    table_print(&table, to, width, false);
    table_release(&table);
}

void moment_print(const struct moment *moment, const struct moment *before, FILE *to, int width)
{
    health_print(moment->stats, to, HEALTH_SHOWN, false);
    print_head(moment, before, to, width);
    if (json_object_size(json_object_get(moment->stats, "byType")))
        stats_print_types(moment->stats, to, width);
    else
        fprintf(to, "no operations\n");
    print_workers(json_object_get(moment->stats, "workerList"), to, width);
    print_running(moment->running, to, width);
    print_failed(moment->failed, to, width);
}

void moment_print_json(const struct moment *moment)
{
    json_t *answer = json_deep_copy(moment->stats);

    json_object_set(answer, "running", moment->running);
    json_object_set(answer, "failed", moment->failed);
    print_json_pretty(stdout, answer);
    json_decref(answer);
}
