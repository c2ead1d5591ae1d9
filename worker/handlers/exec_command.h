/* `command = ...` of an exec Type, as an argument vector. No shell is involved: nothing is expanded.
 * Blanks separate arguments. 'single quotes' keep everything, "double quotes" everything but \" and \\ (which stand for
 * " and \), outside quotes a backslash keeps the next character. Quoted and plain parts that touch are one argument. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_COMMAND_H
#define BGOP_WORKER_HANDLERS_EXEC_COMMAND_H

#include "common/base/err.h"

/* argv is closed by NULL and has at least one element; free with exec_command_free. ST_INVALID: err says what is
 * wrong. */
enum status exec_command_split(const char *command, char ***argv, struct err *err) MUST_CHECK;
void exec_command_free(char **argv);

#endif
