/* --print-config: a file that could be used. */
#include <string.h>

#include "common/config/options.h"

static void print_value(const struct option *option, const void *base, FILE *to)
{
    char room[24];
    const char *value = option_get(option, base, room, sizeof room);

    fprintf(to, value[0] ? "%s = %s\n" : "%s =%s\n", option->name, value);
}

/* [types] names what was said there; the rest as comments: its defaults differ by Type. */
static void print_types_option(const struct config *config, const struct option *option, FILE *to)
{
    if (config->types_default.said & option_bit(option))
        print_value(option, &config->types_default, to);
    else if (option->initial)
        fprintf(to, option->initial[0] ? ";%s = %s\n" : ";%s =%s\n", option->name, option->initial);
    else
        fprintf(to, ";%s = (each Type's own)\n", option->name);
}

static void print_help(const struct option *option, FILE *to)
{
    fprintf(to, "; %s", option->help);
    if (option->kind == OPTION_INT)
        fprintf(to, " (%lld .. %lld)", (long long)option->min, (long long)option->max);
    else if (option->kind == OPTION_CHOICE)
        fprintf(to, " (%s)", strncmp(option->choices, "- ", 2) == 0 ? option->choices + 2 : option->choices);
    fprintf(to, "\n");
}

static void print_properties(const struct config *config, FILE *to)
{
    for (size_t i = 0; i < config->property_count; i++)
        fprintf(to, config->properties[i].value[0] ? "%s = %s\n" : "%s =%s\n", config->properties[i].name,
                config->properties[i].value);
}

static void print_type(const struct type_config *type, FILE *to)
{
    fprintf(to, "\n[type %s]\n", type->name);
    for (size_t i = 0; i < option_count; i++)
        if (option_is_of_types(&options[i]))
            print_value(&options[i], type, to);
}

void config_print(const struct config *config, FILE *to)
{
    const char *section = "";

    fprintf(to, "; bgop: every option with its value. Order of precedence: defaults, this file, environment, flags.\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];

        if (strcmp(section, option->section) != 0) {
            if (strcmp(section, "kafka") == 0)
                print_properties(config, to);
            section = option->section;
            fprintf(to, "\n[%s]\n", section);
            if (option_is_of_types(option))
                fprintf(to, "; For every Type whose own section below does not say otherwise: what shall be decided "
                            "here is to\n"
                            "; be deleted there.\n");
        }
        print_help(option, to);
        if (option_is_of_types(option))
            print_types_option(config, option, to);
        else
            print_value(option, config, to);
    }
    for (size_t i = 0; i < config->type_count; i++)
        if (!config->types[i].reserved)
            print_type(&config->types[i], to);
}
