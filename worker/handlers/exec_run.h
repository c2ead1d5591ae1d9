/* One handler process from spawn to settled outcome. Owned by exec.c's loop thread, which polls its descriptors. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_RUN_H
#define BGOP_WORKER_HANDLERS_EXEC_RUN_H

#include <poll.h>

#include "worker/handlers/exec_process.h"
#include "worker/handlers/group.h"
#include "worker/handlers/last_line.h"

enum {
    EXEC_KILL_AFTER_MS = 2000,     /* from SIGTERM to SIGKILL */
    EXEC_GIVE_UP_AFTER_MS = 30000, /* the host's, to end all that is left: thousands perhaps */
};
enum { EXEC_RUN_FDS = EXEC_PROCESS_FDS };
/* Reports of our own. */
enum {
    EXEC_RUN_NO_HOST = 100,     /* the host could not be started; value: errno */
    EXEC_RUN_OVER_OUTPUT = 101, /* it wrote too much */
};
/* How far the end of a run has come. */
enum exec_step {
    EXEC_RUNS,
    EXEC_TERMINATED,   /* SIGTERM was sent to the group */
    EXEC_ASKED_TO_END, /* the host kills all that is left: it was told to, or the handler has ended */
    EXEC_KILLED,       /* the host did not: SIGKILL was sent to it and the group */
};

struct exec_run {
    struct execution *execution;
    char *const *argv; /* the Type's */
    struct exec_process process;
    struct buf lines;       /* what a group's handler reads on stdin */
    const char *input_data; /* payload, or lines */
    size_t input_size, input_used;
    int64_t written;   /* bytes, to stdout and stderr */
    struct buf result; /* the first RESULT_MAX_BYTES of stdout */
    size_t result_total;
    struct group_answers answers;
    struct last_line last_line; /* of stderr */
    enum stop_reason stopping;  /* SIGTERM was sent because of this */
    enum exec_step step;
    int64_t next_step_boot_ms;      /* is due; INT64_MAX: none is */
    struct exec_host_report report; /* kind 0: none came */
    bool ended;                     /* the host has, and so has everything else */
    bool answered;                  /* every member is, and the process waits for more work (persistent) */
};

/* Does a process of the Type serve one execution after the other? */
bool exec_is_persistent(const struct served_type *type);
static inline bool exec_speaks_lines(const struct served_type *type)
{
    return type->group || exec_is_persistent(type);
}

/* As exec_run_start, in a process that lives; which is the run's from here on. */
void exec_run_continue(struct exec_run *run, struct execution *execution, const struct exec_process *process,
                       char *const *argv);
/* Starts the process; when that fails the run has ended already (and the outcome will name the command). */
void exec_run_start(struct exec_run *run, struct execution *execution, const char *host_path, char *const *argv);
/* Fills what to poll for; answers the boot time at which exec_run_check must be called at the latest. */
int64_t exec_run_poll(const struct exec_run *run, struct pollfd fds[EXEC_RUN_FDS]);
/* Moves bytes, notices the end. */
void exec_run_pump(struct exec_run *run, const struct pollfd fds[EXEC_RUN_FDS]);
/* Timeout, stop and SIGKILL that are due. */
void exec_run_check(struct exec_run *run, int64_t now_boot_ms);
/* After it has ended: takes the last of its output, and answers the host's wait status; then the outcomes are settled
 * (exec_settle.h) and what it holds is given back. */
int exec_run_end(struct exec_run *run);
/* Of one that was answered the process goes on: it is to be taken out before. */
void exec_run_release(struct exec_run *run);

#endif
