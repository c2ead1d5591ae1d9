/* The table of bgopctl's commands: parser, help and tests are made from it. A command's options are static variables
 * of its file, set by config_command_line; run answers the exit code. */
#ifndef BGOP_CTL_COMMANDS_H
#define BGOP_CTL_COMMANDS_H

#include "coordinator/ctl/session.h"

/* What a command's first operand can be, for completion. */
enum operand_words { OPERAND_ANY, OPERAND_COMMAND, OPERAND_LOOKUP_FIELD, OPERAND_SHELL };

struct subcommand {
    const char *name;
    const char *usage; /* behind the name */
    const char *about; /* one line for the list */
    const char *help;  /* what else there is to know; may be NULL */
    const struct flag *flags;
    size_t flag_count;
    int min_operands, max_operands; /* max -1: any number */
    enum operand_words first_operand;
    int (*run)(struct session *session, int count, char **operands);
};
#define COMMAND_FLAGS(array) (array), sizeof(array) / sizeof *(array)

extern const struct subcommand command_submit, command_get, command_list, command_wait, command_stats, command_cancel,
    command_redrive, command_workers, command_describe, command_why, command_blocked, command_pause, command_resume,
    command_lookup, command_find, command_query, command_updated, command_deleted, command_doctor, command_recover,
    command_shards, command_paused, command_actions, command_watch, command_top, command_completion, command_help;

extern const struct subcommand *const commands[];
extern const size_t command_count;

const struct subcommand *command_find_name(const char *name); /* NULL: no such command */
const char *command_nearest(const char *name);                /* NULL: none is near */
/* The first word of argv[1..] that is a command's name or could have been meant as one: neither an option nor the
 * argument of one. 0: there is none. */
int command_position(int argc, char **argv);
/* Reads options and operands of argv (without the command's name) and runs the command. */
int command_execute(const struct subcommand *command, struct session *session, int argc, char **argv);
/* The flags that every command takes: those of all programs, then bgopctl's own. The caller frees them. */
struct flag *command_common_flags(size_t *count);
/* Does an option of this name take a value? It does so in every command that has it. */
bool command_flag_takes_argument(const char *name);
/* The list of commands, for `bgopctl help`. */
void command_list_print(FILE *to);

/* ---- arguments that several commands take ---- */
/* ISO 8601, epoch milliseconds, "now", or a distance from now: +90s, now+10m, now-2h, now-1d. NULL, or what is wrong, as
 * clock_read says it. */
const char *argument_time(const char *text, int64_t now_ms, int64_t *epoch_ms);
/* Is this a status? EXIT_OK, also for NULL; else said, with the nearest. */
int argument_check_status(const char *status);
/* Is this a Type of the queue? Likewise. */
int argument_check_type(struct session *session, const char *type);
/* "1.5" -> 1500. */
bool argument_seconds(const char *text, int64_t *ms);

#endif
