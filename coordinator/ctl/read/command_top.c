/* top: a live screen. Without a terminal: once. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/record/keys.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/health.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/stats.h"

enum { INTERVAL_MS = 2000, RUNNING_A_SHARD = 50, RUNNING_SHOWN = 20, WORKERS_SHOWN = 10, HEALTH_SHOWN = 5 };

static struct {
    const char *interval;
} options;

static const struct flag flags[] = {
    { "interval", "S", "seconds between two looks (2)", &options.interval },
};

/* What was read at one moment. */
struct moment {
    json_t *stats, *running;
    int64_t at_ms;
};

/* ---- reading ---- */

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

static void moment_release(struct moment *moment)
{
    json_decref(moment->stats);
    json_decref(moment->running);
    *moment = (struct moment){ 0 };
}

static int moment_read(struct moment *moment, struct session *session)
{
    struct running running = { .session = session, .list = json_array() };
    struct err err = ERR_INIT;
    int code = session_call(session, &moment->stats, "bgop_stats", NULL, 0);

    moment->at_ms = clock_boot_ms();
    if (code == EXIT_OK && read_running(&running, &err) != ST_OK)
        code = session_fail_status(&err);
    moment->running = longest(running.list);
    return code;
}

/* ---- the screen ---- */

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

static void print_head(const struct moment *moment, const struct moment *before, FILE *to)
{
    static const char *const names[] = { "accepted", "finished", "failed", "retried" };
    char clock[64];

    fprintf(to, "bgop  %s  %s  %lld shards  %lld workers\n", format_moment(clock, clock_wall_ms(), false),
            shown(json_string_value(json_object_get(moment->stats, "mode"))),
            (long long)json_integer_value(json_object_get(moment->stats, "shards")),
            (long long)json_integer_value(json_object_get(moment->stats, "workers")));
    fprintf(to, "a second (%s):", before->stats ? "now" : "last minute");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fprintf(to, "  %s %.1f", names[i], rate(moment, before, names[i]));
    fprintf(to, "\n\n");
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
        { "RUNNING", COLUMN_ALWAYS }, { "TYPE", 0 },
        { "FOR", COLUMN_RIGHT },      { "ATTEMPT", COLUMN_RIGHT },
        { "PARENT", COLUMN_SHRINK },  { "WORKER", COLUMN_SHRINK },
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

static void print_moment(const struct moment *moment, const struct moment *before, FILE *to, int width)
{
    health_print(moment->stats, to, HEALTH_SHOWN, false);
    print_head(moment, before, to);
    if (json_object_size(json_object_get(moment->stats, "byType")))
        stats_print_types(moment->stats, to, width);
    else
        fprintf(to, "no operations\n");
    print_workers(json_object_get(moment->stats, "workerList"), to, width);
    print_running(moment->running, to, width);
}

static void print_moment_json(const struct moment *moment)
{
    json_t *answer = json_deep_copy(moment->stats);

    json_object_set(answer, "running", moment->running);
    print_json_pretty(stdout, answer);
    json_decref(answer);
}

/* ---- the terminal ---- */

static struct termios before_raw;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    if (number != SIGWINCH)
        stopped = 1;
}

static void screen_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct termios raw;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGWINCH, &action, NULL);
    if (tcgetattr(STDIN_FILENO, &before_raw) == 0) {
        raw = before_raw;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
}

static void screen_end(void)
{
    fputs("\033[?25h\033[?1049l", stdout);
    (void)process_flush();
    tcsetattr(STDIN_FILENO, TCSANOW, &before_raw);
}

static int terminal_height(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24;
}

/* As many lines as there is room for; what was there before is wiped. */
static void screen_draw(char *text)
{
    int left = terminal_height() - 1;

    fputs("\033[H", stdout);
    for (char *line = text; *line && left > 0; left--) {
        size_t size = strcspn(line, "\n");

        printf("%.*s\033[K\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
    fputs("\033[J q: quit", stdout);
    (void)process_flush();
}

/* Until the next look is due; false: to be left. Any other key looks at once. */
static bool screen_wait(int64_t interval_ms)
{
    struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
    char key = 0;
    int ready = poll(&keys, 1, (int)interval_ms);

    if (ready < 0 && errno != EINTR)
        return false; /* it would draw without a pause */
    if (ready > 0 && read(STDIN_FILENO, &key, 1) <= 0)
        return false;
    return !stopped && key != 'q' && key != 'Q';
}

static void draw(const struct moment *moment, const struct moment *before)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return;
    print_moment(moment, before, to, terminal_width(stdout));
    fclose(to);
    screen_draw(text);
    free(text);
}

static int run_live(struct session *session, int64_t interval_ms)
{
    struct moment before = { 0 }, moment = { 0 };
    int code = moment_read(&moment, session); /* who is not there at the start is not waited for */

    if (code != EXIT_OK) {
        moment_release(&moment);
        return code;
    }
    screen_begin();
    for (;;) {
        if (moment.stats)
            draw(&moment, &before);
        if (process_output_gone() || !screen_wait(interval_ms))
            break;
        if (moment.stats) {
            moment_release(&before);
            before = moment;
            moment = (struct moment){ 0 };
        }
        if (moment_read(&moment, session) != EXIT_OK)
            moment_release(&moment);
    }
    screen_end();
    moment_release(&before);
    moment_release(&moment);
    return EXIT_OK;
}

static int run(struct session *session, int count, char **operands)
{
    struct moment before = { 0 }, moment = { 0 };
    int64_t interval_ms = INTERVAL_MS;
    int code;

    (void)count, (void)operands;
    if (options.interval &&
        (!argument_seconds(options.interval, &interval_ms) || interval_ms < 100 || interval_ms > 3600000))
        return session_fail(EXIT_USAGE_ERROR, "--interval %s: seconds from 0.1 to 3600 are expected", options.interval);
    code = session_redis(session);
    if (code == EXIT_OK)
        code = session_shards(session);
    if (code != EXIT_OK)
        return code;
    if (!session->json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
        return run_live(session, interval_ms);
    code = moment_read(&moment, session);
    if (code == EXIT_OK && session->json)
        print_moment_json(&moment);
    else if (code == EXIT_OK)
        print_moment(&moment, &before, stdout, terminal_width(stdout));
    moment_release(&moment);
    return code;
}

const struct subcommand command_top = {
    .name = "top",
    .usage = "[--interval S]",
    .about = "a live screen: counts, rates, workers, what runs longest",
    .help = "q quits, any other key looks again at once. Without a terminal, or with --json: once.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
