/* The environment of a handler process: the worker's own, with the operation's BGOP_* variables over it. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_ENVIRONMENT_H
#define BGOP_WORKER_HANDLERS_EXEC_ENVIRONMENT_H

#include "worker/execution/execution.h"

/* One allocation, closed by NULL; the caller frees it with free(). all_executions: of a process that serves others of the
 * Type as well, which reads of each what it is. */
char **exec_environment_new(const struct execution *execution, bool all_executions);

#endif
