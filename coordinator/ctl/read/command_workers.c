/* workers: who runs what, from the shards' `workers`, `w:<instance>` and `leases`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/view/view.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

static struct {
    const char *ids;
} options;

static const struct flag flags[] = {
    { "ids", NULL, "also the Ids of what each one runs", &options.ids },
};

static json_int_t number_of(const json_t *worker, const char *name)
{
    return json_integer_value(json_object_get(worker, name));
}

static void add_worker(struct table *table, int64_t now_ms, const json_t *worker)
{
    char text[64], length[32];
    int64_t ago_ms = now_ms - number_of(worker, "seenAtMs");

    table_add_json(table, json_object_get(worker, "instance"));
    table_add_json(table, json_object_get(worker, "uri"));
    snprintf(text, sizeof text, "%lld/%lld", number_of(worker, "running"), number_of(worker, "slots"));
    table_add(table, text);
    if (!number_of(worker, "seenAtMs"))
        snprintf(text, sizeof text, "gone");
    else
        snprintf(text, sizeof text, "%s ago", format_length(length, ago_ms < 0 ? 0 : ago_ms / 1000 * 1000));
    table_add(table, text);
    table_add_json(table, json_object_get(worker, "types"));
}

static void print_ids(const json_t *workers)
{
    const json_t *worker, *id;
    size_t i, k, printed = 0;

    json_array_foreach(workers, i, worker)
    {
        json_array_foreach(json_object_get(worker, "ids"), k, id)
        {
            printf("%s%s  %s\n", printed++ ? "" : "\n", shown(json_string_value(id)),
                   shown(json_string_value(json_object_get(worker, "instance"))));
        }
    }
}

static void print_workers(const json_t *workers, int64_t now_ms)
{
    static const struct column columns[] = {
        { "INSTANCE", COLUMN_SHRINK }, { "STATUS PAGE", COLUMN_SHRINK }, { "RUNNING", COLUMN_RIGHT }, { "SEEN", 0 },
        { "TYPES", COLUMN_SHRINK },
    };
    struct table table;
    const json_t *worker;
    size_t i;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(workers, i, worker) add_worker(&table, now_ms, worker);
    if (json_array_size(workers))
        table_print(&table, stdout, terminal_width(stdout), false);
    else
        fprintf(stderr, "no workers\n");
    table_release(&table);
    if (options.ids)
        print_ids(workers);
}

static int run(struct session *session, int count, char **operands)
{
    struct err err = ERR_INIT;
    struct ask ask = { .err = &err };
    json_t *workers = NULL;
    int64_t now_ms = 0;
    int code = session_shards(session);

    (void)count, (void)operands;
    if (code != EXIT_OK)
        return code;
    ask.redis = session->redis;
    if (ask_now(&ask, &now_ms) != ST_OK || view_workers(&ask, SIZE_MAX, &workers) != ST_OK)
        code = session_fail_status(&err);
    else if (session->json)
        print_json(stdout, workers);
    else
        print_workers(workers, now_ms);
    json_decref(workers);
    return code;
}

const struct subcommand command_workers = {
    .name = "workers",
    .usage = "[--ids]",
    .about = "the live workers and what they run",
    .help = "RUNNING is operations and slots. An instance that is \"gone\" still holds leases; they are taken\n"
            "back when they end.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
