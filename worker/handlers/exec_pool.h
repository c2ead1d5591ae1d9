/* Processes of Types with `persistent = yes` that wait for their next operation. Owned by exec.c's loop thread. One that
 * dies meanwhile is noticed and forgotten; what it writes meanwhile is nobody's answer. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_POOL_H
#define BGOP_WORKER_HANDLERS_EXEC_POOL_H

#include <poll.h>
#include <stddef.h>

#include "worker/execution/execution.h"
#include "worker/handlers/exec_process.h"

enum { EXEC_POOL_FDS = 3 };
struct exec_idle {
    struct exec_process process;
    const struct served_type *type;
};
struct exec_pool {
    struct exec_idle *idle; /* the last to wait is the first to go */
    size_t count, capacity;
};

/* One of the Type's that lives; false: there is none. */
bool exec_pool_take(struct exec_pool *pool, const struct served_type *type, struct exec_process *process);
/* Takes over a process that has done its work. */
void exec_pool_give(struct exec_pool *pool, const struct served_type *type, const struct exec_process *process);
/* Fills count * EXEC_POOL_FDS places with what to poll for. */
void exec_pool_poll(const struct exec_pool *pool, struct pollfd *fds);
/* After the poll, before anything else was given or taken. */
void exec_pool_pump(struct exec_pool *pool, const struct pollfd *fds);
/* Tells those that still wait that they have no lease to lose. */
void exec_pool_rest(struct exec_pool *pool);
/* Ends all: by the end of their standard input, and where that does not help in the end by force. */
void exec_pool_close(struct exec_pool *pool);

#endif
