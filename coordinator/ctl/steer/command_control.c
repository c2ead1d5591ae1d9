/* cancel, redrive. Operations that are named get their commands from here, through the topic bgop.command, in one order with
 * the outcomes; the answer is what Redis shows afterwards. What --where finds is an action: a coordinator runs it, and this
 * watches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/query/query.h"
#include "coordinator/ctl/acting.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/steer/steer.h"

static struct {
    const char *reason, *timeout, *where, *dry_run, *rate, *detach;
} options;

/* ---- what became of those that were named ---- */

struct sums {
    size_t done, failed, open, unseen;
};

static struct sums sum_up(const struct targets *targets)
{
    struct sums sums = { 0 };

    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->list[i];

        sums.done += target->progress == TARGET_DONE;
        sums.failed += target->progress == TARGET_FAILED;
        sums.open += target->progress == TARGET_OPEN;
        sums.unseen += target->progress == TARGET_OPEN && target->sent;
    }
    return sums;
}

static void print_targets_json(const struct targets *targets)
{
    json_t *list = json_array();

    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->list[i];
        const char *text = target->text ? target->text : target->sent ? "sent; no effect seen yet" : "not sent";

        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "Id", target->id, "done",
                                              target->progress == TARGET_DONE, "text", text));
    }
    print_json(stdout, list);
    json_decref(list);
}

static void print_targets(const struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->list[i];

        if (target->progress == TARGET_FAILED)
            session_fail(EXIT_FAILED, "%s %s", target->id, target->text);
        else if (target->progress == TARGET_DONE)
            printf("%s  %s\n", shown(target->id), shown(target->text));
    }
}

static void print_go_on(const struct steering *steering, const struct sums *sums)
{
    const char *done = action_done_word(steering->kind);
    char unseen[100] = "";

    if (sums->unseen)
        snprintf(unseen, sizeof unseen, " (%zu of them are sent, but their effect was not seen yet)", sums->unseen);
    session_fail(EXIT_FAILED,
                 "stopped: %zu %s, %zu left%s; go on with the same command: what is %s already is left alone",
                 sums->done, done, sums->open, unseen, done);
}

/* ---- the commands ---- */

/* "50/s", "50". */
static bool read_rate(const char *text, int64_t *rate)
{
    size_t size = strlen(text);
    char number[24];

    if (size > 2 && strcmp(text + size - 2, "/s") == 0)
        size -= 2;
    return text_copy(number, sizeof number, text, size) && text_parse_int64(number, 1, ACTION_BOUND_RATE, rate);
}

static bool check_where(const char *where)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition(where, strlen(where), NULL, &err);

    if (!query)
        session_fail(EXIT_USAGE_ERROR, "--where: %s", err.text);
    query_free(query);
    return err.status == ST_OK;
}

static int read_options(struct steering *steering, int count)
{
    int64_t length = options.reason ? (int64_t)text_utf8_length(options.reason, strlen(options.reason)) : 0;
    const char *name = action_kind_name(steering->kind);

    steering->timeout_ms = ACTING_TIMEOUT_MS;
    steering->reason = options.reason;
    steering->where = options.where;
    steering->dry_run = options.dry_run;
    if (!count && !options.where) {
        return session_fail(EXIT_USAGE_ERROR,
                            "%s: give Ids (or Names), or --where CONDITION such as \"Status = "
                            "'Error' AND Type = 'WebCart'\"",
                            name);
    }
    if (count && options.where)
        return session_fail(EXIT_USAGE_ERROR, "%s: give either Ids or --where, not both", name);
    if (options.where && !check_where(options.where))
        return EXIT_USAGE_ERROR;
    if (options.detach && (!options.where || options.dry_run))
        return session_fail(EXIT_USAGE_ERROR, "%s: --detach goes with --where, and not with --dry-run", name);
    if (options.rate && !read_rate(options.rate, &steering->rate)) {
        return session_fail(EXIT_USAGE_ERROR, "--rate %s: a number of commands a second is expected, such as 50/s",
                            options.rate);
    }
    if (options.timeout && !argument_seconds(options.timeout, &steering->timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    if (length < 0 || length > RECORD_STRING_MAX_CHARACTERS)
        return session_fail(EXIT_USAGE_ERROR, "--reason: at most 255 characters of UTF-8 are expected");
    return EXIT_OK;
}

static int finish(const struct steering *steering, int code)
{
    struct sums sums = sum_up(&steering->targets);

    if (steering->session->json)
        print_targets_json(&steering->targets);
    else
        print_targets(&steering->targets);
    if (sums.open)
        print_go_on(steering, &sums);
    return code != EXIT_OK ? code : sums.failed || sums.open ? EXIT_FAILED : EXIT_OK;
}

static int print_detached(const struct session *session, const char *name, const json_t *action)
{
    if (session->json)
        print_json_pretty(stdout, action);
    else
        printf("%s\n", name);
    return EXIT_OK;
}

/* What --where finds. */
static int act(const struct steering *steering)
{
    struct session *session = steering->session;
    struct action_request request = {
        .kind = steering->kind, .where = steering->where, .reason = steering->reason, .rate = steering->rate
    };
    char name[ACTION_ID_SIZE];
    json_t *action = NULL;
    int code = session_redis(session);

    if (code == EXIT_OK)
        code = acting_create(session, &request, name);
    if (code == EXIT_OK && options.detach) {
        code = acting_read(session, name, &action);
        if (code == EXIT_OK)
            code = print_detached(session, name, action);
    } else if (code == EXIT_OK) {
        code = acting_follow(session, name, steering->timeout_ms, false, &action);
        if (code == EXIT_OK)
            code = acting_print_end(session, action);
    }
    json_decref(action);
    return code;
}

static int run_where(struct steering *steering)
{
    int code;

    if (!steering->dry_run)
        return act(steering);
    code = steering_count(steering);
    if (code == EXIT_OK && interrupted())
        return session_fail(EXIT_FAILED, "stopped while looking for operations: nothing was sent");
    if (code == EXIT_OK)
        steering_print_dry(steering);
    return code;
}

static int run_named(struct steering *steering, int count, char **operands)
{
    int code = steering_match(steering, operands, count);

    if (code == EXIT_OK && interrupted())
        return session_fail(EXIT_FAILED, "stopped while looking for operations: nothing was sent");
    if (code == EXIT_OK && steering->dry_run)
        steering_print_dry(steering);
    else if (code == EXIT_OK)
        code = finish(steering, steering_go(steering));
    return code;
}

static int run_kind(struct session *session, enum action_kind kind, int count, char **operands)
{
    struct steering steering;
    int code;

    steering_init(&steering, session, kind);
    code = read_options(&steering, count);
    if (code == EXIT_OK)
        code = steering.where ? run_where(&steering) : run_named(&steering, count, operands);
    steering_release(&steering);
    return code;
}

static int run_cancel(struct session *session, int count, char **operands)
{
    return run_kind(session, ACTION_CANCEL, count, operands);
}

static int run_redrive(struct session *session, int count, char **operands)
{
    return run_kind(session, ACTION_REDRIVE, count, operands);
}

static const struct flag control_flags[] = {
    { "where", "COND", "all that match this condition, as behind WHERE of a query", &options.where },
    { "dry-run", NULL, "send nothing: count what would be hit, by Type, ParentKey and Error", &options.dry_run },
    { "rate", "N/S", "at most so many a second", &options.rate },
    { "reason", "TEXT", "kept with the operation", &options.reason },
    { "timeout", "S", "seconds to wait for the effect (15); with --where, for a coordinator to run it",
      &options.timeout },
    { "detach", NULL, "with --where: do not watch, print the action's name", &options.detach },
};

const struct subcommand command_cancel = {
    .name = "cancel",
    .usage = "ID|NAME... | --where COND [--dry-run | --detach] [--rate N/s] [--reason TEXT]",
    .about = "operations shall not run (any more)",
    .help =
        "What does not run is Canceled at once; what runs is asked to stop, and the first outcome wins.\n"
        "With --where it is an action that a coordinator runs: it goes on when this program ends (`bgopctl actions`).\n"
        "Of what it finds, that which has ended already is passed over.\n"
        "Exit 1 when one of them could not be canceled, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(control_flags),
    .max_operands = -1,
    .run = run_cancel,
};
const struct subcommand command_redrive = {
    .name = "redrive",
    .usage = "ID|NAME... | --where COND [--dry-run | --detach] [--rate N/s] [--reason TEXT]",
    .about = "operations that ended in Error get their retries back",
    .help = "For example: bgopctl redrive --where \"Type = 'WebCart' AND Error LIKE '%timeout%'\" --rate 50/s\n"
            "Each operation is redriven once a run at most, however often it fails meanwhile; what was redriven\n"
            "redrive_limit times (an option of its Type) is refused. With --where it is an action that a coordinator\n"
            "runs: it goes on when this program ends (`bgopctl actions`). Of what it finds, that which did not end in\n"
            "Error is passed over.\n"
            "Exit 1 when one of them could not be redriven, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(control_flags),
    .max_operands = -1,
    .run = run_redrive,
};
