#include "worker/handlers/exec_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "worker/execution/execution.h"

void exec_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- start ---- */

/* Both ends of everything, ours and the child's, closed on exec. */
struct ends {
    int ours[EXEC_PROCESS_FDS], childs[EXEC_PROCESS_FDS];
};

static bool ends_open(struct ends *ends)
{
    int pair[2];

    memset(ends, -1, sizeof *ends);
    for (int i = 0; i < EXEC_PROCESS_FDS; i++) {
        bool is_input = i == STDIN_FILENO, is_lifeline = i == EXEC_HOST_LIFELINE;

        if (is_lifeline ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) : pipe2(pair, O_CLOEXEC))
            return false;
        ends->ours[i] = pair[is_input];
        ends->childs[i] = pair[!is_input];
        if (fcntl(ends->ours[i], F_SETFL, fcntl(ends->ours[i], F_GETFL) | O_NONBLOCK) < 0)
            return false;
    }
    return true;
}

static void ends_close(int fds[EXEC_PROCESS_FDS])
{
    for (int i = 0; i < EXEC_PROCESS_FDS; i++)
        exec_close_fd(&fds[i]);
}

/* posix_spawn, not fork: this process has librdkafka's threads. The host starts with all signals blocked, so that a
 * SIGTERM to the group can never end it before its handler. */
static int spawn_host(pid_t *pid, const char *host_path, char *const *argv, char *const *environment,
                      const int fds[EXEC_PROCESS_FDS])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    int failure;

    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < EXEC_PROCESS_FDS; i++)
        posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    failure = posix_spawn(pid, host_path, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static int spawn(pid_t *pid, const char *host_path, char *const *command, char *const *environment,
                 const int fds[EXEC_PROCESS_FDS])
{
    size_t count = 0;
    char **argv;
    int failure;

    while (command[count])
        count++;
    argv = xmalloc((count + 2) * sizeof *argv);
    argv[0] = (char *)"bgop-exec-host";
    memcpy(argv + 1, command, (count + 1) * sizeof *argv);
    failure = spawn_host(pid, host_path, argv, environment, fds);
    free(argv);
    return failure;
}

/* The worker's own guard comes first (lease_margin_ms before the end), and its handler has as long between SIGTERM and
 * SIGKILL as the host gives. */
static struct exec_host_lease lease_of(const struct execution *execution)
{
    int64_t end, margin;

    if (!execution)
        return (struct exec_host_lease){ EXEC_HOST_NO_END, EXEC_HOST_NO_END };
    end = atomic_load(&execution->lease_end_boot_ms);
    margin = lease_margin_ms(execution->lease_ms);
    return (struct exec_host_lease){ end - margin * 5 / 6, end - margin / 6 };
}

int exec_process_start(struct exec_process *process, const char *host_path, char *const *argv, char *const *environment,
                       struct exec_host_order order, const struct execution *execution)
{
    struct ends ends;
    int failure = 0;

    process->host = 0;
    process->lease = order.lease = lease_of(execution);
    crash_point(CRASH_SPAWN_BEFORE);
    if (!ends_open(&ends) || send(ends.ours[EXEC_HOST_LIFELINE], &order, sizeof order, MSG_NOSIGNAL) < 0)
        failure = errno;
    else
        failure = spawn(&process->host, host_path, argv, environment, ends.childs);
    crash_point(CRASH_SPAWN_AFTER);
    ends_close(ends.childs);
    if (failure)
        ends_close(ends.ours);
    process->host = failure ? 0 : process->host;
    process->input = ends.ours[STDIN_FILENO];
    process->output = ends.ours[STDOUT_FILENO];
    process->errors = ends.ours[STDERR_FILENO];
    process->lifeline = ends.ours[EXEC_HOST_LIFELINE];
    return failure;
}

/* ---- while it runs ---- */

/* A host that does not read them (it was stopped) finds no room for more one day: it is told the next time. */
void exec_process_tell_lease(struct exec_process *process, const struct execution *execution)
{
    struct exec_host_order order = { .lease = lease_of(execution) };

    if (order.lease.kill_boot_ms != process->lease.kill_boot_ms &&
        send(process->lifeline, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        process->lease = order.lease;
}

bool exec_process_begin(struct exec_process *process, const struct execution *execution)
{
    struct exec_host_order order = { .lease = lease_of(execution), .begins = 1 };

    if (clock_boot_ms() >= order.lease.terminate_boot_ms)
        return false;
    if (send(process->lifeline, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        process->lease = order.lease; /* else it has ended, and says so */
    return true;
}

/* A socket whose other end was closed with orders unread says so (ECONNRESET) before it hands over what came from there. */
int exec_process_read_report(const struct exec_process *process, struct exec_host_report *report)
{
    ssize_t size = recv(process->lifeline, report, sizeof *report, 0);

    if (size < 0 && errno == ECONNRESET)
        size = recv(process->lifeline, report, sizeof *report, 0);
    if (size == (ssize_t)sizeof *report)
        return 1;
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* ---- end ---- */

void exec_process_await_end(const struct exec_process *process, int timeout_ms)
{
    int64_t until = clock_boot_ms() + timeout_ms, left;
    struct pollfd lifeline = { process->lifeline, POLLIN, 0 };
    struct exec_host_report report;

    do {
        left = until - clock_boot_ms();
    } while (poll(&lifeline, 1, left > 0 ? (int)left : 0) > 0 && exec_process_read_report(process, &report) >= 0);
}

void exec_process_terminate(const struct exec_process *process)
{
    kill(-process->host, SIGTERM);
}

void exec_process_end(const struct exec_process *process)
{
    shutdown(process->lifeline, SHUT_WR);
    kill(process->host, SIGCONT); /* a handler that stopped its group stopped its host */
}

/* The host as well, wherever it is by now. It is not reaped yet, so its pid and its group's number are still ours. */
void exec_process_kill(const struct exec_process *process)
{
    kill(-process->host, SIGKILL);
    kill(process->host, SIGKILL);
}

int exec_process_reap(struct exec_process *process)
{
    int status = 0;

    exec_process_kill(process);
    while (waitpid(process->host, &status, 0) < 0 && errno == EINTR)
        continue;
    crash_point(CRASH_REAP_AFTER);
    process->host = 0;
    return status;
}

void exec_process_close(struct exec_process *process)
{
    exec_close_fd(&process->input);
    exec_close_fd(&process->output);
    exec_close_fd(&process->errors);
    exec_close_fd(&process->lifeline);
}
