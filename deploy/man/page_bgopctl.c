/* bgopctl(1), from the table of commands. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/commands.h"
#include "deploy/man/pages.h"
#include "deploy/man/roff.h"

static void print_command(FILE *to, const struct subcommand *command)
{
    fputs(".SS ", to);
    roff_words(to, command->name, strlen(command->name));
    fputc(' ', to);
    roff_words(to, command->usage, strlen(command->usage));
    fputc('\n', to);
    roff_words(to, command->about, strlen(command->about));
    fputs(".\n", to);
    if (command->help)
        roff_lines(to, command->help, strlen(command->help));
    page_flags(to, command->flags, command->flag_count);
}

void page_bgopctl(FILE *to)
{
    size_t common_count;
    struct flag *common = command_common_flags(&common_count);

    roff_begin(to, "BGOPCTL", "1", "bgopctl", "submits, reads and steers the operations of a bgop job queue");
    roff_section(to, "SYNOPSIS");
    fputs("\\fBbgopctl\\fR \\fICOMMAND\\fR [options]\n", to);
    roff_section(to, "DESCRIPTION");
    roff_text(to, "Options may stand anywhere. Records are read from Redis; commands that change something go through "
                  "Kafka, and bgopctl returns when Redis shows their effect. A TIME is ISO 8601, epoch milliseconds, "
                  "now, or a distance from now such as +90s, +10m, now-2h, now-1d.");
    roff_section(to, "OPTIONS OF EVERY COMMAND");
    page_flags(to, common, common_count);
    roff_section(to, "COMMANDS");
    for (size_t i = 0; i < command_count; i++)
        print_command(to, commands[i]);
    page_environment(to);
    roff_tagged(to, "", "NO_COLOR", NULL,
                "when it is not empty, nothing is coloured. Without a terminal nothing is either");
    roff_tagged(to, "", "COLUMNS", NULL, "the width that tables are fitted to, instead of the terminal's own");
    roff_tagged(to, "", "TZ", NULL, "the zone in which times are shown");
    page_exit(to, "wait has codes of its own, which stand there.");
    page_see_also(to, "bgopctl");
    free(common);
}
