/* bash splits what was typed at "=" as well: "--type=Web" arrives as three words. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/completion/completion.h"

static void print_flag_words(FILE *to, const struct flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s--%s", i ? " " : "", flags[i].name);
}

/* Does a command before this one, or one of its own flags before this one, have the same name? */
static bool was_named(size_t command, size_t flag)
{
    for (size_t c = 0; c <= command; c++) {
        for (size_t f = 0; f < (c == command ? flag : commands[c]->flag_count); f++) {
            if (strcmp(commands[c]->flags[f].name, commands[command]->flags[flag].name) == 0)
                return true;
        }
    }
    return false;
}

/* Options that take a value, of all commands, as one pattern. */
static void print_valued_pattern(FILE *to, const struct flag *common, size_t common_count)
{
    const char *separator = "";

    for (size_t i = 0; i < common_count; i++) {
        if (common[i].argument) {
            fprintf(to, "%s--%s", separator, common[i].name);
            separator = " | ";
        }
    }
    for (size_t c = 0; c < command_count; c++) {
        for (size_t f = 0; f < commands[c]->flag_count; f++) {
            if (commands[c]->flags[f].argument && !was_named(c, f))
                fprintf(to, "%s--%s", separator, commands[c]->flags[f].name);
        }
    }
}

/* A branch for each option whose values are known; the name of the command decides too, since --file of one may be
 * something else in another. */
static void print_values_of(FILE *to, const char *command, const struct flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum completion_value value = completion_value_of(&flags[i]);

        if (value == VALUE_OTHER)
            continue;
        fprintf(to, "    %s:--%s) ", command, flags[i].name);
        if (value == VALUE_FILE || value == VALUE_FOLDER) {
            fprintf(to, "_bgopctl_files %s \"$word\" ;;\n", value == VALUE_FOLDER ? "-d" : "-f");
        } else {
            fputs("_bgopctl_words \"", to);
            completion_print_values(to, value);
            fputs("\" \"$word\" ;;\n", to);
        }
    }
}

static const char files_and_words[] = "# bash completion of bgopctl, printed by `bgopctl completion bash`.\n"
                                      "_bgopctl_words() {\n"
                                      "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$2\")\n"
                                      "}\n\n"
                                      "_bgopctl_files() {\n"
                                      "    compopt -o filenames 2>/dev/null || :\n"
                                      "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$2\")\n"
                                      "}\n\n"
                                      "_bgopctl_takes_value() {\n"
                                      "    case $1 in\n"
                                      "    ";
static const char command_and_value[] =
    ") return 0 ;;\n"
    "    esac\n"
    "    return 1\n"
    "}\n\n"
    "# The command among the words before the cursor: the first that is neither an option nor the value of one.\n"
    "_bgopctl_command() {\n"
    "    local at\n"
    "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "        if _bgopctl_takes_value \"${COMP_WORDS[at]}\"; then\n"
    "            at=$((at + 1))\n"
    "            if [[ ${COMP_WORDS[at]} == = ]]; then at=$((at + 1)); fi\n"
    "        elif [[ ${COMP_WORDS[at]} != -* ]]; then\n"
    "            printf '%s' \"${COMP_WORDS[at]}\"\n"
    "            return\n"
    "        fi\n"
    "    done\n"
    "}\n\n"
    "_bgopctl() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command\n"
    "    if [[ $word == = ]]; then\n"
    "        word=''\n"
    "    elif [[ $before == = ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    command=$(_bgopctl_command)\n"
    "    COMPREPLY=()\n"
    "    case $command:$before in\n";
static const char options_begin[] =
    "    *)\n"
    "        if ! _bgopctl_takes_value \"$before\"; then _bgopctl_options \"$command\" \"$word\"; fi\n"
    "        ;;\n"
    "    esac\n"
    "}\n\n"
    "_bgopctl_options() {\n"
    "    local word=$2\n"
    "    case $1:$word in\n";

static void print_options(FILE *to, const struct flag *common, size_t common_count)
{
    for (size_t c = 0; c < command_count; c++) {
        fprintf(to, "    %s:-*) _bgopctl_words \"", commands[c]->name);
        print_flag_words(to, commands[c]->flags, commands[c]->flag_count);
        fputs(commands[c]->flag_count ? " " : "", to);
        print_flag_words(to, common, common_count);
        fputs("\" \"$word\" ;;\n", to);
        if (commands[c]->first_operand != OPERAND_ANY) {
            fprintf(to, "    %s:*) _bgopctl_words \"", commands[c]->name);
            completion_print_operands(to, commands[c]->first_operand);
            fputs("\" \"$word\" ;;\n", to);
        }
    }
    fputs("    :-*) _bgopctl_words \"", to);
    print_flag_words(to, common, common_count);
    fputs("\" \"$word\" ;;\n    :*) _bgopctl_words \"", to);
    completion_print_operands(to, OPERAND_COMMAND);
    fputs("\" \"$word\" ;;\n", to);
}

void completion_print_bash(FILE *to)
{
    size_t common_count;
    struct flag *common = command_common_flags(&common_count);

    fputs(files_and_words, to);
    print_valued_pattern(to, common, common_count);
    fputs(command_and_value, to);
    print_values_of(to, "*", common, common_count);
    for (size_t c = 0; c < command_count; c++)
        print_values_of(to, commands[c]->name, commands[c]->flags, commands[c]->flag_count);
    fputs(options_begin, to);
    print_options(to, common, common_count);
    fputs("    esac\n}\n\ncomplete -F _bgopctl bgopctl\n", to);
    free(common);
}
