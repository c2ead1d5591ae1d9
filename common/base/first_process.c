#include "common/base/first_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* All that have ended; ends as the program does when it is among them: with that every process of the container ends. */
static void reap(pid_t program)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == program)
            _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
}

_Noreturn static void be_init(pid_t program, const sigset_t *all)
{
    siginfo_t info;

    for (;;) {
        if (sigwaitinfo(all, &info) > 0 && info.si_signo != SIGCHLD && info.si_code <= 0)
            kill(program, info.si_signo); /* what the kernel sent (Ctrl-C, a hang-up) has reached the program as well */
        reap(program);
    }
}

void first_process(void)
{
    sigset_t all, before;
    pid_t program;

    if (getpid() != 1)
        return;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    program = fork();
    if (program > 0)
        be_init(program, &all);
    sigprocmask(SIG_SETMASK, &before, NULL); /* no process to be had: then as one */
}
