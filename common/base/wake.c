#include "common/base/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void wake_init(struct wake *wake)
{
    wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&wake->waiting, false);
}

void wake_release(struct wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
}

void wake_up(struct wake *wake)
{
    if (atomic_load(&wake->waiting) && wake->fd >= 0)
        eventfd_write(wake->fd, 1); /* cannot fail but when it is full, and then it is written */
}

void wake_prepare(struct wake *wake)
{
    atomic_store(&wake->waiting, true);
}

void wake_done(struct wake *wake)
{
    eventfd_t count;

    atomic_store(&wake->waiting, false);
    if (wake->fd >= 0)
        eventfd_read(wake->fd, &count); /* none: nobody woke it */
}
