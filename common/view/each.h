/* One command for each of several shards (or instances), all in one round trip: what people look at must not take longer
 * because there are many. For the files of common/view alone. */
#ifndef BGOP_VIEW_EACH_H
#define BGOP_VIEW_EACH_H

#include "common/query/ask.h"

/* Adds the arguments of the n-th command; what it points to is borrowed until the next call. */
typedef void each_write(void *arg, int n, struct redis_command *command);
/* The answer to the n-th. */
typedef void each_take(void *arg, int n, const struct redis_reply *reply);

enum status each_ask(struct ask *ask, int count, each_write *write, each_take *take, void *arg) MUST_CHECK;

#endif
