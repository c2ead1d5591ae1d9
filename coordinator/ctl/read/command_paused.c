/* paused: which Types and ParentKeys are paused, since when, why, and how much lies aside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/view/view.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

static void print_pauses(const json_t *pauses)
{
    static const struct column columns[] = {
        { "WHAT", 0 },
        { "NAME", COLUMN_SHRINK },
        { "SINCE", 0 },
        { "LAID ASIDE", COLUMN_RIGHT | COLUMN_EXTRA },
        { "REASON", COLUMN_SHRINK },
        { "NOW", 0 },
    };
    struct table table;
    const json_t *pause;
    char text[64];
    size_t i;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(pauses, i, pause)
    {
        const char *type = json_string_value(json_object_get(pause, "Type"));
        const char *since = json_string_value(json_object_get(pause, "since"));

        table_add(&table, type ? "Type" : "ParentKey");
        table_add_json(&table, json_object_get(pause, type ? "Type" : "ParentKey"));
        table_add(&table, since ? format_time(text, since) : "");
        table_add(&table, format_count(text, json_integer_value(json_object_get(pause, "laidAside"))));
        table_add_json(&table, json_object_get(pause, "reason"));
        table_add(&table, json_is_true(json_object_get(pause, "resuming")) ? "being resumed" : "");
    }
    if (json_array_size(pauses))
        table_print(&table, stdout, terminal_width(stdout), false);
    else
        fprintf(stderr, "nothing is paused\n");
    table_release(&table);
}

static int run(struct session *session, int count, char **operands)
{
    struct err err = ERR_INIT;
    json_t *pauses = NULL;
    int code = session_shards(session);

    (void)count, (void)operands;
    if (code == EXIT_OK && view_pauses(&(struct ask){ .redis = session->redis, .err = &err }, &pauses) != ST_OK)
        code = session_fail_status(&err);
    if (code == EXIT_OK && session->json)
        print_json(stdout, pauses);
    else if (code == EXIT_OK)
        print_pauses(pauses);
    json_decref(pauses);
    return code;
}

const struct subcommand command_paused = {
    .name = "paused",
    .usage = "",
    .about = "which Types and ParentKeys are paused, since when and why",
    .help = "LAID ASIDE is how many were about to start and wait for the resume; more may lie there unseen.",
    .run = run,
};
