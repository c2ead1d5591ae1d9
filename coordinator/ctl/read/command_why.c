/* why: what one operation waits for; lookup: Ids by a field; updated, deleted: what changed in a window of time. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/record/id.h"
#include "common/record/tables.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/missing.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/why.h"

/* ---- why ---- */
void why_print(FILE *to, const char *id, const json_t *answer)
{
    const char *status = json_string_value(json_object_get(answer, "status"));
    const char *mode = json_string_value(json_object_get(answer, "mode"));
    const char *next = json_string_value(json_object_get(answer, "nextAttemptAt"));
    const json_t *blocker;
    char text[64];
    size_t i;

    fprintf(to, "%s  %s\n%s\n", id, status ? shown(status) : "no record",
            shown(json_string_value(json_object_get(answer, "reason"))));
    json_array_foreach(json_object_get(answer, "blockedBy"), i, blocker)
        fprintf(to, "%s %s\n", i ? "           " : "blocked by:", shown(json_string_value(blocker)));
    if (next)
        fprintf(to, "next attempt at %s\n", shown(format_time(text, next)));
    if (mode && strcmp(mode, "OPEN") != 0)
        fprintf(to, "its shard is %s: this may change\n", shown(mode));
}

/* Redis does not see Kafka's log. While its shard is not open there may be a record that it does not show. */
static void print_missing(struct session *session, const char *id, json_t *answer)
{
    const char *mode = json_string_value(json_object_get(answer, "mode"));
    struct missing missing;

    if (!mode || strcmp(mode, "OPEN") != 0)
        return;
    missing_explain(session, id, &missing);
    json_object_set_new(answer, "reason", json_string(missing.text));
}

static int run_why(struct session *session, int count, char **operands)
{
    char ids[1][ID_SIZE], *id = ids[0];
    json_t *answer = NULL;
    int code = session_resolve(session, operands[0], id);

    (void)count;
    if (code == EXIT_OK)
        session_await_records(session, ids, 1);
    if (code == EXIT_OK)
        code = session_call(session, &answer, "bgop_why", (const char *[]){ id }, 1);
    if (code != EXIT_OK)
        return code;
    if (json_is_null(json_object_get(answer, "status")))
        print_missing(session, id, answer);
    if (session->json)
        print_json_pretty(stdout, answer);
    else
        why_print(stdout, id, answer);
    code = json_is_null(json_object_get(answer, "status")) ? EXIT_FAILED : EXIT_OK;
    json_decref(answer);
    return code;
}

const struct subcommand command_why = {
    .name = "why",
    .usage = "ID|NAME",
    .about = "what one operation waits for",
    .help = "Exit 1 when there is no such operation.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_why,
};

/* ---- pages of Ids ---- */
struct id_pages {
    json_t *list;
    const char *member;
    bool json;
    long long count;
    char covered[64], earliest[64];
};

static void take_date(char to[64], const json_t *page, const char *name)
{
    const char *date = json_string_value(json_object_get(page, name));

    if (date)
        snprintf(to, 64, "%s", date);
}

static void print_entry(const json_t *entry)
{
    char text[64];

    if (json_is_string(entry)) {
        puts(shown(json_string_value(entry)));
    } else {
        printf("%s  %s\n", shown(json_string_value(json_object_get(entry, "id"))),
               shown(format_time(text, json_string_value(json_object_get(entry, "deletedDate")))));
    }
}

static bool on_id_page(void *arg, const json_t *page)
{
    struct id_pages *pages = arg;
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(page, pages->member), i, entry)
    {
        pages->count++;
        if (pages->json)
            json_array_append(pages->list, entry);
        else
            print_entry(entry);
    }
    take_date(pages->covered, page, "latestDateCovered");
    take_date(pages->earliest, page, "earliestDateAvailable");
    return !ferror(stdout);
}

static int run_lookup(struct session *session, int count, char **operands)
{
    struct id_pages pages = { .list = json_array(), .member = "ids", .json = session->json };
    const char *arguments[2] = { operands[0], operands[1] };
    struct id_parts parts;
    char id[ID_SIZE];
    int code;

    (void)count;
    if (strcasecmp(operands[0], "Id") == 0 && id_read(id, operands[1], strlen(operands[1]), &parts))
        arguments[1] = id;
    code = session_call_pages(session, "bgop_lookup", arguments, 2, on_id_page, &pages);
    if (code == EXIT_OK && session->json)
        print_json(stdout, pages.list);
    json_decref(pages.list);
    return code;
}

const struct subcommand command_lookup = {
    .name = "lookup",
    .usage = "Id|Name|ParentKey|WorkerUri VALUE",
    .first_operand = OPERAND_LOOKUP_FIELD,
    .about = "Ids by one of the look-up fields",
    .min_operands = 2,
    .max_operands = 2,
    .run = run_lookup,
};

/* ---- updated, deleted ---- */
static int read_window(char **operands, char start[32], char end[32])
{
    int64_t now_ms = clock_wall_ms(), at[2];

    for (int i = 0; i < 2; i++) {
        const char *wrong = argument_time(operands[i], now_ms, &at[i]);

        if (wrong) {
            return session_fail(EXIT_USAGE_ERROR,
                                "INVALID_REPLICATION_DATE: START and END are times: 2026-11-23T10:00:00Z, epoch "
                                "milliseconds, now, or a distance such as now-2h; %s %s",
                                operands[i], wrong);
        }
    }
    snprintf(start, 32, "%lld", (long long)at[0]);
    snprintf(end, 32, "%lld", (long long)at[1]);
    return EXIT_OK;
}

static void print_window(const struct id_pages *pages)
{
    json_t *answer = json_object();

    json_object_set(answer, pages->member, pages->list);
    if (*pages->earliest)
        json_object_set_new(answer, "earliestDateAvailable", json_string(pages->earliest));
    if (*pages->covered)
        json_object_set_new(answer, "latestDateCovered", json_string(pages->covered));
    print_json(stdout, answer);
    json_decref(answer);
}

static int run_window(struct session *session, char **operands, const char *function, const char *member)
{
    char start[32], end[32], text[64];
    struct id_pages pages = { .list = json_array(), .member = member, .json = session->json };
    int code = read_window(operands, start, end);

    if (code == EXIT_OK)
        code = session_call_pages(session, function, (const char *[]){ start, end }, 2, on_id_page, &pages);
    if (code == EXIT_OK && session->json)
        print_window(&pages);
    else if (code == EXIT_OK && *pages.covered)
        fprintf(stderr, "%lld; covered up to %s\n", pages.count, format_time(text, pages.covered));
    json_decref(pages.list);
    return code;
}

static int run_updated(struct session *session, int count, char **operands)
{
    (void)count;
    return run_window(session, operands, "bgop_get_updated", "ids");
}

static int run_deleted(struct session *session, int count, char **operands)
{
    (void)count;
    return run_window(session, operands, "bgop_get_deleted", "deletedRecords");
}

const struct subcommand command_updated = {
    .name = "updated",
    .usage = "START END",
    .about = "Ids that changed in a window of time",
    .help = "Times: ISO 8601, epoch milliseconds, now, or a distance such as now-2h. Seconds are cut to the minute.",
    .min_operands = 2,
    .max_operands = 2,
    .run = run_updated,
};
const struct subcommand command_deleted = {
    .name = "deleted",
    .usage = "START END",
    .about = "Ids that were removed in a window of time, and when",
    .help = "Times: ISO 8601, epoch milliseconds, now, or a distance such as now-2h. Seconds are cut to the minute.",
    .min_operands = 2,
    .max_operands = 2,
    .run = run_deleted,
};

/* ---- blocked ---- */
static const struct column blocked_columns[] = {
    { "HELD BY", COLUMN_ALWAYS },
    { "TYPE", COLUMN_SHRINK },
    { "PARENT", COLUMN_SHRINK },
    { "GROUP", COLUMN_SHRINK },
    { "NUMBER", COLUMN_RIGHT | COLUMN_EXTRA },
    { "WAITING", COLUMN_RIGHT },
    { "SINCE", COLUMN_EXTRA },
    { "ERROR", COLUMN_SHRINK },
};
static const char *const blocked_members[] = {
    "Id", "Type", "ParentKey", "SequenceGroup", "SequenceNumber", "waiting", "since", "Error",
};
static_assert(sizeof blocked_columns / sizeof *blocked_columns == sizeof blocked_members / sizeof *blocked_members,
              "a member for each column");

static void print_blocked(const json_t *groups)
{
    struct table table;
    const json_t *group;
    char text[64];
    size_t i;

    table_init(&table, blocked_columns, sizeof blocked_columns / sizeof *blocked_columns);
    json_array_foreach(groups, i, group)
    {
        for (size_t m = 0; m < table.column_count; m++) {
            const json_t *value = json_object_get(group, blocked_members[m]);

            if (strcmp(blocked_members[m], "since") == 0)
                table_add(&table, format_time(text, json_string_value(value)));
            else
                table_add_json(&table, value);
        }
    }
    table_print(&table, stdout, terminal_width(stdout), terminal_colour(stdout));
    table_release(&table);
}

static int run_blocked(struct session *session, int count, char **operands)
{
    json_t *answer = NULL;
    const json_t *groups;
    long long total;
    int code = session_call(session, &answer, "bgop_blocked", (const char *[]){ "500" }, 1);

    (void)count, (void)operands;
    if (code != EXIT_OK)
        return code;
    groups = json_object_get(answer, "groups");
    total = json_integer_value(json_object_get(answer, "total"));
    if (session->json)
        print_json(stdout, groups);
    else if (json_array_size(groups) > 0)
        print_blocked(groups);
    else
        fprintf(stderr, "no sequence group is held\n");
    if (total > (long long)json_array_size(groups))
        fprintf(stderr, "%lld are held in all; these are the longest held\n", total);
    json_decref(answer);
    return EXIT_OK;
}

const struct subcommand command_blocked = {
    .name = "blocked",
    .usage = "",
    .about = "sequence groups held by a member that failed for good",
    .help = "The longest held first. A held group goes on when its member is redriven or canceled.",
    .run = run_blocked,
};
