/* Descriptors of one run: stdin, stdout and stderr pipes, and the lifeline to bgop-exec-host. The run has ended when
 * the lifeline brings a report or its end; a descendant that still holds stdout does not delay that, and dies with
 * the group. */
#include "worker/handlers/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "worker/crash_point.h"
#include "worker/handlers/exec_environment.h"

enum { READ_SIZE = 64 * 1024, DRAIN_MAX_BYTES = 1024 * 1024, LINES_MAX_BYTES = 128 * 1024 * 1024 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- start ---- */

/* Both ends of everything, ours and the child's, closed on exec. */
struct ends {
    int ours[EXEC_RUN_FDS], childs[EXEC_RUN_FDS];
};

static bool ends_open(struct ends *ends)
{
    int pair[2];

    memset(ends, -1, sizeof *ends);
    for (int i = 0; i < EXEC_RUN_FDS; i++) {
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

static void ends_close(int fds[EXEC_RUN_FDS])
{
    for (int i = 0; i < EXEC_RUN_FDS; i++)
        close_fd(&fds[i]);
}

/* posix_spawn, not fork: this process has librdkafka's threads. The host starts with all signals blocked, so that a
 * SIGTERM to the group can never end it before its handler. */
static int spawn_host(pid_t *pid, const char *host_path, char *const *argv, char *const *environment,
                      const int fds[EXEC_RUN_FDS])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    int failure;

    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < EXEC_RUN_FDS; i++)
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

static int spawn(struct exec_run *run, const char *host_path, const int fds[EXEC_RUN_FDS])
{
    char **environment = exec_environment_new(run->execution);
    size_t count = 0;
    char **argv;
    int failure;

    while (run->argv[count])
        count++;
    argv = xmalloc((count + 2) * sizeof *argv);
    argv[0] = (char *)"bgop-exec-host";
    memcpy(argv + 1, run->argv, (count + 1) * sizeof *argv);
    failure = spawn_host(&run->host, host_path, argv, environment, fds);
    free(argv);
    free(environment);
    return failure;
}

static void prepare_input(struct exec_run *run)
{
    const struct claimed *op = execution_leader(run->execution)->op;

    buf_init(&run->lines, LINES_MAX_BYTES);
    if (run->execution->type->group)
        group_write_lines(&run->lines, run->execution);
    run->input_data = run->execution->type->group ? run->lines.data : op->payload;
    run->input_size = run->execution->type->group ? run->lines.size : op->payload_size;
}

void exec_run_start(struct exec_run *run, struct execution *execution, const char *host_path, char *const *argv)
{
    struct ends ends;
    int failure = 0;

    memset(run, 0, sizeof *run);
    run->execution = execution;
    run->argv = argv;
    run->kill_at_boot_ms = INT64_MAX;
    buf_init(&run->result, RESULT_MAX_BYTES);
    group_answers_init(&run->answers, execution);
    prepare_input(run);
    crash_point("spawn-before");
    if (!ends_open(&ends))
        failure = errno;
    else
        failure = spawn(run, host_path, ends.childs);
    crash_point("spawn-after");
    ends_close(ends.childs);
    run->input = ends.ours[STDIN_FILENO];
    run->output = ends.ours[STDOUT_FILENO];
    run->errors = ends.ours[STDERR_FILENO];
    run->lifeline = ends.ours[EXEC_HOST_LIFELINE];
    if (failure) {
        run->report = (struct exec_host_report){ EXEC_HOST_NOT_STARTED, failure };
        run->ended = true;
    } else if (run->input_size == 0) {
        close_fd(&run->input);
    }
}

/* ---- while it runs ---- */

int64_t exec_run_poll(const struct exec_run *run, struct pollfd fds[EXEC_RUN_FDS])
{
    fds[0] = (struct pollfd){ run->input, POLLOUT, 0 };
    fds[1] = (struct pollfd){ run->output, POLLIN, 0 };
    fds[2] = (struct pollfd){ run->errors, POLLIN, 0 };
    fds[3] = (struct pollfd){ run->lifeline, POLLIN, 0 };
    if (run->stopping == STOP_NONE && atomic_load(&run->execution->stop) != STOP_NONE)
        return 0;
    return run->stopping ? run->kill_at_boot_ms : run->execution->deadline_boot_ms;
}

static void write_input(struct exec_run *run)
{
    ssize_t written = write(run->input, run->input_data + run->input_used, run->input_size - run->input_used);

    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written > 0)
        run->input_used += (size_t)written;
    if (written < 0 || run->input_used == run->input_size)
        close_fd(&run->input); /* done; or EPIPE: it does not want (the rest of) its payload, which is its right */
}

static void take_output(struct exec_run *run, const char *data, size_t size)
{
    size_t room = RESULT_MAX_BYTES - run->result.size;

    if (run->execution->type->group) {
        group_answers_feed_lines(&run->answers, data, size);
        return;
    }
    run->result_total += size;
    buf_append(&run->result, data, size < room ? size : room);
}

/* One read; bytes taken, 0 at the end or when there is nothing. */
static size_t read_some(struct exec_run *run, int *fd)
{
    static _Thread_local char data[READ_SIZE];
    ssize_t size = *fd >= 0 ? read(*fd, data, sizeof data) : 0;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (size <= 0) {
        close_fd(fd);
        return 0;
    }
    if (fd == &run->output)
        take_output(run, data, (size_t)size);
    else
        last_line_feed(&run->last_line, data, (size_t)size);
    return (size_t)size;
}

static void read_report(struct exec_run *run)
{
    ssize_t size = recv(run->lifeline, &run->report, sizeof run->report, 0);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size != (ssize_t)sizeof run->report)
        run->report.kind = 0; /* the host died without a word */
    run->ended = true;
}

void exec_run_pump(struct exec_run *run, const struct pollfd fds[EXEC_RUN_FDS])
{
    if (fds[0].revents)
        write_input(run);
    if (fds[1].revents)
        read_some(run, &run->output);
    if (fds[2].revents)
        read_some(run, &run->errors);
    if (fds[3].revents)
        read_report(run);
}

void exec_run_check(struct exec_run *run, int64_t now_boot_ms)
{
    enum stop_reason why = (enum stop_reason)atomic_load(&run->execution->stop);

    if (run->ended)
        return;
    if (run->stopping == STOP_NONE) {
        if (why == STOP_NONE && now_boot_ms >= run->execution->deadline_boot_ms)
            why = STOP_TIMEOUT;
        if (why == STOP_NONE)
            return;
        run->stopping = why;
        run->kill_at_boot_ms = now_boot_ms + EXEC_KILL_AFTER_MS;
        kill(-run->host, SIGTERM);
    } else if (now_boot_ms >= run->kill_at_boot_ms) {
        run->kill_at_boot_ms = INT64_MAX;
        kill(-run->host, SIGKILL); /* the host too: the lifeline ends */
    }
}

/* ---- end ---- */

/* EX_DATAERR is a verdict on the payload: of several nobody knows whose. */
static void settle_exit(struct exec_run *run, int code)
{
    struct execution *execution = run->execution;
    size_t size;
    const char *text = last_line_text(&run->last_line, &size);
    enum entry_kind failure = execution_failure(execution);
    enum entry_kind kind = code == EX_DATAERR && failure == ENTRY_ERROR ? ENTRY_PERMANENT : failure;

    if (code != 0 && size > 0) {
        execution_settle(execution, kind, text, size);
    } else if (code != 0) {
        execution_settlef(execution, kind, "exit code %d", code);
    } else if (execution->type->group) {
        group_answers_finish(&run->answers);
    } else {
        execution_settle(execution, ENTRY_OK, NULL, 0);
        outcome_set_result(&execution_leader(execution)->outcome, run->result.data, run->result.size,
                           run->result_total);
    }
}

static void settle_signal(struct exec_run *run, int signal)
{
    const char *name = sigabbrev_np(signal);
    size_t size;
    const char *text = last_line_text(&run->last_line, &size);

    execution_settlef(run->execution, ENTRY_CRASHED, "crashed: signal %d (SIG%s)%s%.*s", signal, name ? name : "?",
                      size ? ": " : "", (int)size, text);
}

/* A command that cannot be run is retried: it may be missing only until a deployment is complete. */
static void settle(struct exec_run *run)
{
    if (run->execution->type->group)
        group_answers_end_lines(&run->answers);
    if (run->stopping != STOP_NONE)
        execution_settle_stopped(run->execution, run->stopping);
    else if (run->report.kind == EXEC_HOST_NOT_STARTED)
        execution_settlef(run->execution, execution_failure(run->execution), "cannot run %s: %s", run->argv[0],
                          strerror(run->report.value));
    else if (run->report.kind != EXEC_HOST_ENDED)
        execution_settlef(run->execution, ENTRY_CRASHED, "crashed: killed from outside");
    else if (WIFSIGNALED(run->report.value))
        settle_signal(run, WTERMSIG(run->report.value));
    else
        settle_exit(run, WEXITSTATUS(run->report.value));
}

void exec_run_finish(struct exec_run *run)
{
    size_t drained = 0, got;

    if (run->host > 0) {
        kill(-run->host, SIGKILL); /* the host is not reaped yet, so the group is still ours */
        while (waitpid(run->host, NULL, 0) < 0 && errno == EINTR)
            continue;
        crash_point("reap-after");
    }
    do {
        got = read_some(run, &run->output) + read_some(run, &run->errors);
        drained += got;
    } while (got > 0 && drained < DRAIN_MAX_BYTES);
    settle(run);
    close_fd(&run->input);
    close_fd(&run->output);
    close_fd(&run->errors);
    close_fd(&run->lifeline);
    buf_release(&run->lines);
    buf_release(&run->result);
    group_answers_release(&run->answers);
}
