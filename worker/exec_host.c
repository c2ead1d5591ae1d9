/* bgop-exec-host COMMAND [ARGUMENT...]: runs one handler process for bgop-worker, and sees to it that nothing of it
 * outlives the worker or the attempt.
 *
 * The worker starts it as leader of a new process group; the handler and whatever it starts live in that group too.
 * The group ends as a whole, by SIGKILL: when the handler has ended (after that was reported), when the worker died
 * (the lifeline reads its end; PR_SET_PDEATHSIG would reach only the direct child, and fires when the spawning
 * *thread* ends), or when the worker kills the group. The worker's SIGTERM goes to the whole group as well: the host
 * keeps all signals blocked, the handler starts with none blocked and all at their defaults.
 *
 * It holds no descriptor of the worker but 0, 1, 2, which it gives away, and the lifeline. Exit status: never looked
 * at. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/exec_host.h"

extern char **environ;

static _Noreturn void end_group(void)
{
    kill(-getpgrp(), SIGKILL);
    _exit(0);
}

static void report(enum exec_host_kind kind, int value)
{
    struct exec_host_report message = { (int)kind, value };

    (void)send(EXEC_HOST_LIFELINE, &message, sizeof message, MSG_NOSIGNAL);
}

static int start_handler(pid_t *pid, char **argv)
{
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int failure;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failure = posix_spawnp(pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

/* Until the handler has ended or the worker is gone; the latter ends the group. */
static void wait_for_end(pid_t pid)
{
    int handler = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd events[] = { { handler, POLLIN, 0 }, { EXEC_HOST_LIFELINE, POLLIN, 0 } };

    if (handler < 0)
        end_group();
    for (;;) {
        if (poll(events, 2, -1) < 0 && errno != EINTR)
            end_group();
        if (events[1].revents) /* the worker never sends: this is its end */
            end_group();
        if (events[0].revents)
            return;
    }
}

int main(int argc, char **argv)
{
    sigset_t all;
    pid_t pid;
    int status = 0, failure;

    if (argc < 2 || fcntl(EXEC_HOST_LIFELINE, F_SETFD, FD_CLOEXEC) < 0)
        return 64; /* not for people: the worker starts it */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (getpgrp() != getpid())
        setpgid(0, 0);
    syscall(SYS_close_range, EXEC_HOST_LIFELINE + 1, ~0U, 0); /* what a library of the worker left inheritable */
    failure = start_handler(&pid, argv + 1);
    if (failure) {
        report(EXEC_HOST_NOT_STARTED, failure);
        end_group();
    }
    for (int fd = 0; fd < EXEC_HOST_LIFELINE; fd++)
        close(fd); /* the pipes are the handler's alone: closing them must mean something */
    wait_for_end(pid);
    waitpid(pid, &status, 0);
    report(EXEC_HOST_ENDED, status);
    end_group();
}
