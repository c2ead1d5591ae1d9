#include "coordinator/dev/dev.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/redis/redis.h"

enum { WATCH_MS = 500, TAIL_LINES = 15 };

int dev_fail(int code, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("bgop: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

void dev_say(const struct dev *dev, const char *format, ...)
{
    va_list args;

    if (dev->options.quiet)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* Signals are blocked and taken here: no handler, and librdkafka's threads never get one. */
static void block_signals(struct dev *dev)
{
    sigemptyset(&dev->signals);
    sigaddset(&dev->signals, SIGINT);
    sigaddset(&dev->signals, SIGTERM);
    sigaddset(&dev->signals, SIGHUP);
    sigaddset(&dev->signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &dev->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void dev_take_signals(struct dev *dev, int timeout_ms)
{
    struct timespec timeout = { timeout_ms / 1000, (timeout_ms % 1000) * 1000000L };
    int number = sigtimedwait(&dev->signals, NULL, &timeout);

    if (number < 0 || number == SIGCHLD)
        return;
    dev->hurry = dev->stop;
    dev->stop = true;
}

struct child *dev_dead_child(struct dev *dev)
{
    if (child_check(&dev->redis_server))
        return &dev->redis_server;
    if (child_check(&dev->coordinator))
        return &dev->coordinator;
    for (int i = 0; i < dev->options.workers; i++) {
        if (child_check(&dev->workers[i]))
            return &dev->workers[i];
    }
    return NULL;
}

static int find_programs(struct dev *dev)
{
    ssize_t size = readlink("/proc/self/exe", dev->programs, sizeof dev->programs - 1);
    char *slash;

    if (size <= 0)
        return dev_fail(EXIT_FAILED, "/proc/self/exe: %m");
    dev->programs[size] = '\0';
    slash = strrchr(dev->programs, '/');
    if (slash)
        *slash = '\0';
    return EXIT_OK;
}

static int start(struct dev *dev)
{
    int code = find_programs(dev);

    if (code == EXIT_OK)
        code = dev_make_folder(dev);
    dev_say(dev, "Starting redis-server, a mock broker, bgop-coordinator and %d bgop-worker (a few seconds) ...",
            dev->options.workers);
    if (code == EXIT_OK)
        code = dev_start_redis(dev);
    if (code == EXIT_OK && !dev->stop)
        code = dev_start_kafka(dev);
    if (code == EXIT_OK && !dev->stop)
        code = dev_start_daemons(dev);
    return code == EXIT_OK && !dev->stop ? dev_wait_ready(dev) : code;
}

/* A part that died is not started again: for development it is better to see why. */
static int watch(struct dev *dev)
{
    char text[128];

    while (!dev->stop) {
        struct child *dead = dev_dead_child(dev);

        if (dead) {
            dev_fail(EXIT_FAILED, "%s %s, so everything is stopped; its last words:", dead->name,
                     child_end_text(dead, text, sizeof text));
            child_print_tail(dead, stderr, TAIL_LINES);
            return EXIT_FAILED;
        }
        dev_take_signals(dev, WATCH_MS);
    }
    return EXIT_OK;
}

int dev_run(struct dev *dev)
{
    int code;

    block_signals(dev);
    code = start(dev);
    if (code == EXIT_OK && !dev->stop)
        code = dev_write_port_file(dev);
    if (code == EXIT_OK && !dev->stop) {
        dev_print_welcome(dev);
        code = watch(dev);
    }
    if (dev->stop)
        dev_say(dev, "\nStopping ...");
    if (dev->options.port_file)
        unlink(dev->options.port_file);
    dev_stop_all(dev);
    dev_remove_folder(dev);
    return code;
}
