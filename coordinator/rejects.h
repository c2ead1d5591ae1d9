/* Messages that cannot be accepted go to <prefix>.rejects, with a reason that names field, value and rule. They are
 * delivered before the fence or offset of their source passes them. */
#ifndef BGOP_COORDINATOR_REJECTS_H
#define BGOP_COORDINATOR_REJECTS_H

#include "coordinator/loop.h"

struct reject { const struct kafka_message *message; char *reason; };   /* message borrowed, reason owned */
struct rejects { struct reject *list; size_t count, capacity; };

void rejects_release(struct rejects *rejects);
void rejects_clear(struct rejects *rejects);
void rejects_add(struct rejects *rejects, const struct kafka_message *message, const char *reason);
/* Appends them all and waits until they are in the log, again and again; the list is then empty. ST_AGAIN: stopping. */
enum status rejects_deliver(struct rejects *rejects, struct loop *loop, struct err *err) MUST_CHECK;

#endif
