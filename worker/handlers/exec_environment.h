/* The environment of a handler process: the worker's own, with the operation's BGOP_* variables over it. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_ENVIRONMENT_H
#define BGOP_WORKER_HANDLERS_EXEC_ENVIRONMENT_H

#include "worker/execution.h"

/* One allocation, closed by NULL; the caller frees it with free(). */
char **exec_environment_new(const struct execution *execution);

#endif
