/* bgop.conf(5), from the table of options. */
#include <inttypes.h>
#include <string.h>

#include "common/config/options.h"
#include "deploy/man/pages.h"
#include "deploy/man/roff.h"

static void print_bounds(const struct option *option, char *text, size_t size)
{
    char defaulted[96];

    if (!option->initial)
        snprintf(defaulted, sizeof defaulted, "default by Type: bgopctl describe");
    else
        snprintf(defaulted, sizeof defaulted, "default: %s", *option->initial ? option->initial : "empty");
    if (option->kind == OPTION_INT)
        snprintf(text, size, " (%" PRId64 " to %" PRId64 "; %s)", option->min, option->max, defaulted);
    else if (option->kind == OPTION_CHOICE)
        snprintf(text, size, " (one of: %s; %s)", option->choices, defaulted);
    else
        snprintf(text, size, " (%s)", defaulted);
}

static void print_option(FILE *to, const struct option *option)
{
    char bounds[256];

    print_bounds(option, bounds, sizeof bounds);
    roff_tagged(to, "", option->name, NULL, option->help);
    roff_words(to, bounds + 1, strlen(bounds + 1));
    fputc('\n', to);
}

static void print_sections(FILE *to)
{
    const char *section = "";

    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(section, options[i].section) != 0) {
            char title[64];

            section = options[i].section;
            snprintf(title, sizeof title, "[%s]%s", section, option_is_of_types(&options[i]) ? ", [type NAME]" : "");
            roff_section(to, title);
        }
        print_option(to, &options[i]);
    }
}

void page_config(FILE *to)
{
    roff_begin(to, "BGOP.CONF", "5", "bgop.conf", "configuration of the bgop job queue");
    roff_section(to, "DESCRIPTION");
    roff_text(to,
              "All programs read the same options: from the file that --config names, then from the environment, then "
              "from their command lines; the last one holds. The file has sections ([queue]) and lines of the form "
              "name = value; a comment begins with ; at the start of a line, or two blanks behind a value.");
    roff_text(
        to, "[type NAME] holds for one Type, [types] for all whose own section does not say otherwise, wherever in the "
            "file they stand. A section alone declares a Type of your own. Any name in [kafka] that does not stand "
            "here is a property of librdkafka.");
    roff_text(to, "bgop-coordinator --print-config prints every option with its value. A wrong option or value ends a "
                  "program with exit code 78 and names file, line and option.");
    print_sections(to);
    page_environment(to);
    page_see_also(to, "bgop.conf");
}
