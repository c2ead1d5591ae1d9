/* bgop_stats: the shards' parts added up. Percentiles come from the buckets of the last hour, the newest errors from as many of
 * each shard as one server would have looked at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/reading/parts.h"
#include "common/record/health.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/redis/each.h"

enum { ERRORS_MAX = 500, TEXTS_MAX = 50 };

/* ---- how many errors of each ---- */

static void take_count(void *arg, int shard, const struct redis_reply *reply)
{
    ((int64_t *)arg)[shard] = redis_reply_int(reply, 0);
}

static enum status count_errors(const struct reading *reading, int64_t *counts)
{
    return redis_ask_shards(reading->redis, reading->shards, "ZCARD", KEY_ERRORS, NULL, take_count, counts,
                            reading->err);
}

static int rising(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* All where there are few, else the same number of each (read/stats.lua, error_shares). */
static void cut_to_shares(int64_t *counts, int shards)
{
    int64_t *sorted = xcalloc((size_t)shards, sizeof *sorted), total = 0, share = ERRORS_MAX, left = ERRORS_MAX;

    for (int i = 0; i < shards; i++)
        total += sorted[i] = counts[i];
    qsort(sorted, (size_t)shards, sizeof *sorted, rising);
    for (int i = 0; i < shards && total > ERRORS_MAX; i++) {
        share = left / (shards - i);
        if (sorted[i] > share)
            break;
        left -= sorted[i];
    }
    for (int i = 0; i < shards; i++)
        counts[i] = counts[i] < share ? counts[i] : share;
    free(sorted);
}

/* ---- adding up ---- */

static void add_number(json_t *to, const char *name, const json_t *number)
{
    const json_t *before = json_object_get(to, name);

    if (json_is_real(number) || json_is_real(before))
        json_object_set_new(to, name, json_real(json_number_value(before) + json_number_value(number)));
    else
        json_object_set_new(to, name, json_integer(json_integer_value(before) + json_integer_value(number)));
}

/* Objects in it are added up likewise. */
static void add_numbers(json_t *to, const json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        if (json_is_object(value)) {
            if (!json_object_get(to, name))
                json_object_set_new(to, name, json_object());
            add_numbers(json_object_get(to, name), value);
        } else {
            add_number(to, name, value);
        }
    }
}

static json_t *sum_of(const struct part *parts, int count, const char *member)
{
    json_t *sum = json_object();

    for (int i = 0; i < count; i++)
        add_numbers(sum, json_object_get(parts[i].answer, member));
    return sum;
}

static json_int_t number_of(const struct part *parts, int count, const char *member)
{
    json_int_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += json_integer_value(json_object_get(parts[i].answer, member));
    return sum;
}

static json_t *greatest_of(const struct part *parts, int count, const char *member)
{
    json_t *greatest = json_object(), *value;
    const char *name;

    for (int i = 0; i < count; i++) {
        json_object_foreach(json_object_get(parts[i].answer, member), name, value)
        {
            const json_t *before = json_object_get(greatest, name);

            if (!before || json_integer_value(value) > json_integer_value(before))
                json_object_set(greatest, name, value);
        }
    }
    return greatest;
}

static json_t *list_of(const struct part *parts, int count, const char *member)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++)
        json_array_extend(list, json_object_get(parts[i].answer, member));
    return list;
}

static json_t *rates_of(const struct part *parts, int count)
{
    json_t *rates = sum_of(parts, count, "rates"), *windows, *rate;
    const char *name, *window;

    json_object_foreach(rates, name, windows)
    {
        json_object_foreach(windows, window, rate)
        {
            json_real_set(rate, round(json_real_value(rate) * 1000) / 1000);
        }
    }
    return rates;
}

static json_t *ever_of(const struct part *parts, int count, const char *member)
{
    json_t *buckets = json_array(), *number;
    json_int_t sum = 0;
    size_t n;

    for (int i = 0; i < count; i++) {
        const json_t *ever = json_object_get(parts[i].answer, member);

        sum += json_integer_value(json_object_get(ever, "sumMs"));
        json_array_foreach(json_object_get(ever, "buckets"), n, number)
        {
            if (n == json_array_size(buckets))
                json_array_append_new(buckets, json_integer(0));
            json_array_set_new(
                buckets, n, json_integer(json_integer_value(json_array_get(buckets, n)) + json_integer_value(number)));
        }
    }
    return json_pack("{s:o, s:I}", "buckets", buckets, "sumMs", sum);
}

static const char *mode_of(const struct part *parts, int count)
{
    int empty = 0, open = 0;

    for (int i = 0; i < count; i++) {
        const char *mode = json_string_value(json_object_get(parts[i].answer, "mode"));

        empty += mode && strcmp(mode, "EMPTY") == 0;
        open += mode && strcmp(mode, "OPEN") == 0;
    }
    return empty == count ? "EMPTY" : open == count ? "OPEN" : "RECOVERING";
}

/* ---- times of the last hour: bucket 0 below 1 ms, bucket n of [2^((n-1)/4), 2^(n/4)) ms ---- */

enum { BUCKETS = 400 };

static json_t *percentile(const json_int_t *buckets, json_int_t total, double share)
{
    double wanted = (double)total * share, below = 0;

    for (int n = 0; n < BUCKETS; n++) {
        double from = n == 0 ? 0 : pow(2, (n - 1) / 4.0), to = n == 0 ? 1 : pow(2, n / 4.0);

        if (buckets[n] > 0 && below + (double)buckets[n] >= wanted)
            return json_real(round((from + (to - from) * (wanted - below) / (double)buckets[n]) * 10) / 10);
        below += (double)buckets[n];
    }
    return json_null();
}

static json_t *times_of(const json_t *hour, char kind)
{
    json_int_t buckets[BUCKETS] = { 0 }, total = 0;
    const char *name;
    json_t *number;

    json_object_foreach((json_t *)(uintptr_t)hour, name, number)
    {
        char *end;
        long n = name[0] == kind ? strtol(name + 1, &end, 10) : -1;

        if (n < 0 || n >= BUCKETS || *end || end == name + 1 || json_integer_value(number) <= 0)
            continue;
        buckets[n] = json_integer_value(number);
        total += buckets[n];
    }
    return json_pack("{s:o, s:o, s:o, s:I}", "p50", percentile(buckets, total, 0.5), "p95",
                     percentile(buckets, total, 0.95), "p99", percentile(buckets, total, 0.99), "count", total);
}

/* ---- errors, workers ---- */

static int by_count(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    json_int_t m = json_integer_value(json_object_get(x, "count")), n = json_integer_value(json_object_get(y, "count"));

    if (m != n)
        return m > n ? -1 : 1;
    return strcmp(json_string_value(json_object_get(x, "error")), json_string_value(json_object_get(y, "error")));
}

static int by_instance(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "instance")),
                  json_string_value(json_object_get(*(json_t *const *)b, "instance")));
}

/* The objects of a table in an order, so many at most. The table goes. */
static json_t *sorted(json_t *table, int (*order)(const void *a, const void *b), size_t most)
{
    size_t count = 0, size = json_object_size(table);
    json_t **all = xcalloc(size + 1, sizeof(json_t *)), *list = json_array(), *value;
    const char *name;

    json_object_foreach(table, name, value)
    {
        all[count++] = value;
    }
    qsort(all, count, sizeof(json_t *), order);
    for (size_t i = 0; i < count && i < most; i++)
        json_array_append(list, all[i]);
    free(all);
    json_decref(table);
    return list;
}

static json_t *errors_of(const struct part *parts, int count)
{
    json_t *table = json_object(), *list = list_of(parts, count, "errors"), *error;
    size_t i;

    json_array_foreach(list, i, error)
    {
        const char *text = json_string_value(json_object_get(error, "error"));
        json_t *known = json_object_get(table, text);

        if (known)
            add_number(known, "count", json_object_get(error, "count"));
        else
            json_object_set(table, text, error);
    }
    json_decref(list);
    return sorted(table, by_count, TEXTS_MAX);
}

/* Each as the shard knows it that heard of it last. */
static json_t *workers_of(const struct part *parts, int count)
{
    json_t *table = json_object(), *list = list_of(parts, count, "workerList"), *worker;
    size_t i;

    json_array_foreach(list, i, worker)
    {
        const char *instance = json_string_value(json_object_get(worker, "instance"));
        const char *seen = json_string_value(json_object_get(worker, "lastSeenAt"));
        const char *before = json_string_value(json_object_get(json_object_get(table, instance), "lastSeenAt"));

        if (!before || strcmp(seen, before) > 0)
            json_object_set(table, instance, worker);
    }
    json_decref(list);
    return sorted(table, by_instance, SIZE_MAX);
}

/* ---- the whole ---- */

static json_t *add_up(const struct part *parts, int count)
{
    json_t *hour = sum_of(parts, count, "hour"), *workers = workers_of(parts, count);
    json_t *stats = json_pack(
        "{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o}",
        "mode", mode_of(parts, count), "shards", count, "byType", sum_of(parts, count, "byType"), "oldestWaitingMs",
        greatest_of(parts, count, "oldestWaitingMs"), "rates", rates_of(parts, count), "wait", times_of(hour, 'w'),
        "run", times_of(hour, 'r'), "errors", errors_of(parts, count), "errorsLookedAt",
        number_of(parts, count, "errorsLookedAt"), "workers", (json_int_t)json_array_size(workers), "workerList",
        workers, "accepted", number_of(parts, count, "accepted"), "duplicates", number_of(parts, count, "duplicates"),
        "rejected", number_of(parts, count, "rejected"), "totals", sum_of(parts, count, "totals"), "claimable",
        sum_of(parts, count, "claimable"), "blocked", number_of(parts, count, "blocked"), "actionsRunning",
        number_of(parts, count, "actionsRunning"), "waitEver", ever_of(parts, count, "waitEver"), "runEver",
        ever_of(parts, count, "runEver"), "recovering", list_of(parts, count, "recovering"));

    json_decref(hour);
    merge_health(parts, count, stats);
    return stats;
}

/* What is read of a shard that there is not is that of an empty queue. */
static enum status stats_of_nothing(const struct reading *reading, json_t **answer)
{
    enum status st = part_ask_one(reading, ID_SHARDS_MAX - 1, answer);

    if (st != ST_OK)
        return st;
    json_object_set_new(*answer, "shards", json_integer(0));
    json_object_set_new(*answer, "recovering", json_array());
    json_object_set_new(*answer, "health",
                        json_pack("[{s:s, s:s, s:n, s:s}]", "what", health_whats[HEALTH_QUEUE_MISSING], "where",
                                  "this Redis", "since", "text", "no coordinator has set up a queue on it"));
    return ST_OK;
}

enum status merge_stats(const struct reading *reading, json_t **answer)
{
    char(*errors)[8];
    struct part *parts;
    int64_t *counts;
    enum status st;

    if (reading->count > 0 || reading->shards == 0)
        return reading->count > 0 ? part_ask_one(reading, 0, answer) : stats_of_nothing(reading, answer);
    counts = xcalloc((size_t)reading->shards, sizeof *counts);
    errors = xcalloc((size_t)reading->shards, sizeof *errors);
    parts = xcalloc((size_t)reading->shards, sizeof *parts);
    st = count_errors(reading, counts);
    cut_to_shares(counts, reading->shards);
    for (int s = 0; s < reading->shards; s++) {
        parts[s] = (struct part){ .shard = s, .args = xcalloc(1, sizeof *parts[s].args), .count = 1 };
        snprintf(errors[s], sizeof errors[s], "%d", (int)counts[s]);
        parts[s].args[0] = errors[s];
    }
    if (st == ST_OK)
        st = parts_ask(reading, parts, (size_t)reading->shards);
    if (st == ST_OK)
        *answer = add_up(parts, reading->shards);
    for (int s = 0; s < reading->shards; s++)
        free(parts[s].args);
    parts_release(parts, (size_t)reading->shards);
    free(errors);
    free(counts);
    return st;
}
