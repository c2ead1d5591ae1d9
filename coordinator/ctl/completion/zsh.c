/* The script works both as a file in fpath (compinit reads its first line) and sourced. */
#include <stdlib.h>

#include "coordinator/ctl/completion/completion.h"

/* Inside single quotes, and in a place where _arguments gives these characters a meaning. */
static void print_escaped(FILE *to, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", to);
            continue;
        }
        for (const char *at = special; *at; at++) {
            if (*at == *text)
                fputc('\\', to);
        }
        fputc(*text, to);
    }
}

/* '--type[what it means]:TYPE:(WebCart ...)' */
static void print_flag(FILE *to, const struct flag *flag)
{
    enum completion_value value = completion_value_of(flag);

    fprintf(to, "        '--%s%s[", flag->name, flag->argument ? "=" : "");
    print_escaped(to, flag->help, "[]\\");
    fputc(']', to);
    if (flag->argument) {
        fprintf(to, ":%s:", flag->argument);
        if (value == VALUE_FILE || value == VALUE_FOLDER)
            fputs(value == VALUE_FOLDER ? "_files -/" : "_files", to);
        if (value == VALUE_TYPE || value == VALUE_STATUS) {
            fputc('(', to);
            completion_print_values(to, value);
            fputc(')', to);
        }
    }
    fputs("'\n", to);
}

static void print_command(FILE *to, const struct subcommand *command)
{
    fprintf(to, "    %s)\n        options+=(\n", command->name);
    for (size_t f = 0; f < command->flag_count; f++)
        print_flag(to, &command->flags[f]);
    if (command->first_operand != OPERAND_ANY) {
        fputs("        '1: :(", to);
        completion_print_operands(to, command->first_operand);
        fputs(")'\n", to);
    } else if (command->max_operands != 0) {
        fputs("        '*: : '\n", to);
    }
    fputs("        )\n        ;;\n", to);
}

static void print_commands(FILE *to)
{
    fputs("    local -a commands=(\n", to);
    for (size_t c = 0; c < command_count; c++) {
        fprintf(to, "        '%s:", commands[c]->name);
        print_escaped(to, commands[c]->about, "\\:");
        fputs("'\n", to);
    }
    fputs("    )\n", to);
}

void completion_print_zsh(FILE *to)
{
    size_t common_count;
    struct flag *common = command_common_flags(&common_count);

    fputs("#compdef bgopctl\n# zsh completion of bgopctl, printed by `bgopctl completion zsh`.\n_bgopctl() {\n"
          "    local curcontext=$curcontext state line\n    typeset -A opt_args\n",
          to);
    print_commands(to);
    fputs("    local -a options=(\n", to);
    for (size_t i = 0; i < common_count; i++)
        print_flag(to, &common[i]);
    fputs("    )\n    _arguments -C $options '1: :->command' '*:: :->words' && return\n"
          "    if [[ $state == command ]]; then\n        _describe command commands\n        return\n    fi\n"
          "    case $words[1] in\n",
          to);
    for (size_t c = 0; c < command_count; c++)
        print_command(to, commands[c]);
    fputs("    esac\n    _arguments $options\n}\n\n"
          "if [[ $funcstack[1] == _bgopctl ]]; then\n    _bgopctl \"$@\"\nelse\n    compdef _bgopctl bgopctl\nfi\n",
          to);
    free(common);
}
