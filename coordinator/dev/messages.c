/* What `bgop dev` says, and that it was told to stop. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "coordinator/dev/dev.h"

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

void dev_block_signals(struct dev *dev)
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
