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
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/* When memory runs out, the kernel shall take the handler rather than the worker or somebody's Redis. */
static int oom_score(int file)
{
    char text[16] = "";

    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static void set_oom_score(int file, int score)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d", score < 1000 ? score : 1000);

    if (file >= 0)
        (void)!write(file, text, (size_t)size);
}

static void set_soft_limit(rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The hard ones, which the host needs not to have itself. Memory is looked at as well, but so often only: a single process
 * cannot run far ahead. A multiple, because what is reserved is more than what is used. */
static void set_hard_limits(pid_t pid, const struct exec_host_limits *limits)
{
    struct rlimit files = { (rlim_t)limits->open_files, (rlim_t)limits->open_files };
    rlim_t data = 2 * (rlim_t)limits->memory_bytes + (256u << 20);
    struct rlimit now;

    if (limits->open_files && prlimit(pid, RLIMIT_NOFILE, NULL, &now) == 0 && files.rlim_max < now.rlim_max)
        prlimit(pid, RLIMIT_NOFILE, &files, NULL);
    if (limits->memory_bytes && prlimit(pid, RLIMIT_DATA, NULL, &now) == 0 && data < now.rlim_max)
        prlimit(pid, RLIMIT_DATA, &(struct rlimit){ data, data }, NULL);
}

/* Some of it the handler inherits, so the host has it for a moment. */
static int start_limited(struct host *host, const struct exec_host_order *order, char **command)
{
    const struct exec_host_limits *limits = &order->limits;
    int64_t files = limits->open_files ? limits->open_files : order->usual_open_files;
    struct rlimit before = { .rlim_cur = RLIM_INFINITY };
    int score_file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), score = oom_score(score_file), failure;

    (void)getrlimit(RLIMIT_NOFILE, &before);
    if (files > 0)
        set_soft_limit((rlim_t)files);
    set_oom_score(score_file, score + OOM_SCORE_MORE);
    failure = start_handler(&host->handler, command);
    set_oom_score(score_file, score);
    set_soft_limit(before.rlim_cur);
    if (score_file >= 0)
        close(score_file);
    if (!failure)
        set_hard_limits(host->handler, limits);
    return failure;
}

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
    return start_limited(host, order, command);
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
