/* Completion of bgopctl's words in a shell, printed as a script: from the tables of commands, options, statuses and Types,
 * so nothing is listed twice. No server is asked while a person types. */
#ifndef BGOP_CTL_COMPLETION_COMPLETION_H
#define BGOP_CTL_COMPLETION_COMPLETION_H

#include <stdio.h>

#include "coordinator/ctl/commands.h"

void completion_print_bash(FILE *to);
void completion_print_zsh(FILE *to);

/* ---- words.c: what both shells ask ---- */
enum completion_value { VALUE_OTHER, VALUE_FILE, VALUE_FOLDER, VALUE_TYPE, VALUE_STATUS };
enum completion_value completion_value_of(const struct flag *flag);
/* Its words, with blanks between; nothing for what a table does not list. */
void completion_print_values(FILE *to, enum completion_value value);
void completion_print_operands(FILE *to, enum operand_words words);
/* The shells that a script can be had for, with blanks between. */
extern const char completion_shells[];

#endif
