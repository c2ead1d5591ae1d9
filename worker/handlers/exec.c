/* exec: each execution is one process, started without a shell under bgop-exec-host (exec_host.c).
 *
 * One thread does everything: it polls the pipes of all runs and an eventfd by which start() and wake() reach it. Runs
 * are few (concurrency), so it simply looks at all of them each time. */
#include "worker/handlers/handler.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/thread.h"
#include "worker/handlers/exec_command.h"
#include "worker/handlers/exec_pool.h"
#include "worker/handlers/exec_settle.h"
#include "worker/handlers/exec_trouble.h"

struct exec_state {
    struct handler_sink sink;
    char host_path[4096];
    pthread_t thread;
    int wake; /* eventfd */
    atomic_bool closing;
    pthread_mutex_t lock;
    struct execution *incoming; /* newest first; under the lock */

    struct exec_run **runs; /* the thread's own from here */
    size_t count, capacity;
    struct exec_pool pool;
    struct pollfd *polls;
    size_t polls_capacity;
    struct outage blind;
};

enum { BLIND_LOOK_MS = 10 };

/* No reason not to start: the command may be there before the first operation is. */
static void warn_of_trouble(const struct type_config *type, const char *program)
{
    char why[EXEC_TROUBLE_SIZE], text[EXEC_TROUBLE_SIZE + 300];
    int error = exec_trouble_foresee(program);

    if (error == 0)
        return;
    snprintf(text, sizeof text, "%.200s: %s%s", program, strerror(error), exec_trouble(why, program, error));
    log_error_text(LOG_LEVEL_WARNING, "command cannot be run", text, "type=%s", type->name);
}

static enum status exec_prepare(const struct type_config *type, void **prepared, struct err *err)
{
    char **argv;
    enum status st;

    if (!type->command || !type->command[0])
        return err_set(err, ST_INVALID, "handler = exec needs command = PROGRAM [ARGUMENT...]");
    st = exec_command_split(type->command, &argv, err);
    if (st != ST_OK)
        return st;
    warn_of_trouble(type, argv[0]);
    *prepared = argv;
    return ST_OK;
}

static void exec_discard(void *prepared)
{
    exec_command_free(prepared);
}

/* ---- the thread ---- */

/* In order of arrival. */
static struct execution *take_incoming(struct exec_state *state)
{
    struct execution *taken, *ordered = NULL;

    pthread_mutex_lock(&state->lock);
    taken = state->incoming;
    state->incoming = NULL;
    pthread_mutex_unlock(&state->lock);
    while (taken) {
        struct execution *next = taken->queue_next;

        taken->queue_next = ordered;
        ordered = taken;
        taken = next;
    }
    return ordered;
}

static void start_incoming(struct exec_state *state)
{
    struct execution *next;

    for (struct execution *execution = take_incoming(state); execution; execution = next) {
        struct exec_run *run = xmalloc(sizeof *run);
        struct exec_process idle;

        next = execution->queue_next;
        if (exec_pool_take(&state->pool, execution->type, &idle))
            exec_run_continue(run, execution, &idle, execution->type->prepared);
        else
            exec_run_start(run, execution, state->host_path, execution->type->prepared);
        GROW(state->runs, state->count, state->capacity);
        state->runs[state->count++] = run;
    }
}

static void finish(struct exec_state *state, struct exec_run *run)
{
    if (run->answered) {
        exec_pool_give(&state->pool, run->execution->type, &run->process);
        run->process = (struct exec_process){ 0, -1, -1, -1, -1, { 0, 0 } };
    } else {
        exec_settle(run, state->host_path, exec_run_end(run));
    }
    exec_run_release(run);
    free(run);
}

/* Hands over what has ended; the others move together. */
static void finish_ended(struct exec_state *state)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->count; i++) {
        struct exec_run *run = state->runs[i];
        struct execution *execution = run->execution;

        if (!run->ended && !run->answered) {
            state->runs[kept++] = run;
            continue;
        }
        finish(state, run);
        state->sink.finished(state->sink.arg, &execution, 1);
    }
    state->count = kept;
}

static int until(int64_t due_boot_ms, int64_t now_boot_ms)
{
    int64_t left = due_boot_ms - now_boot_ms;

    return due_boot_ms == INT64_MAX || left > 60000 ? 60000 : left < 0 ? 0 : (int)left;
}

static size_t poll_count(const struct exec_state *state)
{
    return 1 + state->count * EXEC_RUN_FDS + state->pool.count * EXEC_POOL_FDS;
}

static struct pollfd *pool_polls(const struct exec_state *state)
{
    return &state->polls[1 + state->count * EXEC_RUN_FDS];
}

/* That poll itself fails (EINVAL: somebody has lowered the limit of open files below their number; ENOMEM) must not stop
 * the handlers: all are looked at then, none of which blocks, a hundred times a second. */
static void poll_all(struct exec_state *state, int timeout_ms)
{
    size_t count = poll_count(state);
    int ready = poll(state->polls, count, timeout_ms);
    bool broken = ready < 0 && errno != EINTR;

    if (broken) {
        outage_begin(&state->blind, "exec: poll", strerror(errno));
        usleep((useconds_t)(timeout_ms < BLIND_LOOK_MS ? timeout_ms : BLIND_LOOK_MS) * 1000);
    } else if (ready >= 0) {
        outage_end(&state->blind, "exec: poll");
    }
    for (size_t i = 0; ready < 0 && i < count; i++)
        state->polls[i].revents = broken && state->polls[i].fd >= 0 ? state->polls[i].events : 0;
}

/* Waits for something to happen; afterwards every run's poll results are in state->polls. */
static void wait_for_events(struct exec_state *state)
{
    int64_t due = INT64_MAX;
    uint64_t woken;

    if (state->polls_capacity < poll_count(state)) {
        state->polls_capacity = 2 * poll_count(state);
        state->polls = xrealloc(state->polls, state->polls_capacity * sizeof *state->polls);
    }
    state->polls[0] = (struct pollfd){ state->wake, POLLIN, 0 };
    for (size_t i = 0; i < state->count; i++) {
        int64_t run_due = exec_run_poll(state->runs[i], &state->polls[1 + i * EXEC_RUN_FDS]);

        if (run_due < due)
            due = run_due;
        if (state->runs[i]->ended || state->runs[i]->answered)
            due = 0;
    }
    exec_pool_poll(&state->pool, pool_polls(state));
    poll_all(state, until(due, clock_boot_ms()));
    if (state->polls[0].revents)
        (void)!read(state->wake, &woken, sizeof woken);
}

static void *exec_loop(void *arg)
{
    struct exec_state *state = arg;

    pthread_setname_np(pthread_self(), "exec");
    while (!atomic_load(&state->closing) || state->count > 0) {
        int64_t now;

        wait_for_events(state);
        now = clock_boot_ms();
        for (size_t i = 0; i < state->count; i++) {
            exec_run_pump(state->runs[i], &state->polls[1 + i * EXEC_RUN_FDS]);
            exec_run_check(state->runs[i], now);
        }
        exec_pool_pump(&state->pool, pool_polls(state));
        finish_ended(state);
        start_incoming(state);
        exec_pool_rest(&state->pool);
    }
    exec_pool_close(&state->pool);
    return NULL;
}

/* ---- from other threads ---- */

static void exec_wake(void *arg)
{
    struct exec_state *state = arg;

    (void)!write(state->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void exec_start(void *arg, struct execution *const *executions, size_t count)
{
    struct exec_state *state = arg;

    pthread_mutex_lock(&state->lock);
    for (size_t i = 0; i < count; i++) {
        executions[i]->queue_next = state->incoming;
        state->incoming = executions[i];
    }
    pthread_mutex_unlock(&state->lock);
    exec_wake(state);
}

/* bgop-exec-host: where BGOP_EXEC_HOST says, else beside this program. */
static enum status find_host(char *path, size_t room, struct err *err)
{
    const char *given = getenv("BGOP_EXEC_HOST");
    ssize_t size = readlink("/proc/self/exe", path, room - sizeof "/bgop-exec-host");

    if (given) {
        snprintf(path, room, "%s", given);
    } else {
        path[size < 0 ? 0 : size] = '\0';
        snprintf(strrchr(path, '/') ? strrchr(path, '/') : path, sizeof "/bgop-exec-host", "/bgop-exec-host");
    }
    if (access(path, X_OK) < 0) {
        return err_set(err, ST_FAILED, "handler exec needs the program %s: %s (BGOP_EXEC_HOST names another place)",
                       path, strerror(errno));
    }
    return ST_OK;
}

static void *exec_open(const struct handler_sink *sink, struct err *err)
{
    struct exec_state *state = xcalloc(1, sizeof *state);

    state->sink = *sink;
    if (find_host(state->host_path, sizeof state->host_path, err) != ST_OK) {
        free(state);
        return NULL;
    }
    pthread_mutex_init(&state->lock, NULL);
    state->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state->wake < 0)
        err_set(err, ST_FAILED, "handler exec cannot make its eventfd: %s", strerror(errno));
    else if (thread_start(&state->thread, exec_loop, state, "the exec handler's", err) == ST_OK)
        return state;
    if (state->wake >= 0)
        close(state->wake);
    pthread_mutex_destroy(&state->lock);
    free(state);
    return NULL;
}

static void exec_close(void *arg)
{
    struct exec_state *state = arg;

    atomic_store(&state->closing, true);
    exec_wake(state);
    pthread_join(state->thread, NULL);
    close(state->wake);
    pthread_mutex_destroy(&state->lock);
    free(state->runs);
    free(state->polls);
    free(state);
}

const struct handler exec_handler = {
    .name = "exec",
    .concurrency = 8,
    .descriptors = EXEC_RUN_FDS,
    .prepare = exec_prepare,
    .discard = exec_discard,
    .open = exec_open,
    .start = exec_start,
    .wake = exec_wake,
    .close = exec_close,
};
