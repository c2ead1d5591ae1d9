/* get: one record in full, with its failed attempts and its result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/record/tables.h"
#include "common/view/view.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/missing.h"
#include "coordinator/ctl/print.h"

enum { NAME_WIDTH = 16 };

/* A field of the record as a person wants it: nulls left out, dates without their zeros. */
static void print_field(const struct record_field *field, const json_t *record)
{
    const json_t *value = json_object_get(record, field->name);
    char text[96];

    if (json_is_string(value)) {
        print_pair(stdout, NAME_WIDTH, field->name,
                   field->type == FIELD_DATETIME ? format_time(text, json_string_value(value))
                                                 : json_string_value(value));
    } else if (json_is_integer(value)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        print_pair(stdout, NAME_WIDTH, field->name, text);
    }
}

static void add_attempt_cell(struct table *table, const json_t *value, bool is_time)
{
    char text[64];

    if (is_time && json_is_integer(value))
        table_add(table, format_moment(text, json_integer_value(value), true));
    else
        table_add_json(table, value);
}

static void print_tries(const json_t *tries)
{
    static const struct column columns[] = {
        { "ATTEMPT", COLUMN_RIGHT }, { "STARTED", 0 },           { "FINISHED", 0 },
        { "WORKER", COLUMN_SHRINK }, { "ERROR", COLUMN_SHRINK },
    };
    struct table table;
    const json_t *attempt;
    size_t i;

    if (!json_array_size(tries))
        return;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(tries, i, attempt)
    {
        add_attempt_cell(&table, json_object_get(attempt, "attempt"), false);
        add_attempt_cell(&table, json_object_get(attempt, "started"), true);
        add_attempt_cell(&table, json_object_get(attempt, "finished"), true);
        add_attempt_cell(&table, json_object_get(attempt, "worker"), false);
        add_attempt_cell(&table, json_object_get(attempt, "error"), false);
    }
    printf("\nFailed attempts\n");
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

static void print_commands(const json_t *list)
{
    static const struct column columns[] = { { "AT", 0 }, { "COMMAND", 0 }, { "REASON", COLUMN_SHRINK } };
    struct table table;
    const json_t *command;
    size_t i;

    if (!json_array_size(list))
        return;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(list, i, command)
    {
        add_attempt_cell(&table, json_object_get(command, "at"), true);
        add_attempt_cell(&table, json_object_get(command, "command"), false);
        add_attempt_cell(&table, json_object_get(command, "reason"), false);
    }
    printf("\nCommands\n");
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

/* For a program as it is; on a terminal its lines stay lines, and it commands nothing. */
static void print_result(const json_t *out)
{
    struct buf text;
    const char *result = json_string_value(out);
    size_t size = json_string_length(out);

    buf_init(&text, 6 * size);
    if (isatty(STDOUT_FILENO))
        buf_append_shown(&text, result, size, "\n\t");
    else
        buf_append(&text, result, size);
    printf("\nResult\n");
    fwrite(text.data, 1, text.size, stdout);
    putchar('\n');
    buf_release(&text);
}

static void print_record(const json_t *record)
{
    const json_t *out = json_object_get(record, "out");
    json_int_t redrives = json_integer_value(json_object_get(record, "redrives"));
    char text[32];

    for (int i = 0; i < FIELD_COUNT; i++)
        print_field(&record_fields[i], record);
    if (redrives) {
        snprintf(text, sizeof text, "%lld", (long long)redrives);
        print_pair(stdout, NAME_WIDTH, "redrives", text);
    }
    print_tries(json_object_get(record, "tries"));
    print_commands(json_object_get(record, "commands"));
    if (json_is_string(out) && json_string_length(out))
        print_result(out);
    else if (json_is_object(out))
        printf("\nResult (base64)\n%s\n", json_string_value(json_object_get(out, "base64")));
}

static int complete_record(struct session *session, const char *id, json_t *record)
{
    struct err err = ERR_INIT;
    struct ask ask = { .redis = session->redis, .err = &err };

    if (!json_is_object(record))
        return missing_fail(session, id);
    if (view_history(&ask, id, VIEW_WHOLE, record) != ST_OK)
        return session_fail_status(&err);
    json_object_del(record, "outBytes");
    return EXIT_OK;
}

static int run(struct session *session, int count, char **operands)
{
    char ids[1][ID_SIZE];
    json_t *rows = NULL;
    int code = session_resolve(session, operands[0], ids[0]);

    (void)count;
    if (code == EXIT_OK)
        session_await_records(session, ids, 1);
    if (code == EXIT_OK)
        code = session_retrieve(session, &rows, "*", ids, 1);
    if (code == EXIT_OK)
        code = complete_record(session, ids[0], json_array_get(rows, 0));
    if (code == EXIT_OK && session->json)
        print_json_pretty(stdout, json_array_get(rows, 0));
    else if (code == EXIT_OK)
        print_record(json_array_get(rows, 0));
    json_decref(rows);
    return code;
}

const struct subcommand command_get = {
    .name = "get",
    .usage = "ID|NAME",
    .about = "one record, with its failed attempts, commands and result",
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
