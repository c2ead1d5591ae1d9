/* What /healthz and /readyz of a worker say. Alive: it goes on by itself, also when servers are away; only a process that
 * is stuck is not, and to start it again helps. Ready: it claims, from every shard, and can report. */
#ifndef BGOP_WORKER_DAEMON_READINESS_H
#define BGOP_WORKER_DAEMON_READINESS_H

#include "worker/daemon/status_source.h"

enum {
    READINESS_SIZE = 320,
    ALIVE_STALL_MS = GUARD_STALL_MS / 2, /* before the guard ends the process */
};

/* why: one line, also when it is. */
bool worker_is_alive(const struct status_source *source, char *why, size_t size);
bool worker_is_ready(const struct status_source *source, char *why, size_t size);

#endif
