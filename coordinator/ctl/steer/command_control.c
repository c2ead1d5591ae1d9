/* cancel, redrive: commands go through the topic bgop.command, in one order with the outcomes; the answer is what
 * Redis shows afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/query/query.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/steer/steer.h"

enum { EFFECT_TIMEOUT_MS = 15000, SHOWN_MAX = 20, RATE_MAX = 1000000 };

static struct {
    const char *reason, *timeout, *where, *dry_run, *rate;
} options;

/* ---- what became of all ---- */

struct sums {
    size_t done, failed, passed, open, unseen;
};

static struct sums sum_up(const struct steering *steering)
{
    struct sums sums = { 0 };

    for (size_t i = 0; i < steering->count; i++) {
        const struct target *target = &steering->targets[i];

        sums.done += target->progress == TARGET_DONE;
        sums.failed += target->progress == TARGET_FAILED;
        sums.passed += target->progress == TARGET_PASSED;
        sums.open += target->progress == TARGET_OPEN;
        sums.unseen += target->progress == TARGET_OPEN && target->sent;
    }
    return sums;
}

static void print_targets_json(const struct steering *steering)
{
    json_t *list = json_array();

    for (size_t i = 0; i < steering->count; i++) {
        const struct target *target = &steering->targets[i];
        const char *text = target->text ? target->text : target->sent ? "sent; no effect seen yet" : "not sent";

        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "Id", target->id, "done",
                                              target->progress == TARGET_DONE, "text", text));
    }
    print_json(stdout, list);
    json_decref(list);
}

/* Those that were named get a line each; of what a condition found the first that went wrong are told. */
static void print_targets(const struct steering *steering)
{
    size_t failed = 0;

    for (size_t i = 0; i < steering->count; i++) {
        const struct target *target = &steering->targets[i];

        if (target->progress == TARGET_FAILED && (++failed <= SHOWN_MAX || !steering->where))
            session_fail(EXIT_FAILED, "%s %s", target->id, target->text);
        else if (target->progress == TARGET_DONE && !steering->where)
            printf("%s  %s\n", shown(target->id), shown(target->text));
    }
    if (steering->where && failed > SHOWN_MAX)
        session_fail(EXIT_FAILED, "... and %zu more; --json tells all", failed - SHOWN_MAX);
}

static const char *done_word(const struct steering *steering)
{
    return steering->kind == COMMAND_CANCEL ? "canceled" : "redriven";
}

static void print_sums(const struct steering *steering, const struct sums *sums)
{
    char done[32], text[32];

    printf("%s %s", format_count(done, (long long)sums->done), done_word(steering));
    if (sums->failed)
        printf(", %s not", format_count(text, (long long)sums->failed));
    if (sums->passed)
        printf(", %s more match, but there is nothing to do for them", format_count(text, (long long)sums->passed));
    putchar('\n');
}

/* ---- going on after an interruption ---- */

/* In single quotes, as a shell takes it. */
/* What failed again since this run began is not to be redriven by the next: it is left out. */
static void add_where(struct buf *to, const struct steering *steering)
{
    char time[CLOCK_TEXT_SIZE];
    struct buf where;

    buf_init(&where, 1 << 20);
    if (steering->kind == COMMAND_CANCEL || strstr(steering->where, "SystemModstamp < ")) {
        buf_printf(&where, "%s", steering->where);
    } else {
        buf_printf(&where, "(%s) AND SystemModstamp < %s", steering->where,
                   clock_format(time, steering->begun_ms, "Z"));
    }
    buf_append(&where, "", 1);
    buf_append_shell(to, where.data);
    buf_release(&where);
}

static void print_go_on(const struct steering *steering, const struct sums *sums)
{
    struct buf text;

    buf_init(&text, 1 << 21);
    buf_printf(&text, "stopped: %zu %s, %zu left", sums->done, done_word(steering), sums->open);
    if (sums->unseen)
        buf_printf(&text, " (%zu of them are sent, but their effect was not seen yet)", sums->unseen);
    if (!steering->where) {
        buf_printf(&text, "; go on with the same command: what is %s already is left alone", done_word(steering));
    } else {
        buf_printf(&text, "; go on with:\n  bgopctl %s --where ",
                   steering->kind == COMMAND_CANCEL ? "cancel" : "redrive");
        add_where(&text, steering);
        if (steering->rate)
            buf_printf(&text, " --rate %lld/s", (long long)steering->rate);
        if (steering->reason) {
            buf_printf(&text, " --reason ");
            buf_append_shell(&text, steering->reason);
        }
    }
    buf_append(&text, "", 1);
    session_fail(EXIT_FAILED, "%s", text.data);
    buf_release(&text);
}

/* ---- the commands ---- */

/* "50/s", "50". */
static bool read_rate(const char *text, int64_t *rate)
{
    size_t size = strlen(text);
    char number[24];

    if (size > 2 && strcmp(text + size - 2, "/s") == 0)
        size -= 2;
    return text_copy(number, sizeof number, text, size) && text_parse_int64(number, 1, RATE_MAX, rate);
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
    const char *name = steering->kind == COMMAND_CANCEL ? "cancel" : "redrive";

    steering->timeout_ms = EFFECT_TIMEOUT_MS;
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
    struct sums sums = sum_up(steering);

    if (steering->session->json)
        print_targets_json(steering);
    else
        print_targets(steering);
    if (!steering->session->json && steering->where)
        print_sums(steering, &sums);
    if (sums.open)
        print_go_on(steering, &sums);
    return code != EXIT_OK ? code : sums.failed || sums.open ? EXIT_FAILED : EXIT_OK;
}

static int run_kind(struct session *session, enum command_kind kind, int count, char **operands)
{
    struct steering steering;
    int code;

    steering_init(&steering, session, kind);
    code = read_options(&steering, count);
    if (code == EXIT_OK)
        code = steering_match(&steering, operands, count);
    if (code == EXIT_OK && steering_interrupted()) {
        code = session_fail(EXIT_FAILED, "stopped while looking for operations: nothing was sent");
    } else if (code == EXIT_OK && steering.dry_run) {
        steering_print_dry(&steering);
    } else if (code == EXIT_OK) {
        code = steering_go(&steering);
        code = finish(&steering, code);
    }
    steering_release(&steering);
    return code;
}

static int run_cancel(struct session *session, int count, char **operands)
{
    return run_kind(session, COMMAND_CANCEL, count, operands);
}

static int run_redrive(struct session *session, int count, char **operands)
{
    return run_kind(session, COMMAND_REDRIVE, count, operands);
}

static const struct flag control_flags[] = {
    { "where", "COND", "all that match this condition, as behind WHERE of a query", &options.where },
    { "dry-run", NULL, "send nothing: count what would be hit, by Type, ParentKey and Error", &options.dry_run },
    { "rate", "N/S", "at most so many a second", &options.rate },
    { "reason", "TEXT", "kept with the operation", &options.reason },
    { "timeout", "S", "seconds to wait for the effect (15); of each 500 when there are many", &options.timeout },
};

const struct subcommand command_cancel = {
    .name = "cancel",
    .usage = "ID|NAME... | --where COND [--dry-run] [--rate N/s] [--reason TEXT]",
    .about = "operations shall not run (any more)",
    .help =
        "What does not run is Canceled at once; what runs is asked to stop, and the first outcome wins.\n"
        "Of what --where finds, that which has ended already is passed over. Stopped by Ctrl-C it says how to go on.\n"
        "Exit 1 when one of them could not be canceled, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(control_flags),
    .max_operands = -1,
    .run = run_cancel,
};
const struct subcommand command_redrive = {
    .name = "redrive",
    .usage = "ID|NAME... | --where COND [--dry-run] [--rate N/s] [--reason TEXT]",
    .about = "operations that ended in Error get their retries back",
    .help = "For example: bgopctl redrive --where \"Type = 'WebCart' AND Error LIKE '%timeout%'\" --rate 50/s\n"
            "Each operation is redriven once a run at most, however often it fails meanwhile; what was redriven\n"
            "redrive_limit times (an option of its Type) is refused. Of what --where finds, that which did not end in\n"
            "Error is passed over. Stopped by Ctrl-C it says how to go on.\n"
            "Exit 1 when one of them could not be redriven, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(control_flags),
    .max_operands = -1,
    .run = run_redrive,
};
