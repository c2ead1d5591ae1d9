/* The command line of bgop-worker: apart from main.c, so that the manual page is made of it too. */
#include "worker/daemon/worker.h"

const struct command_line worker_command_line = {
    .program = "bgop-worker",
    .usage = "[--config FILE] [--kafka LIST] [--redis URL]",
    .about = "Claims operations of the queue, runs their handlers and reports the outcomes.",
    .tail = "SIGTERM drains and leaves (so do SIGINT, SIGQUIT and, when its terminal closes, SIGHUP); a second one "
            "means now.",
};
