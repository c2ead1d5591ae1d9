/* list: newest first, by Status, Type and ParentKey; find: any query of bgop_find. Both print rows. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/tables.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

enum { LIMIT_DEFAULT = 50, PAGE_MAX = 200, LIMIT_MAX = 1000000000 };

static struct {
    const char *status, *type, *parent, *limit;
} options;

static const struct flag flags[] = {
    { "status", "STATUS", "only these: New Scheduled Waiting Running Merged Complete Error Canceled", &options.status },
    { "type", "TYPE", "only this Type", &options.type },
    { "parent", "KEY", "only this ParentKey", &options.parent },
    { "limit", "N", "most rows (50); all = no limit", &options.limit },
};

/* ---- rows of one run ---- */
struct rows {
    bool json;
    int64_t limit, count;
    struct table table;
    const char *const *fields; /* behind the columns, in their order */
};

static void add_json_row(struct rows *rows, const json_t *row)
{
    fputs(rows->count ? ",\n" : "[", stdout);
    print_json_as(stdout, row, JSON_COMPACT);
}

static bool on_json_page(void *arg, const json_t *page)
{
    struct rows *rows = arg;
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        if (rows->count == rows->limit)
            return false;
        add_json_row(rows, row);
        rows->count++;
    }
    return rows->count < rows->limit && !ferror(stdout);
}

static void add_cell(struct rows *rows, const json_t *row, const char *name)
{
    const struct record_field *field = record_field_find(name);
    const json_t *value = json_object_get(row, name);
    char text[64];

    if (strcmp(name, "Name") == 0 && json_is_string(value) && strncmp(json_string_value(value), "BO-", 3) == 0)
        table_add(&rows->table, ""); /* derived from the Id that is shown already */
    else if (strcmp(name, "RetryCount") == 0 && json_integer_value(value) == 0)
        table_add(&rows->table, "");
    else if (field && field->type == FIELD_DATETIME && json_is_string(value))
        table_add(&rows->table, format_time(text, json_string_value(value)));
    else
        table_add_json(&rows->table, value);
}

static bool on_table_page(void *arg, const json_t *page)
{
    struct rows *rows = arg;
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        if (rows->count == rows->limit)
            return false;
        for (size_t f = 0; f < rows->table.column_count; f++)
            add_cell(rows, row, rows->fields[f]);
        rows->count++;
    }
    return rows->count < rows->limit;
}

static int print_rows(struct session *session, json_t *query, struct rows *rows)
{
    int code = session_find(session, query, rows->json ? on_json_page : on_table_page, rows);

    if (rows->json && (code == EXIT_OK || rows->count))
        fputs(rows->count ? "]\n" : "[]\n", stdout);
    if (!rows->json && code == EXIT_OK && rows->count)
        table_print(&rows->table, stdout, terminal_width(stdout), terminal_colour(stdout));
    if (!rows->json && code == EXIT_OK && !rows->count)
        fprintf(stderr, "no operations\n");
    return code;
}

/* ---- list ---- */
static const struct column list_columns[] = {
    { "ID", COLUMN_ALWAYS },
    { "TYPE", COLUMN_SHRINK },
    { "STATUS", COLUMN_STATUS },
    { "SUBMITTED", COLUMN_EXTRA },
    { "PARENT", COLUMN_SHRINK },
    { "NAME", COLUMN_SHRINK | COLUMN_EXTRA },
    { "RETRIES", COLUMN_RIGHT | COLUMN_EXTRA },
    { "AFTER", COLUMN_EXTRA },
    { "FINISHED", COLUMN_EXTRA },
    { "ERROR", COLUMN_SHRINK },
};
static const char *const list_fields[] = {
    "Id", "Type", "Status", "SubmittedAt", "ParentKey", "Name", "RetryCount", "ProcessAfter", "FinishedAt", "Error",
};
static_assert(sizeof list_columns / sizeof *list_columns == sizeof list_fields / sizeof *list_fields,
              "a field for each column");

static void add_condition(json_t *where, const char *field, const char *value)
{
    if (value)
        json_array_append_new(where, json_pack("[s,s,s]", field, "=", value));
}

static json_t *list_query(int64_t limit, bool json)
{
    json_t *query = json_object(), *where = json_array(), *fields = json_array();

    add_condition(where, "Status", options.status);
    add_condition(where, "Type", options.type);
    add_condition(where, "ParentKey", options.parent);
    for (int i = 0; json && i < FIELD_COUNT; i++)
        json_array_append_new(fields, json_string(record_fields[i].name));
    for (size_t i = 0; !json && i < sizeof list_fields / sizeof *list_fields; i++)
        json_array_append_new(fields, json_string(list_fields[i]));
    json_object_set_new(query, "where", where);
    json_object_set_new(query, "order", json_string("-SubmittedAt"));
    json_object_set_new(query, "fields", fields);
    json_object_set_new(query, "limit", json_integer(limit < PAGE_MAX ? limit : PAGE_MAX));
    return query;
}

static int run_list(struct session *session, int count, char **operands)
{
    struct rows rows = { .json = session->json, .limit = LIMIT_DEFAULT, .fields = list_fields };
    json_t *query;
    int code = argument_check_status(options.status);

    (void)count, (void)operands;
    if (code != EXIT_OK)
        return code;
    if (options.limit && strcmp(options.limit, "all") == 0)
        rows.limit = LIMIT_MAX;
    else if (options.limit && !text_parse_int64(options.limit, 1, LIMIT_MAX, &rows.limit))
        return session_fail(EXIT_USAGE_ERROR, "--limit %s: a number from 1, or all, is expected", options.limit);
    table_init(&rows.table, list_columns, sizeof list_columns / sizeof *list_columns);
    query = list_query(rows.limit, rows.json);
    code = print_rows(session, query, &rows);
    if (code == EXIT_OK && !rows.count)
        code = argument_check_type(session, options.type);
    json_decref(query);
    table_release(&rows.table);
    return code;
}

const struct subcommand command_list = {
    .name = "list",
    .usage = "[--status S] [--type T] [--parent K] [--limit N]",
    .about = "operations, newest first",
    .help = "Columns in which nothing stands are left out; on a narrow terminal long texts are cut.\n"
            "--json gives every field.",
    .flags = COMMAND_FLAGS(flags),
    .run = run_list,
};

/* ---- find ---- */
static const json_t *query_fields(const json_t *query)
{
    const json_t *fields = json_object_get(query, "fields");

    return json_is_array(fields) && json_array_size(fields) ? fields : NULL;
}

/* Columns as the query asks for them, Id first. */
static int run_find_table(struct session *session, json_t *query, struct rows *rows)
{
    const json_t *fields = query_fields(query), *field;
    size_t i, count = 0;
    struct column *columns = xcalloc(json_array_size(fields) + 1, sizeof *columns);
    const char **names = xcalloc(json_array_size(fields) + 1, sizeof *names);
    int code;

    names[count++] = "Id";
    json_array_foreach(fields, i, field)
    {
        if (json_is_string(field) && strcmp(json_string_value(field), "Id") != 0)
            names[count++] = json_string_value(field);
    }
    for (i = 0; i < count; i++)
        columns[i] = (struct column){ names[i], i ? COLUMN_SHRINK | COLUMN_ALWAYS : COLUMN_ALWAYS };
    rows->fields = names;
    table_init(&rows->table, columns, count);
    code = print_rows(session, query, rows);
    table_release(&rows->table);
    free(columns);
    free(names);
    return code;
}

static int run_find(struct session *session, int count, char **operands)
{
    struct rows rows = { .json = session->json };
    json_error_t error;
    json_t *query = json_loads(operands[0], 0, &error);
    int code;

    (void)count;
    if (!json_is_object(query)) {
        json_decref(query);
        return session_fail(EXIT_USAGE_ERROR, "find expects one JSON object: %s",
                            *error.text ? error.text : "this is none");
    }
    rows.limit = json_is_integer(json_object_get(query, "limit")) ? json_integer_value(json_object_get(query, "limit"))
                                                                  : LIMIT_MAX;
    if (rows.limit > PAGE_MAX)
        json_object_set_new(query, "limit", json_integer(PAGE_MAX));
    code = rows.json ? print_rows(session, query, &rows) : run_find_table(session, query, &rows);
    json_decref(query);
    return code;
}

const struct subcommand command_find = {
    .name = "find",
    .usage = "JSON",
    .about = "operations by any filter of bgop_find",
    .help = "For example:\n"
            "  bgopctl find '{\"where\":[[\"Status\",\"=\",\"Error\"]],\"fields\":[\"Id\",\"Error\"],\"limit\":50}'\n"
            "Operators: = != < <= > >= in like. Order: \"order\":\"-SubmittedAt\". Without limit: all pages.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_find,
};
