#include "worker/handlers/exec_pool.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"

enum { LEAVE_MS = 2000 };

/* ---- give and take ---- */

static void forget(struct exec_pool *pool, size_t index)
{
    struct exec_idle *idle = &pool->idle[index];

    exec_process_reap(&idle->process);
    exec_process_close(&idle->process);
    *idle = pool->idle[--pool->count];
}

/* A report is as good as the end: all that the host will say from then on is that. */
static bool has_ended(const struct exec_process *process)
{
    struct exec_host_report report;

    return exec_process_read_report(process, &report) != 0;
}

bool exec_pool_take(struct exec_pool *pool, const struct served_type *type, struct exec_process *process)
{
    for (size_t i = pool->count; i-- > 0;) {
        if (pool->idle[i].type != type)
            continue;
        if (!has_ended(&pool->idle[i].process)) {
            *process = pool->idle[i].process;
            pool->idle[i] = pool->idle[--pool->count];
            return true;
        }
        exec_process_await_end(&pool->idle[i].process, LEAVE_MS);
        forget(pool, i);
    }
    return false;
}

void exec_pool_give(struct exec_pool *pool, const struct served_type *type, const struct exec_process *process)
{
    GROW(pool->idle, pool->count, pool->capacity);
    pool->idle[pool->count++] = (struct exec_idle){ *process, type };
}

void exec_pool_rest(struct exec_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        exec_process_tell_lease(&pool->idle[i].process, NULL);
}

/* ---- while they wait ---- */

void exec_pool_poll(const struct exec_pool *pool, struct pollfd *fds)
{
    for (size_t i = 0; i < pool->count; i++, fds += EXEC_POOL_FDS) {
        fds[0] = (struct pollfd){ pool->idle[i].process.output, POLLIN, 0 };
        fds[1] = (struct pollfd){ pool->idle[i].process.errors, POLLIN, 0 };
        fds[2] = (struct pollfd){ pool->idle[i].process.lifeline, POLLIN, 0 };
    }
}

/* Answers whether it was closed. */
static bool drain(int fd)
{
    char ignored[4096];

    return read(fd, ignored, sizeof ignored) == 0;
}

void exec_pool_pump(struct exec_pool *pool, const struct pollfd *fds)
{
    for (size_t i = pool->count; i-- > 0;) { /* forgetting one moves the last here, which was looked at */
        struct exec_process *process = &pool->idle[i].process;
        const struct pollfd *mine = fds + i * EXEC_POOL_FDS;

        if (mine[1].revents && drain(process->errors))
            exec_close_fd(&process->errors);
        if (mine[0].revents && drain(process->output))
            exec_process_end(process); /* it will never answer again */
        else if (!mine[2].revents || !has_ended(process))
            continue;
        log_event(LOG_LEVEL_INFO, "handler left", "type=%s pid=%d while=idle", pool->idle[i].type->config->name,
                  (int)process->host);
        exec_process_await_end(process, LEAVE_MS);
        forget(pool, i);
    }
}

/* ---- end ---- */

static void await_all(struct exec_pool *pool)
{
    int64_t until = clock_boot_ms() + LEAVE_MS;

    for (size_t i = 0; i < pool->count; i++) {
        int64_t left = until - clock_boot_ms();

        exec_process_await_end(&pool->idle[i].process, left > 0 ? (int)left : 0);
    }
}

void exec_pool_close(struct exec_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        exec_close_fd(&pool->idle[i].process.input);
    await_all(pool);
    for (size_t i = 0; i < pool->count; i++)
        exec_process_end(&pool->idle[i].process);
    await_all(pool);
    while (pool->count > 0)
        forget(pool, pool->count - 1);
    free(pool->idle);
}
