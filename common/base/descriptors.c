#include "common/base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static rlim_t soft_at_start; /* 0: never raised */

long long descriptors_provide(long long needed)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)needed + DESCRIPTORS_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return needed; /* cannot be: then nothing is known against it */
    if (soft_at_start == 0)
        soft_at_start = limit.rlim_cur;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= (rlim_t)needed)
        return needed;
    return (long long)limit.rlim_cur;
}

long long descriptors_at_start(void)
{
    struct rlimit limit = { .rlim_cur = 1024 };

    if (soft_at_start == 0)
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    return soft_at_start ? (long long)soft_at_start : (long long)limit.rlim_cur;
}

void descriptors_restore(void)
{
    struct rlimit limit;

    if (soft_at_start == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = soft_at_start < limit.rlim_max ? soft_at_start : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

bool descriptors_short(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}

bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM || error == ENOBUFS;
}
