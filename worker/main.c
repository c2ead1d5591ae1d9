/* bgop-worker: reads its configuration, starts the worker, ends it on SIGTERM or SIGINT; a second signal means now. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/kafka/kafka.h"
#include "worker/crash_point.h"
#include "worker/worker.h"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    if (stop)
        _exit(EXIT_FAILED); /* handler processes die with us: their hosts see it */
    stop = 1;
}

/* Descriptors 0 to 2 must be something, or pipes would get those numbers; a closed pipe is an error to be returned. */
static void prepare_process(void)
{
    struct sigaction action;
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void start_log(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;

    (void)log_level_parse(config->log_level, &level); /* checked with the configuration */
    log_start("worker", level, strcmp(config->log_format, "json") == 0);
}

static int exit_code(enum status status)
{
    return status == ST_OK ? EXIT_OK : status == ST_INVALID ? EXIT_CONFIG : EXIT_FAILED;
}

static int run(const struct config *config)
{
    struct err err = ERR_INIT;
    struct worker *worker = worker_new(config, &err);
    enum status status = err.status;

    if (worker) {
        log_event(LOG_LEVEL_INFO, "started", "version=%s pid=%d kafka_library=\"%s\"", BGOP_VERSION, (int)getpid(),
                  kafka_version());
        status = worker_run(worker, &stop, &err);
        worker_free(worker);
    }
    if (status != ST_OK)
        fprintf(stderr, "bgop-worker: %s\n", err.text);
    else
        log_event(LOG_LEVEL_INFO, "stopped", "pid=%d", (int)getpid());
    return exit_code(status);
}

int main(int argc, char **argv)
{
    const struct command_line line = {
        .program = "bgop-worker",
        .usage = "[--config FILE] [--kafka LIST] [--redis URL]",
        .about = "Claims operations of the queue, runs their handlers and reports the outcomes.",
        .tail = "SIGTERM drains and leaves; a second one means now.",
    };
    struct config config;
    int code;

    prepare_process();
    config_init(&config);
    code = config_command_line(&config, &line, &argc, argv);
    if (code < 0 && argc > 0) {
        fprintf(stderr, "bgop-worker: unexpected argument \"%s\"\n", argv[0]);
        code = EXIT_USAGE_ERROR;
    }
    if (code < 0) {
        start_log(&config);
        crash_points_arm();
        code = run(&config);
    }
    config_release(&config);
    return code;
}
