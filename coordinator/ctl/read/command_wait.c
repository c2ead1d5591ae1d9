/* wait: until operations have ended; the exit code says how. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/missing.h"
#include "coordinator/ctl/print.h"

enum { EXIT_ERROR_SEEN = 2, EXIT_CANCELED_SEEN = 3, EXIT_TIME_UP = 124, SLICE_MS = 500, LONG_SLICE_MS = 3600000 };

static struct {
    const char *timeout;
} options;

static const struct flag flags[] = {
    { "timeout", "S", "seconds to wait at most; default: for ever", &options.timeout },
};

static int wait_exit_code(const enum bgop_outcome *outcomes, size_t count)
{
    size_t seen[BGOP_GONE + 1] = { 0 };

    for (size_t i = 0; i < count; i++)
        seen[outcomes[i]]++;
    return seen[BGOP_PENDING]    ? EXIT_TIME_UP
           : seen[BGOP_ERROR]    ? EXIT_ERROR_SEEN
           : seen[BGOP_CANCELED] ? EXIT_CANCELED_SEEN
           : seen[BGOP_GONE]     ? EXIT_FAILED
                                 : EXIT_OK;
}

static size_t count_ended(const enum bgop_outcome *outcomes, size_t count)
{
    size_t ended = 0;

    for (size_t i = 0; i < count; i++)
        ended += outcomes[i] != BGOP_PENDING;
    return ended;
}

/* In slices, for the bar; a server that goes away after its first answer is waited for. */
static enum bgop_code wait_all(struct session *session, const char *const *ids, size_t count, int64_t timeout_ms,
                               enum bgop_outcome *outcomes)
{
    int64_t begun_ms = clock_boot_ms(), deadline = begun_ms + timeout_ms;
    struct progress progress;
    enum bgop_code code;
    bool heard = false;
    char text[96], length[32];

    progress_start(&progress);
    do {
        int64_t left = timeout_ms < 0 ? LONG_SLICE_MS : deadline - clock_boot_ms();
        int64_t slice_ms = progress.on ? SLICE_MS : LONG_SLICE_MS;

        code = bgop_wait(session->client, ids, count,
                         (int)(left < 0          ? 0
                               : left < slice_ms ? left
                                                 : slice_ms),
                         outcomes);
        heard = heard || code == BGOP_TIMED_OUT || code == BGOP_RECOVERING;
        snprintf(text, sizeof text, "%zu of %zu ended, %s", count_ended(outcomes, count), count,
                 format_length(length, clock_boot_ms() - begun_ms));
        progress_draw(&progress, (double)count_ended(outcomes, count) / (double)count, text);
    } while ((code == BGOP_TIMED_OUT || code == BGOP_RECOVERING || (code == BGOP_UNREACHABLE && heard)) &&
             (timeout_ms < 0 || clock_boot_ms() < deadline));
    progress_end(&progress);
    return code;
}

/* One that has no record, at the end of the waiting. */
static void print_one(struct session *session, const char *id, enum bgop_outcome outcome)
{
    struct missing missing;

    if (outcome == BGOP_GONE || (outcome == BGOP_PENDING && !session_is_recorded(session, id))) {
        missing_explain(session, id, &missing);
        printf("%s  %s\n", id, missing.text);
    } else {
        printf("%s  %s\n", id, outcome == BGOP_PENDING ? "not ended" : bgop_outcome_text(outcome));
    }
}

static void print_outcomes(struct session *session, char (*ids)[ID_SIZE], const enum bgop_outcome *outcomes,
                           size_t count)
{
    json_t *list = session->json ? json_array() : NULL;

    for (size_t i = 0; i < count; i++) {
        bool known = outcomes[i] != BGOP_PENDING && outcomes[i] != BGOP_GONE;

        if (list) {
            json_array_append_new(list, json_pack("{s:s, s:s?, s:b}", "Id", ids[i], "Status",
                                                  known ? bgop_outcome_text(outcomes[i]) : NULL, "ended",
                                                  outcomes[i] != BGOP_PENDING));
        } else {
            print_one(session, ids[i], outcomes[i]);
        }
    }
    if (list)
        print_json(stdout, list);
    json_decref(list);
}

static int wait_for_ids(struct session *session, char (*ids)[ID_SIZE], size_t count, int64_t timeout_ms)
{
    const char **texts = xcalloc(count, sizeof *texts);
    enum bgop_outcome *outcomes = xcalloc(count, sizeof *outcomes);
    enum bgop_code code;
    int exit_code;

    for (size_t i = 0; i < count; i++)
        texts[i] = ids[i];
    code = wait_all(session, texts, count, timeout_ms, outcomes);
    if (code == BGOP_OK || code == BGOP_TIMED_OUT) {
        print_outcomes(session, ids, outcomes, count);
        exit_code = wait_exit_code(outcomes, count);
        if (exit_code == EXIT_TIME_UP) {
            session_fail(exit_code, "time is up: %zu of %zu have not ended", count - count_ended(outcomes, count),
                         count);
        }
    } else {
        exit_code = session_fail_client(session, code);
    }
    free(texts);
    free(outcomes);
    return exit_code;
}

static int run(struct session *session, int count, char **operands)
{
    char(*ids)[ID_SIZE] = NULL;
    int64_t timeout_ms = -1;
    int code;

    if (options.timeout && !argument_seconds(options.timeout, &timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    if (timeout_ms > 86400000)
        timeout_ms = -1;
    code = session_resolve_all(session, operands, count, &ids);
    if (code == EXIT_OK)
        code = session_client_reads(session);
    if (code == EXIT_OK)
        code = wait_for_ids(session, ids, (size_t)count, timeout_ms);
    free(ids);
    return code;
}

const struct subcommand command_wait = {
    .name = "wait",
    .usage = "ID... [--timeout S]",
    .about = "until operations have ended; the exit code says how",
    .help =
        "Exit: 124 time is up; else 2 some ended in Error; else 3 some were Canceled; else 1 some have no record\n"
        "(refused, a duplicate, removed); else 0: all Complete, or Merged under a Complete leader. An operation that\n"
        "is not recorded yet is waited for.",
    .flags = COMMAND_FLAGS(flags),
    .min_operands = 1,
    .max_operands = -1,
    .run = run,
};
