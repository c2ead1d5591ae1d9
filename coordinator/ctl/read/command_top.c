/* top: a live screen with a cursor. Without a terminal: once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/process.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/top.h"

enum { INTERVAL_MS = 2000, SOON_MS = 250 };

static struct {
    const char *interval;
} options;

static const struct flag flags[] = {
    { "interval", "S", "seconds between two looks (2)", &options.interval },
};

/* The line of the text that shows the operation under the cursor; -1: none does. */
static int marked_line(const char *text, const char *id)
{
    int number = 0;

    for (const char *line = text; *id && line; number++) {
        if (strncmp(line, id, ID_LENGTH) == 0)
            return number;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return -1;
}

static void draw_last(const struct top *top, char *last, size_t size, int width)
{
    if (top->question.asked)
        snprintf(last, size, "\033[1m%.*s? y or n\033[0m", width > 10 ? width - 10 : 70, top->question.text);
    else if (top->shown)
        snprintf(last, size, "any key goes back");
    else
        snprintf(last, size, "%.*s", width > 1 ? width - 1 : 80, top->message[0] ? top->message : top_keys);
}

static void draw(struct top *top)
{
    int width = terminal_width(stdout);
    char *text = NULL, last[700];
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return;
    if (top->shown)
        fputs(top->shown, to);
    else
        moment_print(&top->moment, &top->before, to, width);
    fclose(to);
    draw_last(top, last, sizeof last, width);
    screen_draw(text, top->shown ? -1 : marked_line(text, top->selected), top->shown ? 0 : width, last);
    free(text);
}

/* What was there before stays on the screen when it cannot be read. */
static void look(struct top *top)
{
    struct moment moment = { .stats = NULL };

    if (moment_read(&moment, top->session) == EXIT_OK) {
        moment_release(&top->before);
        top->before = top->moment;
        top->moment = moment;
    } else {
        moment_release(&moment);
    }
    top_look(top);
    top_select(top);
}

static void live(struct top *top, int64_t interval_ms)
{
    int64_t look_at_ms = clock_boot_ms() + interval_ms;

    for (;;) {
        int64_t left = look_at_ms - clock_boot_ms();
        bool at_once = false;
        int key;

        draw(top);
        if (process_output_gone())
            return;
        key = screen_wait(left > 0 ? left : 0);
        if (key == KEY_GONE || (key != KEY_NOTHING && !top_key(top, key, &at_once)))
            return;
        if (at_once || clock_boot_ms() >= look_at_ms) {
            look(top);
            look_at_ms = clock_boot_ms() + interval_ms;
        }
        if (top->action[0] && look_at_ms > clock_boot_ms() + SOON_MS)
            look_at_ms = clock_boot_ms() + SOON_MS; /* somebody waits for it */
    }
}

static int run_live(struct session *session, int64_t interval_ms)
{
    struct top top = { .session = session };
    int code = moment_read(&top.moment, session); /* who is not there at the start is not waited for */

    if (code == EXIT_OK) {
        top_select(&top);
        screen_begin();
        live(&top, interval_ms);
        screen_end();
    }
    moment_release(&top.before);
    moment_release(&top.moment);
    free(top.shown);
    return code;
}

static int run_once(struct session *session)
{
    struct moment before = { .stats = NULL }, moment = { .stats = NULL };
    int code = moment_read(&moment, session);

    if (code == EXIT_OK && session->json)
        moment_print_json(&moment);
    else if (code == EXIT_OK)
        moment_print(&moment, &before, stdout, terminal_width(stdout));
    moment_release(&moment);
    return code;
}

static int run(struct session *session, int count, char **operands)
{
    int64_t interval_ms = INTERVAL_MS;
    int code;

    (void)count, (void)operands;
    if (options.interval &&
        (!argument_seconds(options.interval, &interval_ms) || interval_ms < 100 || interval_ms > 3600000))
        return session_fail(EXIT_USAGE_ERROR, "--interval %s: seconds from 0.1 to 3600 are expected", options.interval);
    code = session_redis(session);
    if (code == EXIT_OK)
        code = session_shards(session);
    if (code != EXIT_OK)
        return code;
    if (!session->json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
        return run_live(session, interval_ms);
    return run_once(session);
}

const struct subcommand command_top = {
    .name = "top",
    .usage = "[--interval S]",
    .about = "a live screen: counts, rates, workers, what runs longest, what failed last",
    .help =
        "The cursor (arrows, j and k) is on an operation. w or Enter says what it waits for; c cancels it, r redrives\n"
        "it, p pauses its Type and P its ParentKey: each asks before it changes anything. q quits, any other key looks\n"
        "again at once. Without a terminal, or with --json: once.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
