/* query: SOQL over the records (common/query): rows as a table or JSON, or the plan. */
#include "common/query/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

enum { REAL_DIGITS = 15 };

static const char *explain;

static const struct flag flags[] = {
    { "explain", NULL, "how the query would be answered, instead of answering it", &explain },
};

struct rows {
    const struct query *query;
    int64_t count;
    struct table table;
    struct column *columns;
    char **titles; /* those that are made here */
};

/* ---- JSON ---- */
static bool on_json_row(void *arg, const json_t *row)
{
    struct rows *rows = arg;

    fputs(rows->count++ ? ",\n" : "[", stdout);
    json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    return !ferror(stdout);
}

/* ---- a table ---- */
static enum field_type item_type(const struct query_item *item)
{
    bool number = item->function != QUERY_FIELD && item->function != QUERY_MIN && item->function != QUERY_MAX;

    return number ? FIELD_INT : record_fields[item->field.index].type;
}

static void columns_init(struct rows *rows)
{
    const struct query *query = rows->query;

    rows->columns = xcalloc(query->item_count, sizeof *rows->columns);
    rows->titles = xcalloc(query->item_count, sizeof *rows->titles);
    for (size_t i = 0; i < query->item_count; i++) {
        const struct query_item *item = &query->items[i];
        bool of_leader = !query->aggregate && item->field.of_leader;
        char title[64];

        snprintf(title, sizeof title, "%s%.50s", of_leader ? "GroupLeader." : "", item->name);
        rows->titles[i] = xstrdup(title);
        rows->columns[i].title = rows->titles[i];
        rows->columns[i].flags = COLUMN_ALWAYS;
        if (item_type(item) == FIELD_INT)
            rows->columns[i].flags |= COLUMN_RIGHT;
        if (item_type(item) == FIELD_STRING)
            rows->columns[i].flags |= COLUMN_SHRINK;
        if (item->function == QUERY_FIELD && item->field.index == FIELD_INDEX_STATUS)
            rows->columns[i].flags |= COLUMN_STATUS;
    }
    table_init(&rows->table, rows->columns, query->item_count);
}

static void columns_release(struct rows *rows)
{
    table_release(&rows->table);
    for (size_t i = 0; i < rows->query->item_count; i++)
        free(rows->titles[i]);
    free(rows->titles);
    free(rows->columns);
}

static void add_cell(struct rows *rows, const struct query_item *item, const json_t *value)
{
    char text[64];

    if (item_type(item) == FIELD_DATETIME && json_is_string(value)) {
        table_add(&rows->table, format_time(text, json_string_value(value)));
    } else if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.*g", REAL_DIGITS, json_real_value(value));
        table_add(&rows->table, text);
    } else if (json_is_boolean(value)) {
        table_add(&rows->table, json_is_true(value) ? "true" : "false");
    } else {
        table_add_json(&rows->table, value);
    }
}

static bool on_table_row(void *arg, const json_t *row)
{
    struct rows *rows = arg;

    for (size_t i = 0; i < rows->query->item_count; i++) {
        const struct query_item *item = &rows->query->items[i];
        bool of_leader = !rows->query->aggregate && item->field.of_leader;

        add_cell(rows, item, json_object_get(of_leader ? json_object_get(row, "GroupLeader") : row, item->name));
    }
    rows->count++;
    return true;
}

/* ---- the three answers ---- */
static int run_rows(struct session *session, const struct query *query, const struct query_options *options)
{
    struct rows rows = { .query = query };
    struct err err = ERR_INIT;
    enum status st;

    columns_init(&rows);
    st = query_run(query, session->redis, options, session->json ? on_json_row : on_table_row, &rows, NULL, &err);
    if (session->json && (st == ST_OK || rows.count))
        fputs(rows.count ? "]\n" : "[]\n", stdout);
    else if (st == ST_OK && rows.count)
        table_print(&rows.table, stdout, terminal_width(stdout), terminal_colour(stdout));
    else if (st == ST_OK)
        fprintf(stderr, "no operations\n");
    columns_release(&rows);
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

static int run_count(struct session *session, const struct query *query, const struct query_options *options)
{
    struct err err = ERR_INIT;
    int64_t count;
    enum status st = query_run(query, session->redis, options, NULL, NULL, &count, &err);

    if (st != ST_OK)
        return session_fail_status(&err);
    printf(session->json ? "{\"totalSize\":%lld,\"done\":true,\"records\":[]}\n" : "%lld\n", (long long)count);
    return EXIT_OK;
}

static int run_explain(struct session *session, const struct query *query, const struct query_options *options)
{
    json_t *plan = query_explain(query, options), *value;
    const char *name;

    if (session->json)
        print_json(stdout, plan);
    json_object_foreach(plan, name, value)
    {
        char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT);

        if (!session->json && !json_is_null(value))
            print_pair(stdout, 11, name, text);
        free(text);
    }
    json_decref(plan);
    return EXIT_OK;
}

static int run_query(struct session *session, int count, char **operands)
{
    struct query_options options = { .recovering_ms = SESSION_RECOVERING_MS };
    struct err err = ERR_INIT;
    struct query *query = query_parse(operands[0], strlen(operands[0]), &err);
    int code;

    (void)count;
    if (!query)
        return session_fail(EXIT_USAGE_ERROR, "%s", err.text);
    code = explain ? EXIT_OK : session_redis(session);
    if (code == EXIT_OK && explain)
        code = run_explain(session, query, &options);
    else if (code == EXIT_OK)
        code = query->count_only ? run_count(session, query, &options) : run_rows(session, query, &options);
    query_free(query);
    return code;
}

const struct subcommand command_query = {
    .name = "query",
    .usage = "\"SOQL\" [--explain]",
    .about = "operations by a query in SOQL; counts and other aggregates",
    .help = "For example:\n"
            "  bgopctl query \"SELECT Id, Error FROM BackgroundOperation WHERE Status = 'Error' LIMIT 20\"\n"
            "  bgopctl query \"SELECT Type, COUNT(Id) n, AVG(RetryCount) FROM BackgroundOperation\n"
            "                 WHERE SubmittedAt > 2026-11-23T10:00:00Z GROUP BY Type ORDER BY COUNT(Id) DESC\"\n"
            "  bgopctl query \"SELECT COUNT() FROM BackgroundOperation WHERE Error LIKE '%timed out%'\"\n"
            "SELECT fields or COUNT COUNT_DISTINCT MIN MAX AVG SUM FROM BackgroundOperation [WHERE ..] [GROUP BY ..]\n"
            "[ORDER BY .. [ASC|DESC] [NULLS FIRST|LAST]] [LIMIT n] [OFFSET n]. Conditions: = != < <= > >= LIKE IN,\n"
            "NOT IN, AND OR NOT ( ). Texts stand in single quotes, times without. GroupLeader.X: of the leader of the\n"
            "execution group.",
    .flags = COMMAND_FLAGS(flags),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_query,
};
