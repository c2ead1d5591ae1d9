#include "coordinator/dev/dev_line.h"

struct dev_words dev_words;

static const struct flag flags[] = {
    { "workers", "N", "worker processes (1)", &dev_words.workers },
    { "port-file", "FILE", "write BGOP_KAFKA=..., BGOP_REDIS=..., BGOP_HTTP=... there when everything is ready",
      &dev_words.port_file },
    { "keep", "DIR", "an empty folder for logs and data, to be kept", &dev_words.keep },
    { "verbose", NULL, "show the logs here instead of writing them to files", &dev_words.verbose },
    { "quiet", NULL, "say nothing but errors", &dev_words.quiet },
};

const struct command_line dev_command_line = {
    .program = "bgop dev",
    .usage = "[options]",
    .about = "A whole queue for development, in one command.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
    .tail = "Without --config every Type has the handler noop. Its servers are its own: --kafka and --redis are "
            "not used.\n",
};
