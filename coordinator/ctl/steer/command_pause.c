/* pause, resume: nothing of a Type or of a ParentKey is claimed. An action as others are, so that it is known who asked for
 * it; answers when a coordinator has seen the effect in every shard that it concerns. */
#include <stdio.h>
#include <string.h>

#include "common/action/paused.h"
#include "common/base/text.h"
#include "coordinator/ctl/acting.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/print.h"

static struct {
    const char *type, *parent, *reason, *timeout;
} options;

static int check_options(int64_t *timeout_ms)
{
    const char *texts[] = { options.type, options.parent, options.reason };

    if (!options.type == !options.parent)
        return session_fail(EXIT_USAGE_ERROR, "give either --type or --parent");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t length = texts[i] ? (int64_t)text_utf8_length(texts[i], strlen(texts[i])) : 1;

        if (length < (i < 2 ? 1 : 0) || length > RECORD_STRING_MAX_CHARACTERS) {
            return session_fail(EXIT_USAGE_ERROR, "1 to %d characters of UTF-8 are expected",
                                RECORD_STRING_MAX_CHARACTERS);
        }
    }
    if (options.timeout && !argument_seconds(options.timeout, timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    return EXIT_OK;
}

/* A Type that is configured no more may still be paused: then it may be resumed. */
static int check_type(struct session *session, enum action_kind kind)
{
    struct err err = ERR_INIT;
    int missing = 0, code = session_shards(session);

    if (code != EXIT_OK || !options.type)
        return code;
    if (kind == ACTION_RESUME &&
        paused_missing(session->redis, session->shards, options.type, "", false, &missing, &err) != ST_OK)
        return session_fail_status(&err);
    return missing > 0 ? EXIT_OK : argument_check_type(session, options.type);
}

static int print_effect(const struct session *session, const json_t *action)
{
    const char *word = acting_done_word(action);

    if (strcmp(acting_text(action, "state"), "Complete") != 0 || acting_number(action, "failed") > 0) {
        return session_fail(EXIT_FAILED, "%s: %s %s", acting_text(action, "id"), acting_text(action, "state"),
                            acting_text(action, "error"));
    }
    if (session->json) {
        printf("{\"%s\":true}\n", word);
    } else {
        printf("%s %s is %s%s\n", options.type ? "Type" : "ParentKey",
               shown(options.type ? options.type : options.parent), word,
               strcmp(word, "paused") == 0 ? "; what runs goes on" : "");
    }
    return EXIT_OK;
}

static int run_pause_or_resume(struct session *session, enum action_kind kind)
{
    struct action_request request = {
        .kind = kind, .type = options.type, .parent_key = options.parent, .reason = options.reason
    };
    int64_t timeout_ms = ACTING_TIMEOUT_MS;
    char name[ACTION_ID_SIZE];
    json_t *action = NULL;
    int code = check_options(&timeout_ms);

    if (code == EXIT_OK)
        code = session_redis(session);
    if (code == EXIT_OK)
        code = check_type(session, kind);
    if (code == EXIT_OK)
        code = acting_create(session, &request, name);
    if (code != EXIT_OK)
        return code;
    interrupt_catch();
    code = acting_follow(session, name, timeout_ms, true, &action);
    if (code == EXIT_OK)
        code = print_effect(session, action);
    json_decref(action);
    return code;
}

static int run_pause(struct session *session, int count, char **operands)
{
    (void)count, (void)operands;
    return run_pause_or_resume(session, ACTION_PAUSE);
}

static int run_resume(struct session *session, int count, char **operands)
{
    (void)count, (void)operands;
    return run_pause_or_resume(session, ACTION_RESUME);
}

static const struct flag pause_flags[] = {
    { "type", "TYPE", "all operations of this Type", &options.type },
    { "parent", "KEY", "all operations with this ParentKey", &options.parent },
    { "reason", "TEXT", "kept with the pause", &options.reason },
    { "timeout", "S", "seconds to wait for the effect (15)", &options.timeout },
};

const struct subcommand command_pause = {
    .name = "pause",
    .usage = "--type T | --parent K",
    .about = "nothing of a Type or a ParentKey starts any more",
    .help =
        "What runs goes on; what would start is Waiting until it is resumed. `bgopctl paused` lists what is paused.",
    .flags = COMMAND_FLAGS(pause_flags),
    .run = run_pause,
};
const struct subcommand command_resume = {
    .name = "resume",
    .usage = "--type T | --parent K",
    .about = "what was paused goes on",
    .flags = COMMAND_FLAGS(pause_flags),
    .run = run_resume,
};
