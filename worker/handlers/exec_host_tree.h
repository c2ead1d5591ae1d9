/* All that descends from bgop-exec-host, as /proc shows it: what it uses, and its end. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_HOST_TREE_H
#define BGOP_WORKER_HANDLERS_EXEC_HOST_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { EXEC_HOST_TREE_MOST = 32768 }; /* processes and threads that are looked at */

struct exec_host_use {
    int64_t tasks;        /* processes and threads */
    int64_t memory_bytes; /* of their own: what they share with files or each other's memory segments is left out */
    int64_t cpu_ms;       /* of those that have ended as well */
};

/* Counts until there are more than most_tasks: then the rest is not known. Memory and CPU only when wanted, as they cost
 * two more files each. What comes and goes meanwhile may be missed. */
void exec_host_look(struct exec_host_use *use, int64_t most_tasks, bool all);
/* Ends the host's children by SIGKILL, whose own children become the host's. false: there are none, or the kernel does
 * not say. */
bool exec_host_kill_children(void);

#endif
