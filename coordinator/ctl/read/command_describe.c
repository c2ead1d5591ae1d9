/* describe: what a BackgroundOperation is, as the queue itself says. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

static void add_properties(struct table *table, const json_t *field)
{
    static const struct {
        const char *member, *word;
    } properties[] = {
        { "filterable", "filter" }, { "groupable", "group" },   { "sortable", "sort" },
        { "idLookup", "lookup" },   { "nillable", "nillable" }, { "restrictedPicklist", "restricted" },
    };
    struct buf text;

    buf_init(&text, 256);
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (json_is_true(json_object_get(field, properties[i].member)))
            buf_printf(&text, "%s%s", text.size ? " " : "", properties[i].word);
    }
    table_add(table, text.data ? text.data : "");
    buf_release(&text);
}

static void print_fields(const json_t *fields)
{
    static const struct column columns[] = {
        { "FIELD", 0 },
        { "TYPE", 0 },
        { "LENGTH", COLUMN_RIGHT },
        { "LABEL", COLUMN_SHRINK },
        { "PROPERTIES", COLUMN_SHRINK },
    };
    struct table table;
    const json_t *field;
    size_t i;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(fields, i, field)
    {
        const json_t *length = json_object_get(field, "length");

        table_add_json(&table, json_object_get(field, "name"));
        table_add_json(&table, json_object_get(field, "type"));
        table_add_json(&table, json_integer_value(length) ? length : NULL);
        table_add_json(&table, json_object_get(field, "label"));
        add_properties(&table, field);
    }
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

/* A word behind others, on a new line when a terminal has no room for it on this one. at: places taken. */
static void print_word(const char *word, const char *note, int width, int *at)
{
    int length = 1 + (int)(strlen(word) + strlen(note));

    if (width && *at + length > width) {
        fputs("\n ", stdout);
        *at = 1;
    }
    printf(" %s%s", word, note);
    *at += length;
}

static void print_picklists(const json_t *fields)
{
    const json_t *field, *value;
    int width = terminal_width(stdout), at;
    size_t i, v;

    json_array_foreach(fields, i, field)
    {
        const json_t *values = json_object_get(field, "picklistValues");

        if (!json_array_size(values))
            continue;
        at = printf("\n%s:", shown(json_string_value(json_object_get(field, "name")))) - 1;
        json_array_foreach(values, v, value)
        {
            print_word(shown(json_string_value(json_object_get(value, "value"))),
                       json_is_false(json_object_get(value, "active")) ? " (reserved)" : "", width, &at);
        }
    }
    putchar('\n');
}

static int run(struct session *session, int count, char **operands)
{
    json_t *answer = NULL, *describe;
    int code = session_call(session, &answer, "bgop_describe", NULL, 0);

    (void)count, (void)operands;
    if (code != EXIT_OK)
        return code;
    describe = json_is_array(answer) ? json_array_get(answer, 0) : answer;
    if (session->json) {
        print_json_pretty(stdout, describe);
    } else {
        print_fields(json_object_get(describe, "fields"));
        print_picklists(json_object_get(describe, "fields"));
    }
    json_decref(answer);
    return EXIT_OK;
}

const struct subcommand command_describe = {
    .name = "describe",
    .usage = "",
    .about = "fields, statuses and Types of the record",
    .run = run,
};
