/* stats: the queue in numbers, once or again and again. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/process.h"
#include "common/record/tables.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/health.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/stats.h"

enum { WATCH_S = 1, ERRORS_SHOWN_MAX = 10, HEALTH_SHOWN_MAX = 20 };

static struct {
    const char *watch;
} options;

static const struct flag flags[] = {
    { "watch", NULL, "again each second, until Ctrl-C", &options.watch },
};

static void add_count(struct table *table, long long number)
{
    char text[32];

    table_add(table, number ? format_count(text, number) : "");
}

static long long count_at(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : (long long)json_number_value(value);
}

/* ---- the head line ---- */
static void print_total(const json_t *stats, const char *name)
{
    char text[32];

    printf("   %s %s", name, format_count(text, count_at(stats, name)));
}

static void print_head(const json_t *stats)
{
    const char *mode = json_string_value(json_object_get(stats, "mode"));

    printf("%s", mode ? shown(mode) : "?");
    if (json_array_size(json_object_get(stats, "recovering"))) {
        printf(" (%zu of %lld shards)", json_array_size(json_object_get(stats, "recovering")),
               count_at(stats, "shards"));
    }
    print_total(stats, "workers");
    print_total(stats, "accepted");
    print_total(stats, "duplicates");
    print_total(stats, "rejected");
    putchar('\n');
}

/* ---- Type x Status ---- */
static long long add_statuses(struct table *table, const json_t *statuses, long long *sums)
{
    long long total = 0;

    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        long long count = count_at(statuses, record_statuses[i].name);

        add_count(table, count);
        sums[i] += count;
        total += count;
    }
    return total;
}

static void add_type(struct table *table, const json_t *stats, const char *type, const json_t *statuses,
                     long long *sums)
{
    const json_t *oldest = json_object_get(json_object_get(stats, "oldestWaitingMs"), type);
    char text[32];

    table_add(table, type);
    add_count(table, add_statuses(table, statuses, sums));
    table_add(table, json_is_number(oldest) ? format_length(text, (long long)json_number_value(oldest)) : "");
}

static void add_sums(struct table *table, const long long *sums)
{
    long long total = 0;

    table_add(table, "all");
    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        add_count(table, sums[i]);
        total += sums[i];
    }
    add_count(table, total);
    table_add(table, "");
}

void stats_print_types(const json_t *stats, FILE *to, int width)
{
    struct column columns[OP_STATUS_COUNT + 3] = { { "TYPE", COLUMN_SHRINK | COLUMN_ALWAYS } };
    long long sums[OP_STATUS_COUNT] = { 0 };
    json_t *by_type = json_object_get(stats, "byType"), *statuses;
    struct table table;
    const char *type;

    for (int i = 0; i < OP_STATUS_COUNT; i++)
        columns[1 + i] = (struct column){ record_statuses[i].name, COLUMN_RIGHT | COLUMN_TITLE };
    columns[OP_STATUS_COUNT + 1] = (struct column){ "TOTAL", COLUMN_RIGHT | COLUMN_ALWAYS };
    columns[OP_STATUS_COUNT + 2] = (struct column){ "OLDEST WAITS", COLUMN_RIGHT | COLUMN_EXTRA };
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_object_foreach(by_type, type, statuses) add_type(&table, stats, type, statuses, sums);
    if (json_object_size(by_type) != 1)
        add_sums(&table, sums);
    table_print(&table, to, width, false);
    table_release(&table);
}

/* ---- rates, times, errors ---- */
static void add_number(struct table *table, const json_t *value)
{
    char text[32];
    double number = json_number_value(value);

    if (!json_is_number(value))
        text[0] = '\0';
    else if (json_is_integer(value) || number >= 100)
        format_count(text, (long long)(number + 0.5));
    else
        snprintf(text, sizeof text, number > 0 && number < 0.1 ? "%.3f" : "%.1f", number);
    table_add(table, text);
}

static void print_numbers(const json_t *stats, const char *const *rows, size_t row_count, const char *const *members,
                          const struct column *columns, size_t column_count, const char *parent)
{
    struct table table;

    table_init(&table, columns, column_count);
    for (size_t r = 0; r < row_count; r++) {
        const json_t *row = json_object_get(parent ? json_object_get(stats, parent) : stats, rows[r]);

        table_add(&table, rows[r]);
        for (size_t c = 1; c < column_count; c++)
            add_number(&table, json_object_get(row, members[c - 1]));
    }
    putchar('\n');
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

static void print_rates(const json_t *stats)
{
    static const char *const rows[] = { "accepted", "finished", "failed", "retried" }, *const members[] = { "1m", "5m",
                                                                                                            "60m" };
    static const struct column columns[] = {
        { "PER SECOND", COLUMN_ALWAYS },
        { "1 min", COLUMN_RIGHT | COLUMN_ALWAYS },
        { "5 min", COLUMN_RIGHT | COLUMN_ALWAYS },
        { "60 min", COLUMN_RIGHT | COLUMN_ALWAYS },
    };

    print_numbers(stats, rows, sizeof rows / sizeof *rows, members, columns, sizeof columns / sizeof *columns, "rates");
}

static void print_times(const json_t *stats)
{
    static const char *const rows[] = { "wait", "run" }, *const members[] = { "p50", "p95", "p99", "count" };
    static const struct column columns[] = {
        { "MS, LAST HOUR", COLUMN_ALWAYS },      { "p50", COLUMN_RIGHT | COLUMN_ALWAYS },
        { "p95", COLUMN_RIGHT | COLUMN_ALWAYS }, { "p99", COLUMN_RIGHT | COLUMN_ALWAYS },
        { "of", COLUMN_RIGHT | COLUMN_ALWAYS },
    };

    print_numbers(stats, rows, sizeof rows / sizeof *rows, members, columns, sizeof columns / sizeof *columns, NULL);
}

static void print_errors(const json_t *stats)
{
    static const struct column columns[] = { { "ERRORS", COLUMN_RIGHT },
                                             { "TEXT (newest 500 looked at)", COLUMN_SHRINK } };
    const json_t *errors = json_object_get(stats, "errors"), *error;
    struct table table;
    size_t i;

    if (!json_array_size(errors))
        return;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(errors, i, error)
    {
        if (i == ERRORS_SHOWN_MAX)
            break;
        add_count(&table, count_at(error, "count"));
        table_add_json(&table, json_object_get(error, "error"));
    }
    putchar('\n');
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

static void print_stats(const json_t *stats)
{
    health_print(stats, stdout, HEALTH_SHOWN_MAX, false);
    print_head(stats);
    if (json_object_size(json_object_get(stats, "byType"))) {
        putchar('\n');
        stats_print_types(stats, stdout, terminal_width(stdout));
    }
    if (!json_object_size(json_object_get(stats, "byType")))
        printf("\nno operations\n");
    print_rates(stats);
    print_times(stats);
    print_errors(stats);
}

static int show(struct session *session, bool watching)
{
    json_t *stats = NULL;
    int code = session_call(session, &stats, "bgop_stats", NULL, 0);

    if (code != EXIT_OK)
        return code;
    if (session->json && watching) {
        print_json(stdout, stats);
    } else if (session->json) {
        print_json_pretty(stdout, stats);
    } else {
        if (watching && isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        print_stats(stats);
        if (watching && !isatty(STDOUT_FILENO))
            putchar('\n');
    }
    (void)process_flush();
    json_decref(stats);
    return EXIT_OK;
}

static int run(struct session *session, int count, char **operands)
{
    const struct timespec pause = { WATCH_S, 0 };
    bool watching = options.watch;
    int code;

    (void)count, (void)operands;
    while ((code = show(session, watching)) == EXIT_OK && watching && !process_output_gone())
        nanosleep(&pause, NULL);
    return code;
}

const struct subcommand command_stats = {
    .name = "stats",
    .usage = "[--watch]",
    .about = "the queue in numbers: by Type and Status, rates, times, errors",
    .help = "What is wrong with the queue comes first (NOT WELL); `bgopctl doctor` says what is to be done.\n"
            "OLDEST WAITS is how long the oldest claimable operation of a Type has been waiting.\n"
            "With --json --watch: one object a line.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
