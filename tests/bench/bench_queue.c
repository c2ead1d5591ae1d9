/* Loads a running queue and says what it reached. The queue is used as anybody would: submissions through Kafka,
 * results read from Redis. Prints one JSON object; exit code 1 when an operation did not end Complete.
 *
 *   bench_queue rate COUNT [SHAPE]         as fast as possible: submit rate; first submit to last Complete in Redis; what
 *                                          Redis spent per operation (CPU, commands, bytes)
 *   bench_queue latency RATE SECONDS [SHAPE [WARM_UP]]   open loop: from the moment it is due to Complete visible in
 *                                          Redis (a blocked XREAD on the shards' `changes`): p50, p99, max, after WARM_UP
 *                                          seconds (default 3) that are not measured
 *
 * SHAPE is plain (the default) or another of queue_load.c's table. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/base/trace.h"
#include "tests/bench/queue_load.h"

enum { WARM_UP_S = 3, STALL_S = 60 };

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* ---- rate ---- */

struct redis_spent {
    double cpu_s, commands, bytes;
};

static struct redis_spent redis_spent(struct load *load)
{
    struct redis_spent spent = { .bytes = load_info(load, "memory", "used_memory_dataset") };
    spent.cpu_s = load_info(load, "cpu", "used_cpu_user") + load_info(load, "cpu", "used_cpu_sys");
    spent.commands = load_commands(load);
    return spent;
}

/* Until all have ended, or nothing has for a long while: what is left then will not. Answers how many ended well. */
static int64_t wait_ended(struct load *load, const struct load_tally *before, int64_t count)
{
    int64_t good = -1, changed_us = clock_boot_us();
    for (;;) {
        struct load_tally now = load_tally(load);
        int64_t ended = now.complete + now.merged - before->complete - before->merged;
        if (ended >= count && now.running == 0)
            return now.failed == before->failed ? ended : ended - (now.failed - before->failed);
        if (ended != good)
            changed_us = clock_boot_us();
        good = ended;
        if (clock_boot_us() - changed_us > STALL_S * 1000000LL)
            return good;
        sleep_ms(20);
    }
}

static int run_rate(struct load *load, int64_t count)
{
    struct load_tally tally = load_tally(load);
    struct redis_spent before = redis_spent(load);
    int64_t asked = load->asked, start = clock_boot_us();
    for (int64_t i = 0; i < count; i++)
        load_submit(load, i);
    load_flush(load);
    int64_t submitted = clock_boot_us();
    int64_t completed = wait_ended(load, &tally, count);
    int64_t done = clock_boot_us();
    struct redis_spent after = redis_spent(load);
    double n = (double)count, own = (double)(load->asked - asked);
    printf("{\"bench\":\"rate\",\"shape\":\"%s\",\"operations\":%" PRId64 ",\"submitted\":%" PRId64
           ",\"completed\":%" PRId64 ",\"submit_per_s\":%.0f,\"end_to_end_per_s\":%.0f,\"redis_us_per_operation\":%.2f,"
           "\"redis_commands_per_operation\":%.3f,\"redis_bytes_per_operation\":%.0f}\n",
           load->shape->name, count, count, completed, n / ((double)(submitted - start) / 1e6),
           n / ((double)(done - start) / 1e6), (after.cpu_s - before.cpu_s) * 1e6 / n,
           (after.commands - before.commands - own) / n, (after.bytes - before.bytes) / n);
    return completed == count && load->refused == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- latency: one thread reads `changes`, the main one produces ---- */

struct done_id {
    char id[ID_SIZE];
    int64_t at_us;
};
struct watch {
    struct load *load;
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

struct feed { /* where each shard's `changes` was read up to */
    char key[64], last[64];
};

static void note_entries(struct watch *watch, struct feed *feeds, const struct redis_reply *streams, int64_t now_us)
{
    for (size_t i = 0; i < redis_reply_count(streams); i++) {
        const struct redis_reply *stream = redis_reply_at(streams, i), *entries = redis_reply_at(stream, 1);
        int shard = (int)strtol(strchr(redis_reply_text(redis_reply_at(stream, 0), NULL), '{') + 1, NULL, 10);
        for (size_t j = 0; j < redis_reply_count(entries); j++) {
            const struct redis_reply *entry = redis_reply_at(entries, j);
            const char *id = redis_reply_text(redis_reply_at(entry, 0), NULL);
            text_copy(feeds[shard].last, sizeof feeds[shard].last, id, strlen(id));
            note_completed(watch, redis_reply_at(entry, 1), now_us);
        }
    }
}

static struct redis_reply *read_blocked(struct redis *redis, const struct feed *feeds, int shards)
{
    static const char *const words[] = { "XREAD", "BLOCK", "10000", "STREAMS" };
    struct err err = ERR_INIT;
    struct redis_command command;
    struct redis_reply *reply;
    redis_command_init(&command);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        redis_command_add_text(&command, words[i]);
    for (int s = 0; s < shards; s++)
        redis_command_add_text(&command, feeds[s].key);
    for (int s = 0; s < shards; s++)
        redis_command_add_text(&command, feeds[s].last);
    if (redis_send(redis, &command, &err) != ST_OK || redis_receive(redis, &reply, &err) != ST_OK)
        load_fail("XREAD", &err);
    redis_command_release(&command);
    return reply;
}

static void *watch_changes(void *arg)
{
    struct watch *watch = arg;
    struct err err = ERR_INIT;
    int shards = watch->load->shards;
    struct redis *redis = redis_new(watch->load->config->redis_url, 30000, &err);
    struct feed *feeds = xcalloc((size_t)shards, sizeof *feeds);
    if (!redis)
        load_fail("Redis", &err);
    for (int s = 0; s < shards; s++) {
        snprintf(feeds[s].key, sizeof feeds[s].key, "bgop:{%d}:changes", s);
        snprintf(feeds[s].last, sizeof feeds[s].last, "%" PRId64, clock_wall_ms() - 1);
    }
    for (bool more = true; more && watch->count < watch->wanted;) {
        struct redis_reply *reply = read_blocked(redis, feeds, shards);
        more = redis_reply_count(reply) > 0; /* nothing for 10 s: report what is there */
        note_entries(watch, feeds, reply, clock_boot_us());
        redis_reply_free(reply);
    }
    free(feeds);
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

/* Microseconds from due to done of [first, count), in order; *found of them were seen to complete. */
static int64_t *latencies(struct load *load, const int64_t *due_us, size_t first, size_t count, struct watch *watch,
                          size_t *found)
{
    int64_t *us = xcalloc(count - first, sizeof *us);
    *found = 0;
    qsort(watch->done, watch->count, sizeof *watch->done, by_id);
    for (size_t i = first; i < count; i++) {
        struct done_id *done = bsearch(load->ids[i], watch->done, watch->count, sizeof *watch->done, by_id);
        if (done)
            us[(*found)++] = done->at_us - due_us[i];
    }
    qsort(us, *found, sizeof *us, by_number);
    return us;
}

/* The smallest of them that so many percent do not exceed, in ms. */
static double percentile_ms(const int64_t *us, size_t count, size_t percent)
{
    size_t rank = (count * percent + 99) / 100;
    return count == 0 ? 0 : (double)us[rank > 0 ? rank - 1 : 0] / 1e3;
}

/* Each at its time, however long others take. */
static void submit_at_rate(struct load *load, double rate, size_t count, int64_t *due_us)
{
    int64_t start = clock_boot_us(), now;
    for (size_t i = 0; i < count; i++) {
        due_us[i] = start + (int64_t)((double)i * 1e6 / rate);
        while ((now = clock_boot_us()) < due_us[i]) {
            if (due_us[i] - now > 1500)
                kafka_producer_poll(load->producer, 1);
            else
                nanosleep(&(struct timespec){ .tv_nsec = (long)(due_us[i] - now) * 1000 }, NULL);
        }
        load_submit(load, (int64_t)i);
    }
    load_flush(load);
}

static int run_latency(struct load *load, double rate, double seconds, double warm_up_s)
{
    size_t first = (size_t)(rate * warm_up_s), count = first + (size_t)(rate * seconds), found;
    struct watch watch = { .load = load, .wanted = count };
    int64_t *due_us = xcalloc(count, sizeof *due_us);
    pthread_t thread;
    load->ids = xcalloc(count, sizeof *load->ids);
    pthread_create(&thread, NULL, watch_changes, &watch);
    sleep_ms(500); /* until it reads */
    submit_at_rate(load, rate, count, due_us);
    pthread_join(thread, NULL);
    int64_t *us = latencies(load, due_us, first, count, &watch, &found);
    for (size_t i = first; i < count; i++)
        trace_write_at(TRACE_DUE, load->ids[i], due_us[i]);
    for (size_t i = 0; i < watch.count; i++)
        trace_write_at(TRACE_SEEN, watch.done[i].id, watch.done[i].at_us);
    printf(
        "{\"bench\":\"latency\",\"shape\":\"%s\",\"rate_per_s\":%.0f,\"operations\":%zu,\"submitted\":%zu,\"completed\":%zu,"
        "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
        load->shape->name, rate, count - first, count, found, percentile_ms(us, found, 50),
        percentile_ms(us, found, 99), percentile_ms(us, found, 100));
    free(us);
    free(due_us);
    free(watch.done);
    return found == count - first && load->refused == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- command line ---- */

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "bench_queue: %s: '%s'; shapes are ", what, value);
    load_shape_print_names(stderr);
    fprintf(stderr, "\nusage: bench_queue rate COUNT [SHAPE] | latency RATE SECONDS [SHAPE [WARM_UP]]\n");
    return EXIT_USAGE_ERROR;
}

static int run(const struct config *config, int argc, char **argv)
{
    bool rate = argc > 0 && strcmp(argv[0], "rate") == 0, latency = argc > 0 && strcmp(argv[0], "latency") == 0;
    int numbers = latency ? 2 : 1;
    if (!rate && !latency)
        return usage("what to do", argc > 0 ? argv[0] : "");
    if (argc < 1 + numbers || argc > 2 * numbers + 1)
        return usage("too few or too many arguments", argv[0]);
    for (int i = 1; i < argc; i++) {
        if (i != numbers + 1 && strtod(argv[i], NULL) <= 0 && strcmp(argv[i], "0") != 0)
            return usage("a number is wanted", argv[i]);
    }
    const char *name = argc > numbers + 1 ? argv[numbers + 1] : "plain";
    const struct load_shape *shape = load_shape_find(name);
    if (!shape)
        return usage("no such shape", name);
    if (latency && strcmp(name, "merging") == 0) /* a follower is Merged before its leader has run: when is it done? */
        return usage("latency is not told of", name);
    struct load load;
    load_start(&load, config, shape, latency ? 0 : 5);
    int code = rate ? run_rate(&load, strtoll(argv[1], NULL, 10))
                    : run_latency(&load, strtod(argv[1], NULL), strtod(argv[2], NULL),
                                  argc > 4 ? strtod(argv[4], NULL) : WARM_UP_S);
    load_end(&load);
    return code;
}

int main(int argc, char **argv)
{
    const struct command_line line = {
        .program = "bench_queue",
        .usage = "[--config FILE] rate COUNT [SHAPE] | latency RATE SECONDS [SHAPE [WARM_UP]]",
        .about = "Loads a running queue and says what it reached.",
    };
    struct config config;
    config_init(&config);
    int code = config_command_line(&config, &line, &argc, argv);
    if (code < 0)
        code = run(&config, argc, argv);
    config_release(&config);
    return code;
}
