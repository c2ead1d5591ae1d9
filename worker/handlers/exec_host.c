/* bgop-exec-host COMMAND [ARGUMENT...]: runs one handler process for bgop-worker, and sees to it that nothing of it
 * outlives the worker, the attempt or its lease, not even as a zombie.
 *
 * The worker starts it as leader of a new process group; the handler and whatever it starts live in that group too, or
 * (daemons) in sessions of their own. The host is the subreaper of them all: orphans become its children, so that none
 * is lost sight of. All are ended, by SIGKILL, and reaped: when the handler has ended (after that was reported), when
 * the worker shuts its end of the lifeline down or dies (PR_SET_PDEATHSIG would reach only the direct child, and
 * fires when the spawning *thread* ends). The worker's SIGTERM goes to the whole group: the host keeps all signals
 * blocked, the handler starts with none blocked and all at their defaults.
 *
 * The lease is kept here by a clock of its own, because a worker that is stopped, hangs or cannot reach Redis would not
 * end its handlers in time, and the next attempt would run beside them. CLOCK_BOOTTIME goes on while the machine sleeps.
 *
 * It holds no descriptor of the worker but 0, 1, 2, which it gives away, and the lifeline. Exit status: 0, or the worker
 * is told that the host could not even begin.
 *
 * Limits are of the handler and all that it starts, which no limit of a process is (RLIMIT_NPROC counts all processes of
 * a user, and root has none), so the host looks: exec_host_tree.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "worker/handlers/exec_host.h"
#include "worker/handlers/exec_host_tree.h"

extern char **environ;

enum { PAUSE_MS = 10, LOOK_FIRST_MS = 20, LOOK_MOST_MS = 250, LOOK_CLOSELY_MS = 50, OOM_SCORE_MORE = 500 };

struct host {
    pid_t handler;
    int status;          /* of the handler, once it has ended */
    int children, timer; /* signalfd of SIGCHLD; timerfd of the lease's next step */
    struct exec_host_lease lease;
    bool terminated; /* the first step was taken */
    struct exec_host_limits limits;
    int64_t cpu_before_ms; /* spent by executions before this one */
    int64_t look_ms;       /* pause before the next look at what is used; -1: none */
    int64_t next_look_ms;
};

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void report(enum exec_host_kind kind, int value)
{
    struct exec_host_report message = { (int)kind, value };

    (void)send(EXEC_HOST_LIFELINE, &message, sizeof message, MSG_NOSIGNAL);
}

/* ---- the end of all ---- */

/* The group dies at once (nothing in it can fork its way out), for which the host leaves it; then whoever became an
 * orphan of it, until nobody is left. Where that cannot be (the worker's group is gone with it, no /proc): as far as it
 * goes, and at last the group with the host in it. */
static _Noreturn void end_all(pid_t workers_group)
{
    pid_t group = getpid();
    bool left = setpgid(0, workers_group) == 0 && getpgrp() != group;

    if (left)
        kill(-group, SIGKILL);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid < 0 || (pid == 0 && !exec_host_kill_children()))
            break;
        if (pid == 0)
            waitpid(-1, NULL, 0);
    }
    kill(-group, SIGKILL);
    _exit(0);
}

/* ---- the handler ---- */

/* When memory runs out, the kernel shall take the handler rather than the worker or somebody's Redis. */
static void raise_oom_score(void)
{
    int file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), score, size;
    char text[16] = "";

    if (file < 0 || pread(file, text, sizeof text - 1, 0) <= 0)
        return;
    score = (int)strtol(text, NULL, 10) + OOM_SCORE_MORE;
    size = snprintf(text, sizeof text, "%d", score < 1000 ? score : 1000);
    (void)!write(file, text, (size_t)size);
}

/* Never above what there is. */
static void set_limit(__rlimit_resource_t resource, int64_t soft, int64_t hard)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0)
        return;
    limit.rlim_max = hard && (rlim_t)hard < limit.rlim_max ? (rlim_t)hard : limit.rlim_max;
    limit.rlim_cur = soft && (rlim_t)soft < limit.rlim_max ? (rlim_t)soft : limit.rlim_max;
    setrlimit(resource, &limit);
}

/* Memory is looked at as well, but so often only: a single process cannot run far ahead. A multiple, because what is
 * reserved is more than what is used. */
static void set_limits(const struct exec_host_order *order)
{
    const struct exec_host_limits *limits = &order->limits;
    int64_t data = limits->memory_bytes ? 2 * limits->memory_bytes + (INT64_C(256) << 20) : 0;

    if (limits->open_files || order->usual_open_files)
        set_limit(RLIMIT_NOFILE, limits->open_files ? limits->open_files : order->usual_open_files, limits->open_files);
    if (data)
        set_limit(RLIMIT_DATA, data, data);
}

/* execvp, but what is no program is not given to a shell. Answers why it could not. */
static int execute(char **argv)
{
    const char *folders = getenv("PATH");
    int failure = ENOENT;

    if (strchr(argv[0], '/')) {
        execve(argv[0], argv, environ);
        return errno;
    }
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int size = (int)strcspn(at, ":");
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%.*s/%s", size ? size : 1, size ? at : ".", argv[0]) >= (int)sizeof path)
            continue;
        execve(path, argv, environ);
        if (errno != ENOENT && errno != ENOTDIR)
            failure = errno;
        if (failure != ENOENT && failure != EACCES)
            break;
    }
    return failure;
}

/* The child of fork. Limits are there before the handler's first step: set from outside they would come too late for what
 * it has started by then. */
static _Noreturn void become_handler(const struct exec_host_order *order, char **argv, int trouble)
{
    sigset_t none;
    int failure;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    raise_oom_score();
    set_limits(order);
    failure = execute(argv);
    (void)!write(trouble, &failure, sizeof failure);
    _exit(0);
}

/* 0, or an errno. */
static int start_handler(pid_t *pid, const struct exec_host_order *order, char **argv)
{
    int trouble[2], failure = 0;

    if (pipe2(trouble, O_CLOEXEC) < 0)
        return errno;
    *pid = fork();
    if (*pid == 0)
        become_handler(order, argv, trouble[1]);
    failure = *pid < 0 ? errno : 0;
    close(trouble[1]);
    if (!failure && read(trouble[0], &failure, sizeof failure) == (ssize_t)sizeof failure)
        waitpid(*pid, NULL, 0);
    close(trouble[0]);
    return failure;
}

/* Reaps orphans, and the handler: then answers true. */
static bool has_ended(struct host *host)
{
    pid_t pid;
    int any;

    while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
        if (pid == host->handler) {
            host->status = any;
            return true;
        }
    }
    return false;
}

/* ---- limits ---- */

static bool is_over(int64_t used, int64_t limit)
{
    return limit > 0 && used > limit;
}

static bool is_near(int64_t used, int64_t limit)
{
    return limit > 0 && used > limit / 4;
}

/* Answers which limit was exceeded, or 0. Handlers that end soon are never looked at. */
static enum exec_host_kind look(struct host *host)
{
    const struct exec_host_limits *limits = &host->limits;
    int64_t most = limits->tasks ? limits->tasks : EXEC_HOST_TREE_MOST;
    struct exec_host_use use;

    exec_host_look(&use, most, limits->memory_bytes || limits->cpu_ms);
    if (is_over(use.tasks, limits->tasks))
        return EXEC_HOST_OVER_TASKS;
    if (is_over(use.memory_bytes, limits->memory_bytes))
        return EXEC_HOST_OVER_MEMORY;
    if (is_over(use.cpu_ms - host->cpu_before_ms, limits->cpu_ms))
        return EXEC_HOST_OVER_CPU;
    host->look_ms = host->look_ms * 2 < LOOK_MOST_MS ? host->look_ms * 2 : LOOK_MOST_MS;
    if (host->look_ms > LOOK_CLOSELY_MS &&
        (is_near(use.tasks, limits->tasks) || is_near(use.memory_bytes, limits->memory_bytes)))
        host->look_ms = LOOK_CLOSELY_MS;
    host->next_look_ms = now_ms(CLOCK_MONOTONIC) + host->look_ms;
    return 0;
}

static int64_t cpu_used_ms(void)
{
    struct exec_host_use use;

    exec_host_look(&use, EXEC_HOST_TREE_MOST, true);
    return use.cpu_ms;
}

static int until_look(const struct host *host)
{
    int64_t left = host->next_look_ms - now_ms(CLOCK_MONOTONIC);

    return host->look_ms < 0 ? -1 : left < 0 ? 0 : (int)left;
}

/* What multiplies faster than it can be ended would win against an ordinary process: of a thousand that run, the host
 * is one. Where it may not rise above them it goes on as it is. */
static void rise_above(void)
{
    const struct sched_param least = { .sched_priority = 1 };

    if (sched_setscheduler(0, SCHED_FIFO, &least) < 0)
        setpriority(PRIO_PROCESS, 0, -20);
}

/* ---- the lease ---- */

static void set_timer(const struct host *host)
{
    int64_t due = host->terminated ? host->lease.kill_boot_ms : host->lease.terminate_boot_ms;
    struct itimerspec at = { .it_value = { due / 1000, due % 1000 * 1000000 } };

    if (due <= 0) /* long ago; 0 would mean never */
        at.it_value = (struct timespec){ 0, 1 };
    timerfd_settime(host->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Answers whether it is time to end all. */
static bool lease_step(struct host *host)
{
    bool over = host->terminated;

    host->terminated = true;
    if (!over)
        kill(-getpid(), SIGTERM); /* its group; the host is deaf to it */
    set_timer(host);
    return over;
}

/* false: the worker wants the end, or is gone. A handler that was told to end does not get more time. */
static bool read_order(struct host *host)
{
    struct exec_host_order order;

    if (recv(EXEC_HOST_LIFELINE, &order, sizeof order, 0) != (ssize_t)sizeof order)
        return false;
    host->lease = order.lease;
    if (!host->terminated)
        set_timer(host);
    if (order.begins && host->limits.cpu_ms)
        host->cpu_before_ms = cpu_used_ms();
    return true;
}

/* What its descriptors have to say. */
static enum exec_host_kind take_events(struct host *host, const struct pollfd events[3], bool *gone)
{
    char ignored[sizeof(struct signalfd_siginfo)];

    *gone = events[0].revents && !read_order(host);
    if (events[1].revents)
        (void)!read(host->children, ignored, sizeof ignored);
    if (events[2].revents && read(host->timer, ignored, sizeof(uint64_t)) > 0 && lease_step(host))
        return EXEC_HOST_LEASE_ENDED;
    return 0;
}

/* Until the handler has ended, or has to; answers what to report; 0: nobody wants to know. */
static enum exec_host_kind wait_for_end(struct host *host)
{
    struct pollfd events[] = { { EXEC_HOST_LIFELINE, POLLIN, 0 },
                               { host->children, POLLIN, 0 },
                               { host->timer, POLLIN, 0 } };
    enum exec_host_kind kind = 0;
    bool gone = false;

    while (!has_ended(host)) {
        if (poll(events, 3, until_look(host)) < 0)
            usleep(PAUSE_MS * 1000); /* no memory: it may come back */
        else
            kind = take_events(host, events, &gone);
        if (!kind && !gone && until_look(host) == 0)
            kind = look(host);
        if (kind || gone)
            return kind;
    }
    return host->terminated ? EXEC_HOST_LEASE_ENDED : EXEC_HOST_ENDED;
}

/* ---- what it was given ---- */

/* A worker that was stopped between the claim and here starts nothing that is somebody else's by now. */
static bool is_too_late(const struct exec_host_lease *lease)
{
    return now_ms(CLOCK_BOOTTIME) >= lease->terminate_boot_ms;
}

/* 0, or an errno. */
static int begin(struct host *host, const struct exec_host_order *order, char **command)
{
    bool any = order->limits.memory_bytes || order->limits.tasks || order->limits.cpu_ms;
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    host->children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    host->timer = host->children < 0 ? -1 : timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (host->timer < 0)
        return errno;
    host->lease = order->lease;
    host->limits = order->limits;
    host->look_ms = any ? LOOK_FIRST_MS : -1;
    host->next_look_ms = now_ms(CLOCK_MONOTONIC) + LOOK_FIRST_MS;
    set_timer(host);
    return start_handler(&host->handler, order, command);
}

int main(int argc, char **argv)
{
    pid_t workers_group = getpgid(getppid());
    struct exec_host_order order;
    struct host host = { 0 };
    enum exec_host_kind kind;
    sigset_t all;
    int failure;

    if (argc < 2 || fcntl(EXEC_HOST_LIFELINE, F_SETFD, FD_CLOEXEC) < 0 ||
        recv(EXEC_HOST_LIFELINE, &order, sizeof order, 0) != (ssize_t)sizeof order)
        return 64; /* not for people: the worker starts it */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGCHLD, SIG_DFL); /* where it is ignored children leave no exit status */
    if (getpgrp() != getpid())
        setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    syscall(SYS_close_range, EXEC_HOST_LIFELINE + 1, ~0U, 0); /* what a library of the worker left inheritable */
    failure = is_too_late(&order.lease) ? -1 : begin(&host, &order, argv + 1);
    if (failure) {
        report(failure < 0 ? EXEC_HOST_LEASE_ENDED : EXEC_HOST_NOT_STARTED, failure);
        _exit(0);
    }
    for (int fd = 0; fd < EXEC_HOST_LIFELINE; fd++)
        close(fd); /* the pipes are the handler's alone: closing them must mean something */
    kind = wait_for_end(&host);
    if (kind == EXEC_HOST_OVER_TASKS)
        rise_above();
    if (kind)
        report(kind, host.status);
    end_all(workers_group);
}
