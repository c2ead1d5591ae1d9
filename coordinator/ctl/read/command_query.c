/* query: SOQL over the records (common/query): rows as a table or JSON, or the plan. */
#include "common/query/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/query/period.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/missing.h"
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
    print_json_as(stdout, row, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    return !ferror(stdout);
}

/* ---- a table ---- */
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
        if (query_item_type(item) == FIELD_INT)
            rows->columns[i].flags |= COLUMN_RIGHT;
        if (query_item_type(item) == FIELD_STRING)
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

    if (query_item_type(item) == FIELD_DATETIME && json_is_string(value)) {
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

/* The Id that every row must have, as far as the condition says so plainly; else NULL. */
static const char *id_asked_for(const struct query_condition *where)
{
    const char *id = NULL;

    if (where && where->node == QUERY_TEST) {
        return where->field.index == FIELD_INDEX_ID && !where->field.of_leader && where->relation == QUERY_EQUAL &&
                       where->values[0].kind == QUERY_TEXT && where->values[0].size
                   ? where->values[0].text
                   : NULL;
    }
    for (size_t i = 0; where && where->node == QUERY_AND && i < where->part_count && !id; i++)
        id = id_asked_for(where->parts[i]);
    return id;
}

/* Who asks for one operation is told why it is not there; a record that only fails the rest of the condition is. */
static void explain_absence(struct session *session, const struct query *query)
{
    const char *id = id_asked_for(query->where);

    if (id && !session_is_recorded(session, id))
        missing_fail(session, id);
}

/* ---- the three answers ---- */
static void print_nothing(const struct query *query)
{
    char *period = query_looks_ahead(query);

    fprintf(stderr, "no operations\n");
    if (period) {
        fprintf(stderr,
                "(> %s is behind its end, which is not yet; what lies in it is = %s, from its start on >= %s)\n",
                period, period, period);
    }
    free(period);
}

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
        print_nothing(query);
    if (st == ST_OK && !rows.count)
        explain_absence(session, query);
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
            "  bgopctl query \"SELECT Type, COUNT(Id) n FROM BackgroundOperation WHERE Status = 'Error'\n"
            "                 AND FinishedAt = LAST_N_HOURS:2 GROUP BY Type HAVING COUNT(Id) > 10\"\n"
            "SELECT fields, FIELDS(ALL), or COUNT COUNT_DISTINCT MIN MAX AVG SUM FROM BackgroundOperation [alias]\n"
            "[WHERE ..] [GROUP BY ..] [HAVING ..] [ORDER BY .. [ASC|DESC] [NULLS FIRST|LAST]] [LIMIT n] [OFFSET n].\n"
            "Conditions: = != < <= > >= LIKE IN, NOT IN, AND OR NOT ( ). Texts stand in single quotes, times without.\n"
            "GroupLeader.X: of the leader of the execution group. Comments: -- // /* */.\n"
            "Times are compared with a dateTime (2026-11-23T10:00:00Z), or with a period: = is within, != outside,\n"
            "> behind its end, >= from its start, < before it, <= up to its end. Periods are dates (2026-11-23) and\n"
            "these, n being a number, as in LAST_N_DAYS:7; in UTC, weeks from Sunday:\n" DATE_LITERALS_HELP
            "LAST_N_DAYS includes today, up to now; LAST_N_HOURS and LAST_N_MINUTES count back from now; the other\n"
            "LAST_N_.. are whole weeks, months .. before the present one.",
    .flags = COMMAND_FLAGS(flags),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_query,
};
