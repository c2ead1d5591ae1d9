/* Command lines: flags from tables, everywhere the same. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/config/options.h"
#include "common/server/redis_address.h"

struct common_values {
    const char *config, *kafka, *redis, *print, *version, *help;
};

static void common_flags(struct flag flags[CONFIG_COMMON_FLAGS], struct common_values *values)
{
    *values = (struct common_values){ 0 };
    flags[0] = (struct flag){ "config", "FILE", "read this configuration file", &values->config };
    flags[1] = (struct flag){ "kafka", "LIST", "bootstrap servers, host:port,... (or BGOP_KAFKA)", &values->kafka };
    flags[2] =
        (struct flag){ "redis", "URL",
                       "redis[s]://[user:password@]host:port[/db] or unix://[user:password@]/path (or BGOP_REDIS)",
                       &values->redis };
    flags[3] = (struct flag){ "print-config", NULL, "print every option with its value, as a file that could be used",
                              &values->print };
    flags[4] = (struct flag){ "version", NULL, "print the version", &values->version };
    flags[5] = (struct flag){ "help", NULL, "print this", &values->help };
}

void config_common_flags(struct flag flags[CONFIG_COMMON_FLAGS])
{
    struct common_values values;

    common_flags(flags, &values);
    for (size_t i = 0; i < CONFIG_COMMON_FLAGS; i++)
        flags[i].value = NULL;
}

/* ---- parsing ---- */

struct parsing {
    const struct command_line *line;
    const struct flag *common;
    char **argv;
    int argc, at; /* the argument being looked at */
    int operands;
    struct err *err;
};

static const struct flag *find_flag(const struct parsing *parsing, const char *name, size_t size)
{
    for (size_t i = 0; i < parsing->line->flag_count + CONFIG_COMMON_FLAGS; i++) {
        const struct flag *flag =
            i < parsing->line->flag_count ? &parsing->line->flags[i] : &parsing->common[i - parsing->line->flag_count];

        if (strlen(flag->name) == size && memcmp(flag->name, name, size) == 0)
            return flag;
    }
    return NULL;
}

static enum status unknown_flag(const struct parsing *parsing, const char *argument)
{
    size_t count = parsing->line->flag_count + CONFIG_COMMON_FLAGS;
    const char **names = xcalloc(count, sizeof *names);
    char name[128];
    const char *nearest;

    argument += strspn(argument, "-");
    text_copy(name, sizeof name, argument, strcspn(argument, "="));
    for (size_t i = 0; i < count; i++) {
        names[i] = i < parsing->line->flag_count ? parsing->line->flags[i].name
                                                 : parsing->common[i - parsing->line->flag_count].name;
    }
    nearest = text_nearest(name, names, count);
    err_set(parsing->err, ST_INVALID, "unknown option --%s%s%s%s", name, nearest ? " (did you mean --" : "",
            nearest ? nearest : "", nearest ? "?)" : "");
    free(names);
    return ST_INVALID;
}

static enum status parse_flag(struct parsing *parsing, const char *argument)
{
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    const struct flag *flag = find_flag(parsing, name, size);

    if (!flag)
        return unknown_flag(parsing, argument);
    if (!flag->argument) {
        if (value)
            return err_set(parsing->err, ST_INVALID, "--%s takes no value", flag->name);
        *flag->value = "yes";
        return ST_OK;
    }
    if (!value) {
        if (parsing->at + 1 >= parsing->argc) {
            return err_set(parsing->err, ST_INVALID, "--%s needs a value: --%s %s", flag->name, flag->name,
                           flag->argument);
        }
        value = parsing->argv[++parsing->at];
    }
    *flag->value = value;
    return ST_OK;
}

static enum status parse(struct parsing *parsing)
{
    bool flags_end = false;
    enum status st = ST_OK;

    for (parsing->at = 1; parsing->at < parsing->argc && st == ST_OK; parsing->at++) {
        char *argument = parsing->argv[parsing->at];

        if (flags_end || argument[0] != '-' || argument[1] == '\0')
            parsing->argv[parsing->operands++] = argument;
        else if (strcmp(argument, "--") == 0)
            flags_end = true;
        else if (strcmp(argument, "-h") == 0)
            st = parse_flag(parsing, "--help");
        else if (argument[1] != '-')
            st = unknown_flag(parsing, argument);
        else
            st = parse_flag(parsing, argument);
    }
    return st;
}

/* ---- help ---- */

static void print_flags(const struct flag *flags, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++) {
        char left[64];

        snprintf(left, sizeof left, "--%s%s%s", flags[i].name, flags[i].argument ? " " : "",
                 flags[i].argument ? flags[i].argument : "");
        fprintf(to, "  %-26s %s\n", left, flags[i].help);
    }
}

/* Names only: --print-config tells what they mean. */
static void print_options(FILE *to)
{
    const char *section = "";

    fprintf(to, "\nConfiguration file (--print-config shows values and meanings):");
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(section, options[i].section) != 0) {
            section = options[i].section;
            fprintf(to, "\n  [%s]%s", section, option_is_of_types(&options[i]) ? " [type NAME]" : "");
        }
        fprintf(to, " %s", options[i].name);
    }
    fprintf(to, "\n");
}

static void print_help(const struct command_line *line, const struct flag *common, FILE *to)
{
    fprintf(to, "Usage: %s %s\n", line->program, line->usage ? line->usage : "[options]");
    if (line->about)
        fprintf(to, "\n%s\n", line->about);
    fprintf(to, "\nOptions:\n");
    print_flags(line->flags, line->flag_count, to);
    print_flags(common, CONFIG_COMMON_FLAGS, to);
    if (line->tail)
        fprintf(to, "\n%s\n", line->tail);
    print_options(to);
    fprintf(to, "\nExit: 0 fine, %d failure, %d wrong usage, %d a server unreachable, %d wrong configuration.\n",
            EXIT_FAILED, EXIT_USAGE_ERROR, EXIT_UNREACHABLE, EXIT_CONFIG);
}

/* ---- all of it ---- */

static enum status read_everything(struct config *config, const struct common_values *values, struct err *err)
{
    enum status st = values->config ? config_read_file(config, values->config, err) : ST_OK;

    if (st == ST_OK)
        st = config_read_environment(config, err);
    if (st == ST_OK && values->kafka && (st = config_set(config, "kafka", "brokers", values->kafka, err)) != ST_OK)
        err_prefix(err, "--kafka");
    if (st == ST_OK && values->redis && (st = config_set(config, "redis", "url", values->redis, err)) != ST_OK)
        err_prefix(err, "--redis");
    if (values->redis)
        redis_address_hide((char *)(uintptr_t)values->redis); /* in argv: ps shows it */
    if (st == ST_OK)
        st = config_check(config, err);
    return st;
}

static int complain(const struct command_line *line, const struct err *err, int code)
{
    process_complain(line->program, "%s", err->text);
    if (code == EXIT_USAGE_ERROR)
        fprintf(stderr, "Try %s --help\n", line->program);
    return code;
}

int config_command_line(struct config *config, const struct command_line *line, int *argc, char **argv)
{
    struct err err = ERR_INIT;
    struct common_values values;
    struct flag common[CONFIG_COMMON_FLAGS];
    struct parsing parsing = { .line = line, .common = common, .argv = argv, .argc = *argc, .err = &err };

    common_flags(common, &values);
    if (parse(&parsing) != ST_OK)
        return complain(line, &err, EXIT_USAGE_ERROR);
    *argc = parsing.operands;
    if (values.help) {
        print_help(line, common, stdout);
        return EXIT_OK;
    }
    if (values.version) {
        printf("%s %s (%s)\n", line->program, BGOP_VERSION, kafka_version());
        return EXIT_OK;
    }
    if (read_everything(config, &values, &err) != ST_OK)
        return complain(line, &err, EXIT_CONFIG);
    if (values.print) {
        config_print(config, stdout);
        return EXIT_OK;
    }
    return -1;
}
