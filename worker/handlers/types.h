/* The Types this worker serves, each with its handler. */
#ifndef BGOP_WORKER_HANDLERS_TYPES_H
#define BGOP_WORKER_HANDLERS_TYPES_H

#include "worker/execution/execution.h"
#include "worker/handlers/handler.h"

struct types {
    struct served_type *all;
    char (*topics)[320]; /* of their hints */
    size_t count;
    char *names; /* joined by blanks */
};

/* [worker] types, else all Types that have a handler. ST_INVALID: err names the Type and what is wrong with it:
 * unknown, no handler, an option of its handler missing. Opens nothing yet. */
enum status types_choose(struct types *types, const struct config *config, struct err *err) MUST_CHECK;
/* Opens the handlers: threads start. */
enum status types_open(struct types *types, const struct handler_sink *sink, struct err *err) MUST_CHECK;
void types_wake(const struct types *types); /* tells all handlers that something was told to stop */
void types_close(struct types *types);      /* when nothing runs any more */
void types_release(struct types *types);
int types_find_topic(const struct types *types, const char *topic); /* index, or -1 */

#endif
