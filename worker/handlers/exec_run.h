/* One handler process from spawn to settled outcome. Owned by exec.c's loop thread, which polls its descriptors. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_RUN_H
#define BGOP_WORKER_HANDLERS_EXEC_RUN_H

#include <poll.h>
#include <sys/types.h>

#include "worker/exec_host.h"
#include "worker/handlers/group.h"
#include "worker/handlers/last_line.h"

enum { EXEC_KILL_AFTER_MS = 2000 }; /* from SIGTERM to SIGKILL */
enum { EXEC_RUN_FDS = 4 };

struct exec_run {
    struct execution *execution;
    char *const *argv;                   /* the Type's */
    pid_t host;                          /* bgop-exec-host, leader of the handler's process group */
    int input, output, errors, lifeline; /* our ends; -1: closed */
    struct buf lines;                    /* what a group's handler reads on stdin */
    const char *input_data;              /* payload, or lines */
    size_t input_size, input_used;
    struct buf result; /* the first RESULT_MAX_BYTES of stdout */
    size_t result_total;
    struct group_answers answers;
    struct last_line last_line;     /* of stderr */
    enum stop_reason stopping;      /* SIGTERM was sent because of this */
    int64_t kill_at_boot_ms;        /* SIGKILL is due; INT64_MAX: not, or done */
    struct exec_host_report report; /* kind 0: none came */
    bool ended;
};

/* Starts the process; when that fails the run has ended already (and the outcome will name the command). */
void exec_run_start(struct exec_run *run, struct execution *execution, const char *host_path, char *const *argv);
/* Fills what to poll for; answers the boot time at which exec_run_check must be called at the latest. */
int64_t exec_run_poll(const struct exec_run *run, struct pollfd fds[EXEC_RUN_FDS]);
/* Moves bytes, notices the end. */
void exec_run_pump(struct exec_run *run, const struct pollfd fds[EXEC_RUN_FDS]);
/* Timeout, stop and SIGKILL that are due. */
void exec_run_check(struct exec_run *run, int64_t now_boot_ms);
/* After it has ended: kills what is left of the group, reaps, settles the outcomes, closes and frees what it holds. */
void exec_run_finish(struct exec_run *run);

#endif
