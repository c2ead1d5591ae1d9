#include "coordinator/dev/dev.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WATCH_MS = 500, TAIL_LINES = 15 };

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
    dev_print(dev, "Starting redis-server, a mock broker, bgop-coordinator and %d bgop-worker (a few seconds) ...",
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

    dev_block_signals(dev);
    code = start(dev);
    if (code == EXIT_OK && !dev->stop)
        code = dev_write_port_file(dev);
    if (code == EXIT_OK && !dev->stop) {
        dev_print_welcome(dev);
        code = watch(dev);
    }
    if (dev->stop)
        dev_print(dev, "\nStopping ...");
    if (dev->options.port_file)
        unlink(dev->options.port_file);
    dev_stop_all(dev);
    dev_remove_folder(dev);
    return code;
}
