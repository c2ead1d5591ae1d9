/* The one interface behind which work is done. A handler gets executions, settles the outcome of each member and hands
 * them to the sink; it never talks to Redis or Kafka. README.md beside this file: your own handler in five minutes.
 *
 * Life: prepare() once per served Type when the worker starts, open() once, then start() whenever operations were
 * claimed, wake() whenever some execution's `stop` was set, close() when nothing runs any more. start() and wake() may
 * be called from any of the worker's threads and must not block. */
#ifndef BGOP_WORKER_HANDLERS_HANDLER_H
#define BGOP_WORKER_HANDLERS_HANDLER_H

#include "worker/execution/execution.h"

/* Where finished executions go; every member has an outcome. Callable from any thread, in batches or one by one. After
 * the call the executions belong to somebody else. */
struct handler_sink {
    void (*finished)(void *arg, struct execution *const *executions, size_t count);
    void *arg;
};

struct handler {
    const char *name; /* as `handler = ...` names it */
    int concurrency;  /* executions at a time where the Type does not say */
    int descriptors;  /* that one execution holds while it runs */
    /* Reads the Type's options once. ST_INVALID: err says which option is missing or wrong. NULL: it has none. */
    enum status (*prepare)(const struct type_config *type, void **prepared, struct err *err);
    void (*discard)(void *prepared);
    void *(*open)(const struct handler_sink *sink, struct err *err);               /* NULL: err says why */
    void (*start)(void *state, struct execution *const *executions, size_t count); /* all of one Type */
    void (*wake)(void *state); /* some execution's stop was set: look at all that run. NULL: nothing to stop */
    void (*close)(void *state);
};

extern const struct handler noop_handler, exec_handler, http_handler;

/* NULL: no such handler. */
const struct handler *handler_find(const char *name);
/* "noop, exec, http": for messages. */
const char *handler_names(void);

#endif
