/* bgop-coordinator: reads flags and configuration, starts the coordinator, passes signals on. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "coordinator/coordinator.h"
#include "coordinator/crash.h"

static struct coordinator *running;
static volatile sig_atomic_t asked;

/* The first SIGTERM or SIGINT drains; a second one means now. */
static void on_signal(int number)
{
    (void)number;
    if (asked)
        _exit(EXIT_FAILED);
    asked = 1;
    coordinator_stop(running);
}

static void signals_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run(const struct config *config, bool rebuild)
{
    int exit_code;

    running = coordinator_new(config, rebuild);
    signals_catch();
    exit_code = coordinator_run(running);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    coordinator_free(running);
    return exit_code;
}

int main(int argc, char **argv)
{
    const char *rebuild = NULL;
    const struct flag flags[] = {
        { "rebuild", NULL, "fill an empty Redis from what Kafka still holds", &rebuild },
    };
    const struct command_line line = {
        .program = "bgop-coordinator",
        .usage = "bgop-coordinator [--config FILE] [--kafka LIST] [--redis URL] [--rebuild]",
        .about = "Records submissions, applies outcomes, runs the timers. Several may run: they share the work.",
        .flags = flags,
        .flag_count = sizeof flags / sizeof *flags,
    };
    struct config config;
    struct err err = ERR_INIT;
    enum log_level level = LOG_LEVEL_INFO;
    int exit_code;

    config_init(&config);
    exit_code = config_command_line(&config, &line, &argc, argv);
    if (exit_code < 0 && argc > 0) {
        fprintf(stderr, "bgop-coordinator: takes no operands, got \"%s\" (see --help)\n", argv[0]);
        exit_code = EXIT_USAGE_ERROR;
    }
    if (exit_code < 0 && crash_points_start(&err) != ST_OK) {
        fprintf(stderr, "bgop-coordinator: %s\n", err.text);
        exit_code = EXIT_CONFIG;
    }
    if (exit_code < 0) {
        log_level_parse(config.log_level, &level);
        log_start("coordinator", level, config.log_format[0] == 'j');
        exit_code = run(&config, rebuild != NULL);
    }
    config_release(&config);
    return exit_code;
}
