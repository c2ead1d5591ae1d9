/* What the end of a run means for its members. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_SETTLE_H
#define BGOP_WORKER_HANDLERS_EXEC_SETTLE_H

#include "worker/handlers/exec_run.h"

/* host_status: of bgop-exec-host, which ends with 0 or is killed; when it could not begin, nothing did. */
void exec_settle(struct exec_run *run, const char *host_path, int host_status);

#endif
