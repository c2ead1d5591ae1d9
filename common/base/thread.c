#include "common/base/thread.h"

#include <errno.h>
#include <string.h>

enum status thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg, const char *what, struct err *err)
{
    int failure = pthread_create(thread, NULL, run, arg);

    if (failure == 0)
        return ST_OK;
    return err_set(err, ST_FAILED, "cannot start %s thread: %s%s", what, strerror(failure),
                   failure == EAGAIN ? " (is the number of processes limited? ulimit -u, pids.max of the cgroup)" : "");
}
