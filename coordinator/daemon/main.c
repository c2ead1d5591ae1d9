/* bgop-coordinator: reads flags and configuration, starts the coordinator, passes signals on. */
#include <signal.h>
#include <unistd.h>

#include "common/base/crash_point.h"
#include "common/base/descriptors.h"
#include "common/base/first_process.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/signals.h"
#include "coordinator/daemon/coordinator.h"
#include "coordinator/http/endpoint.h"

static struct coordinator *running;

/* The first signal drains; a second one means now. */
static void on_stop(bool now)
{
    if (now)
        _exit(EXIT_FAILED);
    coordinator_stop(running);
}

/* A loop has a consumer, perhaps a producer, and connections to Redis: 23 descriptors with one broker. */
static enum status check_descriptors(const struct config *config, struct err *err)
{
    enum { PER_LOOP = 30 };
    long long needed = DESCRIPTORS_LEAST + PER_LOOP * (config->intake_loops + config->status_loops) +
                       (config->http_listen[0] ? ENDPOINT_DESCRIPTORS : 0);
    long long fit = descriptors_provide(needed);

    if (fit >= needed)
        return ST_OK;
    return err_set(
        err, ST_INVALID,
        "%lld file descriptors are needed, the hard limit of this process is %lld: raise it (ulimit -Hn %lld; "
        "LimitNOFILE= in a systemd unit; --ulimit nofile= of a container), or lower [coordinator] "
        "intake_loops = %lld or status_loops = %lld (%d each)",
        needed, fit, needed, (long long)config->intake_loops, (long long)config->status_loops, PER_LOOP);
}

static int run(const struct config *config, bool rebuild)
{
    int exit_code;

    running = coordinator_new(config, rebuild);
    signals_catch(on_stop);
    exit_code = coordinator_run(running);
    signals_ignore();
    coordinator_free(running);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct config config;
    struct err err = ERR_INIT;
    enum log_level level = LOG_LEVEL_INFO;
    int exit_code;

    process_start();
    first_process();
    config_init(&config);
    exit_code = config_command_line(&config, &coordinator_command_line, &argc, argv);
    if (exit_code < 0 && argc > 0) {
        process_complain("bgop-coordinator", "takes no operands, got \"%s\" (see --help)", argv[0]);
        exit_code = EXIT_USAGE_ERROR;
    }
    if (exit_code < 0 && crash_points_start(&err) != ST_OK) {
        process_complain("bgop-coordinator", "%s", err.text);
        exit_code = EXIT_CONFIG;
    }
    if (exit_code < 0 && check_descriptors(&config, &err) != ST_OK) {
        process_complain("bgop-coordinator", "%s", err.text);
        exit_code = EXIT_CONFIG;
    }
    if (exit_code < 0) {
        log_level_parse(config.log_level, &level);
        log_start("coordinator", level, config.log_format[0] == 'j');
        exit_code = run(&config, coordinator_rebuild != NULL);
    }
    config_release(&config);
    return process_end("bgop-coordinator", exit_code);
}
