/* Messages that cannot be accepted go to <prefix>.rejects, with a reason that names field, value and rule. They are
 * delivered before the fence or offset of their source passes them; each list belongs to one source's batch, so nobody
 * else's trouble can empty it. */
#ifndef BGOP_COORDINATOR_INTAKE_REJECTS_H
#define BGOP_COORDINATOR_INTAKE_REJECTS_H

#include "coordinator/loop/loop.h"

struct reject {
    char *value; /* as it will lie in the topic; owned, as all of this */
    size_t size;
    char *reason, *place; /* for the log */
};
struct rejects {
    struct reject *list;
    size_t count, capacity;
    int64_t again_at_ms; /* Kafka did not take them: not before then */
};

void rejects_release(struct rejects *rejects);
/* Their batch was dropped: they will be found again. */
void rejects_clear(struct rejects *rejects);
void rejects_add(struct rejects *rejects, const struct kafka_message *message, const char *reason);
/* Appends them all and waits until they are in the log; the list is then empty. ST_RECOVERING: Kafka does not take them
 * (logged); they are in the list still, to be tried again at a later turn. */
enum status rejects_deliver(struct rejects *rejects, struct loop *loop, struct err *err) MUST_CHECK;

#endif
