#include "coordinator/dev/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/process.h"
#include "common/base/signals.h"
#include "common/base/text.h"

enum { EXIT_NOT_STARTED = 127, STOP_LOOK_MS = 20, TAIL_BYTES = 16384 };

/* Between fork and exec in a process with threads: system calls only. */
_Noreturn static void become(char *const argv[], int log, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_NOT_STARTED);
    setpgid(0, 0);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0); /* hiredis's sockets, say, are inheritable */
    signals_restore();
    descriptors_restore();
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    _exit(EXIT_NOT_STARTED);
}

enum status child_start(struct child *child, const char *name, char *const argv[], const char *log, struct err *err)
{
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    pid_t parent = getpid();

    *child = (struct child){ 0 };
    (void)text_copy(child->name, sizeof child->name, name, strlen(name));
    if (log)
        (void)text_copy(child->log, sizeof child->log, log, strlen(log));
    if (log && fd < 0)
        return err_set(err, ST_FAILED, "%s: %m", log);
    child->pid = fork();
    if (child->pid == 0)
        become(argv, fd, parent);
    if (child->pid < 0)
        err_set(err, ST_FAILED, "%s cannot be started: %m", argv[0]);
    if (fd >= 0)
        close(fd);
    return child->pid > 0 ? ST_OK : ST_FAILED;
}

bool child_check(struct child *child)
{
    if (child->pid > 0 && waitpid(child->pid, &child->wait_status, WNOHANG) == child->pid) {
        child->ended = true;
        child->pid = 0;
    }
    return child->ended;
}

void child_stop(struct child *child, int grace_ms, const volatile bool *hurry)
{
    int64_t deadline = clock_boot_ms() + grace_ms;
    struct timespec pause = { 0, STOP_LOOK_MS * 1000000L };

    if (child->pid <= 0)
        return;
    kill(child->pid, SIGTERM);
    while (!child_check(child) && clock_boot_ms() < deadline && !*hurry)
        nanosleep(&pause, NULL);
    if (child->ended)
        return;
    kill(child->pid, SIGKILL);
    if (waitpid(child->pid, &child->wait_status, 0) == child->pid)
        child->ended = true;
    child->pid = 0;
}

const char *child_end_text(const struct child *child, char *text, size_t room)
{
    int status = child->wait_status;

    if (WIFSIGNALED(status))
        snprintf(text, room, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_NOT_STARTED)
        snprintf(text, room, "could not be started: the program is not there");
    else
        snprintf(text, room, "ended with exit code %d", WEXITSTATUS(status));
    return text;
}

void child_print_tail(const struct child *child, FILE *to, int lines)
{
    FILE *log = *child->log ? fopen(child->log, "re") : NULL;
    char *text = calloc(1, TAIL_BYTES + 1), *from;
    size_t size;

    if (log && text) {
        if (fseek(log, -TAIL_BYTES, SEEK_END) != 0)
            rewind(log);
        size = fread(text, 1, TAIL_BYTES, log);
        from = text + size;
        for (int seen = 0; from > text; from--) {
            if (from[-1] == '\n' && from != text + size && ++seen == lines)
                break;
        }
        process_show(to, from, (size_t)(text + size - from));
        fputs(size && text[size - 1] != '\n' ? "\n" : "", to);
    }
    if (log)
        fclose(log);
    free(text);
}
