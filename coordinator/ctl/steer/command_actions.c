/* actions: what people had done to many operations at once, or to what starts; one of them, watched or aborted. */
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "coordinator/ctl/acting.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/print.h"

static struct {
    const char *limit, *abort, *reason, *follow, *timeout;
} options;

/* What it is about: "where Type = 'WebCart'", "12 Ids", "Type WebCart". */
static void table_add_subject(struct table *table, const json_t *action)
{
    static const char *const members[][2] = { { "where", "" }, { "type", "Type " }, { "parentKey", "ParentKey " } };
    char text[512] = "";

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (*acting_text(action, members[i][0]))
            snprintf(text, sizeof text, "%s%s", members[i][1], acting_text(action, members[i][0]));
    }
    if (!*text)
        snprintf(text, sizeof text, "%lld Ids", acting_number(action, "ids"));
    table_add(table, text);
}

static void table_add_count(struct table *table, const json_t *action, const char *name)
{
    char text[32];

    table_add(table, json_is_integer(json_object_get(action, name)) && acting_number(action, name)
                         ? format_count(text, acting_number(action, name))
                         : "");
}

static void print_list(const json_t *actions)
{
    static const struct column columns[] = {
        { "ACTION", 0 },
        { "KIND", 0 },
        { "STATE", 0 },
        { "DONE", COLUMN_RIGHT },
        { "OF", COLUMN_RIGHT | COLUMN_EXTRA },
        { "NOT", COLUMN_RIGHT },
        { "SKIPPED", COLUMN_RIGHT | COLUMN_EXTRA },
        { "STARTED", COLUMN_EXTRA },
        { "WHO", COLUMN_SHRINK | COLUMN_EXTRA },
        { "WHAT", COLUMN_SHRINK },
        { "REASON", COLUMN_SHRINK | COLUMN_EXTRA },
    };
    struct table table;
    const json_t *action;
    char text[64];
    size_t i;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(actions, i, action)
    {
        table_add_json(&table, json_object_get(action, "id"));
        table_add_json(&table, json_object_get(action, "action"));
        table_add_json(&table, json_object_get(action, "state"));
        table_add_count(&table, action, "done");
        table_add_count(&table, action, "matching");
        table_add_count(&table, action, "failed");
        table_add_count(&table, action, "skipped");
        table_add(&table, format_time(text, acting_text(action, "startedAt")));
        table_add_json(&table, json_object_get(action, "who"));
        table_add_subject(&table, action);
        table_add_json(&table, json_object_get(action, "reason"));
    }
    if (i)
        table_print(&table, stdout, terminal_width(stdout), false);
    else
        fprintf(stderr, "there are no actions\n");
    table_release(&table);
}

static void print_pairs(const json_t *action)
{
    static const char *const names[] = { "action",   "where", "ids",     "type",      "parentKey",  "reason",
                                         "who",      "rate",  "state",   "startedAt", "finishedAt", "found",
                                         "matching", "done",  "skipped", "failed",    "error",      "coordinator" };
    const json_t *failures = json_object_get(action, "failures"), *failure;
    char text[64];
    size_t i;

    print_pair(stdout, 12, "id", acting_text(action, "id"));
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(action, names[i]);

        if (json_is_integer(value))
            print_pair(stdout, 12, names[i], format_count(text, (long long)json_integer_value(value)));
        else if (json_is_string(value))
            print_pair(stdout, 12, names[i], format_time(text, json_string_value(value)));
    }
    json_array_foreach(failures, i, failure)
    {
        printf("%s %s\n", shown(acting_text(failure, "Id")), shown(acting_text(failure, "text")));
    }
}

static int print_one(struct session *session, const char *name)
{
    json_t *action;
    int code = acting_read(session, name, &action);

    if (code == EXIT_OK && session->json)
        print_json_pretty(stdout, action);
    else if (code == EXIT_OK)
        print_pairs(action);
    json_decref(action);
    return code;
}

static int print_all(struct session *session)
{
    const char *limit = options.limit ? options.limit : "50";
    json_t *answer = NULL;
    int64_t number;
    int code;

    if (!text_parse_int64(limit, 1, 500, &number))
        return session_fail(EXIT_USAGE_ERROR, "--limit %s: a number from 1 to 500 is expected", limit);
    code = session_call(session, &answer, "bgop_actions", &limit, 1);
    if (code == EXIT_OK && session->json)
        print_json(stdout, json_object_get(answer, "actions"));
    else if (code == EXIT_OK)
        print_list(json_object_get(answer, "actions"));
    json_decref(answer);
    return code;
}

static int abort_one(struct session *session, const char *name)
{
    struct err err = ERR_INIT;
    enum status st = action_abort(session->redis, name, acting_who(), options.reason, &err);

    if (st == ST_MISSING)
        return session_fail(EXIT_FAILED, "%s: %s", name, err.text);
    return st == ST_OK ? print_one(session, name) : session_fail_status(&err);
}

static int follow_one(struct session *session, const char *name)
{
    int64_t timeout_ms = ACTING_TIMEOUT_MS;
    json_t *action = NULL;
    int code;

    if (options.timeout && !argument_seconds(options.timeout, &timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    interrupt_catch();
    code = acting_follow(session, name, timeout_ms, false, &action);
    if (code == EXIT_OK)
        code = acting_print_end(session, action);
    json_decref(action);
    return code;
}

static int run(struct session *session, int count, char **operands)
{
    int code;

    if (!count && (options.abort || options.follow)) {
        return session_fail(EXIT_USAGE_ERROR, "actions: %s needs the name of an action",
                            options.abort ? "--abort" : "--follow");
    }
    if (options.abort && options.follow)
        return session_fail(EXIT_USAGE_ERROR, "actions: give either --abort or --follow");
    code = session_redis(session);
    if (code != EXIT_OK)
        return code;
    if (!count)
        return print_all(session);
    return options.abort    ? abort_one(session, *operands)
           : options.follow ? follow_one(session, *operands)
                            : print_one(session, *operands);
}

static const struct flag flags[] = {
    { "limit", "N", "the newest so many (50)", &options.limit },
    { "follow", NULL, "watch one until it has ended", &options.follow },
    { "abort", NULL, "no further step of it; what was done stays done", &options.abort },
    { "reason", "TEXT", "with --abort: kept with it", &options.reason },
    { "timeout", "S", "with --follow: seconds for a coordinator to run it (15)", &options.timeout },
};

const struct subcommand command_actions = {
    .name = "actions",
    .usage = "[ACTION [--follow | --abort [--reason TEXT]]] [--limit N]",
    .about = "cancels and redrives of many, pauses: who asked for what, and how far it is",
    .help = "They are run by the coordinators: one that dies is replaced by another, which goes on where it stopped.\n"
            "NOT is how many could not be acted on; one action shows the first of them, with why.",
    .flags = COMMAND_FLAGS(flags),
    .max_operands = 1,
    .run = run,
};
