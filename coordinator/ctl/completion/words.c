#include <string.h>

#include "common/record/tables.h"
#include "coordinator/ctl/completion/completion.h"

const char completion_shells[] = "bash zsh";

enum completion_value completion_value_of(const struct flag *flag)
{
    static const struct {
        const char *argument;
        enum completion_value value;
    } values[] = {
        { "FILE", VALUE_FILE },
        { "DIR", VALUE_FOLDER },
        { "TYPE", VALUE_TYPE },
        { "STATUS", VALUE_STATUS },
    };

    for (size_t i = 0; flag->argument && i < sizeof values / sizeof *values; i++) {
        if (strcmp(values[i].argument, flag->argument) == 0)
            return values[i].value;
    }
    return VALUE_OTHER;
}

static void print_word(FILE *to, const char *word, int *count)
{
    fprintf(to, "%s%s", (*count)++ ? " " : "", word);
}

void completion_print_values(FILE *to, enum completion_value value)
{
    int count = 0;

    for (int i = 0; value == VALUE_TYPE && i < record_type_count; i++) {
        if (!record_types[i].reserved)
            print_word(to, record_types[i].name, &count);
    }
    for (int i = 0; value == VALUE_STATUS && i < OP_STATUS_COUNT; i++)
        print_word(to, record_statuses[i].name, &count);
}

void completion_print_operands(FILE *to, enum operand_words words)
{
    int count = 0;

    for (size_t i = 0; words == OPERAND_COMMAND && i < command_count; i++)
        print_word(to, commands[i]->name, &count);
    for (int i = 0; words == OPERAND_LOOKUP_FIELD && i < FIELD_COUNT; i++) {
        if (record_fields[i].properties & FIELD_L)
            print_word(to, record_fields[i].name, &count);
    }
    if (words == OPERAND_SHELL)
        fputs(completion_shells, to);
}
