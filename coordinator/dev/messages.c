/* What `bgop dev` says, and that it was told to stop. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "common/base/process.h"
#include "common/base/signals.h"
#include "coordinator/dev/dev.h"

int dev_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    process_complain_args("bgop", format, args);
    va_end(args);
    return code;
}

void dev_print(const struct dev *dev, const char *format, ...)
{
    va_list args;

    if (dev->options.quiet)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    (void)process_flush();
}

void dev_block_signals(struct dev *dev)
{
    sigemptyset(&dev->signals);
    signals_add_stops(&dev->signals);
    sigaddset(&dev->signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &dev->signals, NULL);
}

void dev_take_signals(struct dev *dev, int timeout_ms)
{
    struct timespec timeout = { timeout_ms / 1000, (timeout_ms % 1000) * 1000000L };
    int number = sigtimedwait(&dev->signals, NULL, &timeout);

    if (number < 0 || number == SIGCHLD)
        return;
    dev->hurry = dev->stop && number != SIGHUP; /* which a shell that leaves sends, and the kernel too */
    dev->stop = true;
}
