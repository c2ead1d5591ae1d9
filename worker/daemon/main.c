/* bgop-worker: reads its configuration, starts the worker, ends it when a signal asks for that (common/base/signals.h);
 * a second one means now. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/crash_point.h"
#include "common/base/first_process.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/signals.h"
#include "common/kafka/kafka.h"
#include "worker/daemon/worker.h"

static volatile sig_atomic_t stop;

static void on_stop(bool now)
{
    if (now)
        _exit(EXIT_FAILED); /* handler processes die with us: their hosts see it */
    stop = 1;
}

static void start_log(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;

    (void)log_level_parse(config->log_level, &level); /* checked with the configuration */
    log_start("worker", level, strcmp(config->log_format, "json") == 0);
}

static int exit_code(enum status st)
{
    return st == ST_OK ? EXIT_OK : st == ST_INVALID ? EXIT_CONFIG : EXIT_FAILED;
}

static int run(const struct config *config)
{
    struct err err = ERR_INIT;
    struct worker *worker = worker_new(config, &err);
    enum status st = err.status;

    if (worker) {
        log_event(LOG_LEVEL_INFO, "started", "version=%s pid=%d kafka_library=\"%s\"", BGOP_VERSION, (int)getpid(),
                  kafka_version());
        st = worker_run(worker, &stop, &err);
        worker_free(worker);
    }
    if (st != ST_OK)
        process_complain("bgop-worker", "%s", err.text);
    else
        log_event(LOG_LEVEL_INFO, "stopped", "pid=%d", (int)getpid());
    return exit_code(st);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct config config;
    int code;

    process_start();
    first_process();
    signals_catch(on_stop);
    config_init(&config);
    code = config_command_line(&config, &worker_command_line, &argc, argv);
    if (code < 0 && argc > 0) {
        process_complain("bgop-worker", "unexpected argument \"%s\"", argv[0]);
        code = EXIT_USAGE_ERROR;
    }
    if (code < 0 && crash_points_start(&err) != ST_OK) {
        process_complain("bgop-worker", "%s", err.text);
        code = EXIT_CONFIG;
    }
    if (code < 0) {
        start_log(&config);
        code = run(&config);
    }
    config_release(&config);
    return process_end("bgop-worker", code);
}
