/* bgop(1), from the command line of `bgop dev`. */
#include "coordinator/dev/dev_line.h"
#include "deploy/man/pages.h"
#include "deploy/man/roff.h"

/* What --port-file writes. */
static void print_addresses(FILE *to)
{
    roff_section(to, "FILES");
    roff_text(to, "The file of --port-file has these lines, for the environment of programs that use the queue:");
    roff_tagged(to, "", "BGOP_KAFKA", NULL, "bootstrap servers of the mock broker");
    roff_tagged(to, "", "BGOP_REDIS", NULL, "the address of Redis");
    roff_tagged(to, "", "BGOP_HTTP", NULL, "where the coordinator answers HTTP, the dashboard too");
    roff_tagged(to, "", "BGOP_HTTP_TOKEN", NULL, "the token that reads there");
    roff_tagged(to, "", "BGOP_HTTP_OPERATOR_TOKEN", NULL, "the token that also acts");
}

void page_dev(FILE *to)
{
    struct flag common[CONFIG_COMMON_FLAGS];

    config_common_flags(common);
    roff_begin(to, "BGOP", "1", "bgop", "a whole bgop job queue for development, in one command");
    roff_section(to, "SYNOPSIS");
    fputs("\\fBbgop dev\\fR [options]\n", to);
    roff_section(to, "DESCRIPTION");
    roff_text(to,
              "It runs until it is told to stop (Ctrl-C, SIGTERM), in the foreground: a mock Kafka broker, which is "
              "this process, redis-server, bgop-coordinator and bgop-worker, which are its children. When one of "
              "these dies, everything stops, with the end of its log. To submit, read and steer operations: "
              "bgopctl.");
    roff_text(to, dev_command_line.tail);
    roff_text(to, "The broker keeps about 5 MB of a partition and then forgets the oldest; nothing outlives the "
                  "process but what --keep names.");
    roff_section(to, "COMMANDS");
    roff_tagged(to, "", "dev", NULL, dev_command_line.about);
    roff_section(to, "OPTIONS");
    page_flags(to, dev_command_line.flags, dev_command_line.flag_count);
    page_flags(to, common, CONFIG_COMMON_FLAGS);
    print_addresses(to);
    roff_section(to, "ENVIRONMENT");
    page_environment_log(to);
    page_exit(to, NULL);
    page_see_also(to, "bgop");
}
