#include "coordinator/ctl/commands.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/tables.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/queue_types.h"

const struct subcommand *const commands[] = {
    &command_submit,  &command_get,        &command_list,    &command_wait,    &command_stats,  &command_why,
    &command_blocked, &command_cancel,     &command_redrive, &command_pause,   &command_resume, &command_paused,
    &command_actions, &command_workers,    &command_lookup,  &command_find,    &command_query,  &command_updated,
    &command_deleted, &command_describe,   &command_doctor,  &command_recover, &command_shards, &command_watch,
    &command_top,     &command_completion, &command_help,
};
const size_t command_count = sizeof commands / sizeof *commands;

const struct subcommand *command_find_name(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[sizeof commands / sizeof *commands];

    for (size_t i = 0; i < command_count; i++)
        names[i] = commands[i]->name;
    return text_nearest(name, names, command_count);
}

static const char *json_value, *utc_value;

/* bgopctl's own, of every command. */
static const struct flag own_flags[] = {
    { "json", NULL, "answer in JSON: one array for lists, one object for one thing, an object per line for streams",
      &json_value },
    { "utc", NULL, "show times in UTC, not in your zone (TZ)", &utc_value },
};
enum { OWN_FLAGS = sizeof own_flags / sizeof *own_flags };

struct flag *command_common_flags(size_t *count)
{
    struct flag *flags = xcalloc(CONFIG_COMMON_FLAGS + OWN_FLAGS, sizeof *flags);

    config_common_flags(flags);
    memcpy(flags + CONFIG_COMMON_FLAGS, own_flags, sizeof own_flags);
    *count = CONFIG_COMMON_FLAGS + OWN_FLAGS;
    return flags;
}

bool command_flag_takes_argument(const char *name)
{
    struct flag common[CONFIG_COMMON_FLAGS];

    config_common_flags(common);
    for (size_t i = 0; i < CONFIG_COMMON_FLAGS; i++) {
        if (strcmp(common[i].name, name) == 0)
            return common[i].argument;
    }
    for (size_t i = 0; i < command_count; i++) {
        for (size_t f = 0; f < commands[i]->flag_count; f++) {
            if (strcmp(commands[i]->flags[f].name, name) == 0)
                return commands[i]->flags[f].argument;
        }
    }
    return false;
}

int command_position(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            return i;
        if (!argv[i][2])
            return i + 1 < argc ? i + 1 : 0;
        if (!strchr(argv[i], '=') && command_flag_takes_argument(argv[i] + 2))
            i++;
    }
    return 0;
}

/* The command's own flags behind those of all commands. */
static int read_command_line(const struct subcommand *command, struct session *session, int *argc, char **argv)
{
    char program[64], usage[512];
    struct flag *flags = xcalloc(OWN_FLAGS + command->flag_count, sizeof *flags);
    int code;

    memcpy(flags, own_flags, sizeof own_flags);
    if (command->flag_count)
        memcpy(flags + OWN_FLAGS, command->flags, command->flag_count * sizeof *flags);
    snprintf(program, sizeof program, "bgopctl %s", command->name);
    snprintf(usage, sizeof usage, "%s", command->usage);
    json_value = utc_value = NULL;
    code = config_command_line(&session->config,
                               &(struct command_line){ .program = program,
                                                       .usage = usage,
                                                       .about = command->about,
                                                       .flags = flags,
                                                       .flag_count = OWN_FLAGS + command->flag_count,
                                                       .tail = command->help },
                               argc, argv);
    session->json = json_value;
    print_times_in_utc(utc_value);
    free(flags);
    return code;
}

int command_execute(const struct subcommand *command, struct session *session, int argc, char **argv)
{
    int count = argc, code = read_command_line(command, session, &count, argv);

    if (code >= 0)
        return code;
    if (count < command->min_operands) {
        return session_fail(EXIT_USAGE_ERROR, "%s: something is missing; usage: bgopctl %s %s", command->name,
                            command->name, command->usage);
    }
    if (command->max_operands >= 0 && count > command->max_operands) {
        return session_fail(EXIT_USAGE_ERROR, "%s: one word too many: %s; usage: bgopctl %s %s", command->name,
                            argv[command->max_operands], command->name, command->usage);
    }
    return command->run(session, count, argv);
}

void command_list_print(FILE *to)
{
    fprintf(
        to,
        "Usage: bgopctl COMMAND [options]\n\nSubmits, reads and steers the operations of a bgop queue.\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-10s  %s\n", commands[i]->name, commands[i]->about);
    fprintf(to, "\n`bgopctl help COMMAND` tells more. Options may stand anywhere.\n"
                "Servers: --kafka LIST, --redis URL or BGOP_KAFKA, BGOP_REDIS; --config FILE as for the daemons.\n"
                "Exit: 0 fine, 1 failure, 64 wrong usage, 69 a server unreachable, 78 wrong configuration.\n");
}

/* Help of one command on stdout. */
static int command_help_print(const struct subcommand *command)
{
    char program[] = "bgopctl", help[] = "--help", *argv[] = { program, help, NULL };
    struct session session;
    int argc = 2, code;

    session_init(&session);
    code = read_command_line(command, &session, &argc, argv);
    session_release(&session);
    return code < 0 ? EXIT_OK : code;
}

static int run_help(struct session *session, int count, char **operands)
{
    const struct subcommand *command;
    const char *nearest;

    (void)session;
    if (!count) {
        command_list_print(stdout);
        return EXIT_OK;
    }
    command = command_find_name(operands[0]);
    if (command)
        return command_help_print(command);
    nearest = command_nearest(operands[0]);
    return session_fail(EXIT_USAGE_ERROR, "there is no command %s%s%s%s", operands[0], nearest ? "; did you mean " : "",
                        nearest ? nearest : "", nearest ? "?" : "; `bgopctl help` lists them");
}

const struct subcommand command_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .about = "the commands, or one command's options",
    .max_operands = 1,
    .first_operand = OPERAND_COMMAND,
    .run = run_help,
};

/* ---- arguments ---- */
static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].name, unit) == 0)
            return units[i].ms;
    }
    return 0;
}

const char *argument_time(const char *text, int64_t now_ms, int64_t *epoch_ms)
{
    const char *distance = strncmp(text, "now", 3) == 0 ? text + 3 : text, *wrong;
    int64_t value = now_ms;
    long long number;
    char *end;

    if (*distance != '+' && *distance != '-')
        return strcmp(text, "now") == 0 ? (*epoch_ms = now_ms, NULL) : clock_read_recent(text, epoch_ms);
    number = strtoll(distance, &end, 10);
    if (end == distance || !unit_ms(end))
        return clock_read_recent(text, epoch_ms);
    if (number > 1000000000 || number < -1000000000)
        return "is too far away";
    value += number * unit_ms(end);
    wrong = clock_check_recent(value);
    if (!wrong)
        *epoch_ms = value;
    return wrong;
}

static int unknown_word(const char *option, const char *word, const char *what, const char *nearest, const char *help)
{
    return session_fail(EXIT_USAGE_ERROR, "--%s %s: there is no such %s%s%s%s", option, word, what,
                        nearest ? "; did you mean " : "; ", nearest ? nearest : help, nearest ? "?" : "");
}

int argument_check_status(const char *status)
{
    const char *names[OP_STATUS_COUNT];

    if (!status || record_status_find(status) >= 0)
        return EXIT_OK;
    for (int i = 0; i < OP_STATUS_COUNT; i++)
        names[i] = record_statuses[i].name;
    return unknown_word("status", status, "status", text_nearest(status, names, OP_STATUS_COUNT),
                        "`bgopctl help list` names them");
}

int argument_check_type(struct session *session, const char *type)
{
    struct queue_types types = { 0 };
    bool known = !type;
    int code = type ? queue_types_read(&types, session) : EXIT_OK;

    for (size_t i = 0; i < types.count && !known; i++)
        known = strcmp(types.names[i], type) == 0;
    if (code == EXIT_OK && !known) {
        code = unknown_word("type", type, "Type", text_nearest(type, (const char *const *)types.names, types.count),
                            "`bgopctl describe` lists them");
    }
    queue_types_release(&types);
    return code;
}

bool argument_seconds(const char *text, int64_t *ms)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0) || seconds > 1e9)
        return false;
    *ms = (int64_t)(seconds * 1000 + 0.5);
    return true;
}
