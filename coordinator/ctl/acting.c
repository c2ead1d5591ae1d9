#include "coordinator/ctl/acting.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/print.h"

enum { LOOK_MS = 100, LINE_MS = 2000 };

/* ---- members ---- */

long long acting_number(const json_t *action, const char *name)
{
    return (long long)json_integer_value(json_object_get(action, name));
}

const char *acting_text(const json_t *action, const char *name)
{
    const char *text = json_string_value(json_object_get(action, name));

    return text ? text : "";
}

const char *acting_done_word(const json_t *action)
{
    int kind = action_kind_find(acting_text(action, "action"));

    return kind < 0 ? "done" : action_done_word((enum action_kind)kind);
}

static bool has_ended(const json_t *action)
{
    return strcmp(acting_text(action, "state"), "Running") != 0;
}

static long long settled(const json_t *action)
{
    return acting_number(action, "done") + acting_number(action, "skipped") + acting_number(action, "failed");
}

/* ---- asking for one ---- */

const char *acting_who(void)
{
    static char who[ACTION_BOUND_WHO + 1];
    const struct passwd *user = getpwuid(geteuid());
    char host[64] = "";

    gethostname(host, sizeof host - 1);
    if (user)
        snprintf(who, sizeof who, "%.40s@%.38s", user->pw_name, host);
    else
        snprintf(who, sizeof who, "%u@%.38s", (unsigned)geteuid(), host);
    return who;
}

int acting_create(struct session *session, struct action_request *request, char *name)
{
    struct err err = ERR_INIT;
    int code = session_queue_check(session);

    if (code != EXIT_OK)
        return code;
    request->who = acting_who();
    action_name_make(name);
    return action_create(session->redis, name, request, &err) == ST_OK ? EXIT_OK : session_fail_status(&err);
}

int acting_read(struct session *session, const char *name, json_t **action)
{
    json_t *answer = NULL;
    int code;

    *action = NULL;
    code = session_call(session, &answer, "bgop_actions", &name, 1);
    if (code == EXIT_OK) {
        *action = json_incref(json_array_get(json_object_get(answer, "actions"), 0));
        if (!*action)
            code = session_fail(EXIT_FAILED, "there is no action %s (those that ended long ago are gone)", name);
    }
    json_decref(answer);
    return code;
}

/* ---- watching ---- */

struct watching {
    struct session *session;
    const char *name;
    bool quiet;
    struct progress progress;
    long long told;           /* so many were settled when a line was written */
    int64_t told_ms, seen_ms; /* ... then; a coordinator had it then */
};

static void tell_progress(struct watching *watching, const json_t *action)
{
    char text[128], done[32], all[32];
    long long at = settled(action), matching = acting_number(action, "matching");
    bool known = json_is_integer(json_object_get(action, "matching"));

    if (known) {
        snprintf(text, sizeof text, "%s of %s", format_count(done, at), format_count(all, matching));
    } else {
        snprintf(text, sizeof text, "looking for operations, %s so far",
                 format_count(done, acting_number(action, "found")));
    }
    if (watching->progress.on) {
        progress_draw(&watching->progress, known && matching ? (double)at / (double)matching : -1, text);
    } else if (!watching->quiet && clock_boot_ms() - watching->told_ms >= LINE_MS && at != watching->told) {
        fprintf(stderr, "%s: %s\n", watching->name, text);
        watching->told = at;
        watching->told_ms = clock_boot_ms();
    }
}

static int say_it_goes_on(const struct watching *watching, const json_t *action)
{
    char done[32], all[32];

    return session_fail(
        EXIT_FAILED,
        "stopped watching: %s goes on in the coordinator (%s of %s so far); `bgopctl actions %s` shows it, "
        "`bgopctl actions %s --abort` stops it",
        watching->name, format_count(done, settled(action)),
        json_is_integer(json_object_get(action, "matching")) ? format_count(all, acting_number(action, "matching"))
                                                             : "?",
        watching->name, watching->name);
}

static int say_nobody_has_it(const struct watching *watching, int64_t timeout_ms)
{
    return session_fail(EXIT_FAILED,
                        "no coordinator has run %s for %.1f s: does one run? It is kept, and goes on when one does; "
                        "`bgopctl actions %s --abort` takes it back",
                        watching->name, (double)timeout_ms / 1000, watching->name);
}

int acting_follow(struct session *session, const char *name, int64_t timeout_ms, bool quiet, json_t **action)
{
    struct watching watching = { .session = session, .name = name, .quiet = quiet };
    int code;

    watching.told_ms = watching.seen_ms = clock_boot_ms();
    *action = NULL;
    progress_start(&watching.progress);
    for (;;) {
        json_decref(*action);
        code = acting_read(session, name, action);
        if (code != EXIT_OK || has_ended(*action) || interrupted())
            break;
        if (json_is_string(json_object_get(*action, "coordinator")))
            watching.seen_ms = clock_boot_ms();
        if (clock_boot_ms() - watching.seen_ms >= timeout_ms) {
            code = EXIT_FAILED;
            break;
        }
        tell_progress(&watching, *action);
        nanosleep(&(struct timespec){ 0, LOOK_MS * 1000000L }, NULL);
    }
    progress_end(&watching.progress);
    if (*action && !has_ended(*action))
        code = code == EXIT_OK ? say_it_goes_on(&watching, *action) : say_nobody_has_it(&watching, timeout_ms);
    return code;
}

/* ---- what became of it ---- */

static void print_failures(const json_t *action)
{
    const json_t *failures = json_object_get(action, "failures"), *failure;
    long long left = acting_number(action, "failed") - (long long)json_array_size(failures);
    char count[32];
    size_t i;

    json_array_foreach(failures, i, failure)
    {
        session_fail(EXIT_FAILED, "%s %s", acting_text(failure, "Id"), acting_text(failure, "text"));
    }
    if (left > 0)
        session_fail(EXIT_FAILED, "... and %s more", format_count(count, left));
}

int acting_print_end(struct session *session, const json_t *action)
{
    const char *state = acting_text(action, "state");
    long long failed = acting_number(action, "failed"), skipped = acting_number(action, "skipped");
    char text[32];

    if (session->json) {
        print_json_pretty(stdout, action);
    } else {
        print_failures(action);
        printf("%s %s", format_count(text, acting_number(action, "done")), acting_done_word(action));
        if (failed)
            printf(", %s not", format_count(text, failed));
        if (skipped)
            printf(", %s more match, but there is nothing to do for them", format_count(text, skipped));
        printf("  (%s)\n", shown(acting_text(action, "id")));
    }
    if (strcmp(state, "Complete") != 0) {
        return session_fail(EXIT_FAILED, "%s %s: %s", acting_text(action, "id"),
                            strcmp(state, "Error") == 0 ? "ended in Error" : "was aborted",
                            acting_text(action, "error"));
    }
    return failed ? EXIT_FAILED : EXIT_OK;
}
