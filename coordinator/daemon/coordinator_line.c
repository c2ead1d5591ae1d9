/* The command line of bgop-coordinator: apart from main.c, so that the manual page is made of it too. */
#include "coordinator/daemon/coordinator.h"

const char *coordinator_rebuild;

static const struct flag flags[] = {
    { "rebuild", NULL, "fill an empty Redis from what Kafka still holds", &coordinator_rebuild },
};

const struct command_line coordinator_command_line = {
    .program = "bgop-coordinator",
    .usage = "[--config FILE] [--kafka LIST] [--redis URL] [--rebuild]",
    .about = "Records submissions, applies outcomes, runs the timers. Several may run: they share the work.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
};
