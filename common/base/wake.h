/* A thread that waits on descriptors is woken by others: an eventfd, written only while somebody waits.
 *
 *     wake_prepare(&wake);                    the waiting thread
 *     if (nothing_to_do())                    what others do before wake_up is seen here ...
 *         poll(... wake.fd ...);              ... or ends this
 *     wake_done(&wake);
 */
#ifndef BGOP_BASE_WAKE_H
#define BGOP_BASE_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct wake {
    int fd; /* -1: none to be had, so waits should be short */
    atomic_bool waiting;
};

void wake_init(struct wake *wake);
void wake_release(struct wake *wake);
/* From any thread. */
void wake_up(struct wake *wake);
void wake_prepare(struct wake *wake);
void wake_done(struct wake *wake);

#endif
