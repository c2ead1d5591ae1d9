/* A handler process under bgop-exec-host, with the pipes and the lifeline between it and this worker. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_PROCESS_H
#define BGOP_WORKER_HANDLERS_EXEC_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker/handlers/exec_host.h"

struct execution;

enum { EXEC_PROCESS_FDS = 4 };
struct exec_process {
    pid_t host;                          /* bgop-exec-host, leader of the handler's process group; 0: none */
    int input, output, errors, lifeline; /* our ends, which never block; -1: closed */
    struct exec_host_lease lease;        /* as the host knows it */
};

/* Starts it; an errno: host is 0, and nothing is open. The order's lease is set from the execution. */
int exec_process_start(struct exec_process *process, const char *host_path, char *const *argv, char *const *environment,
                       struct exec_host_order order, const struct execution *execution);
/* Tells the host how long the execution's lease lasts, when that has changed. NULL: it works for nobody now. */
void exec_process_tell_lease(struct exec_process *process, const struct execution *execution);
/* The steps to its end: asks the handler; has the host end all that is left; ends what is left and the host as well. */
void exec_process_terminate(const struct exec_process *process);
void exec_process_end(const struct exec_process *process);
void exec_process_kill(const struct exec_process *process);
/* Another execution begins in a process that lives: its lease, and its CPU time counts from here. false: too late. */
bool exec_process_begin(struct exec_process *process, const struct execution *execution);
/* What the host has to say: 1, a report; 0, nothing yet; -1, it has ended, and so has everything else. */
int exec_process_read_report(const struct exec_process *process, struct exec_host_report *report);
/* Waits for that end, so long at most. */
void exec_process_await_end(const struct exec_process *process, int timeout_ms);
/* Kills what is left, waits for the host and answers its wait status; the pipes stay. */
int exec_process_reap(struct exec_process *process);
void exec_process_close(struct exec_process *process);

void exec_close_fd(int *fd); /* when open */

#endif
