/* The control topic: one partition, kept for ever. It holds the queue's genesis and every generation that was taken,
 * written before they are used, so that a Redis that went backwards cannot make them fall. */
#ifndef BGOP_COORDINATOR_CONTROL_H
#define BGOP_COORDINATOR_CONTROL_H

#include "coordinator/appender.h"

enum { CONTROL_READ_MS = 10000 };

struct control_history {
    char genesis[64];                       /* of the first record that has one; "": none */
    int shards;                             /* written with it; -1: none */
    int64_t generation;                     /* the highest; 0: none */
};

/* Reads the whole topic. */
enum status control_read(const struct config *config, struct control_history *history, struct err *err) MUST_CHECK;
/* One more record of a history (pure; control_read is made of it). */
void control_history_add(struct control_history *history, const struct control *control);
/* Appends one record; to be followed by appender_wait. */
enum status control_append(struct appender *appender, const struct control *control, struct err *err) MUST_CHECK;

#endif
