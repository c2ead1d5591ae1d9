/* The control topic: one partition, kept for ever. It holds the queue's genesis, every generation that was taken, and
 * every partition whose history was rewritten, written before they are used: so a Redis that went backwards cannot make
 * generations and epochs fall, and an empty one gets them back. */
#ifndef BGOP_COORDINATOR_LOOP_CONTROL_H
#define BGOP_COORDINATOR_LOOP_CONTROL_H

#include "coordinator/loop/appender.h"

enum { CONTROL_READ_MS = 10000 };
#define GENERATION_MAX (INT64_C(1) << 53) /* what Redis counts with; a record with more is not ours */

struct control_history {
    char genesis[64];        /* of the first record that has one; "": none */
    int shards;              /* written with it; -1: none */
    int64_t generation;      /* the highest; 0: none */
    struct control *rewinds; /* those of a partition, in their order */
    size_t rewind_count, rewind_capacity;
};

/* Reads the whole topic; to be released whatever it answers. */
enum status control_read(const struct config *config, struct control_history *history, struct err *err) MUST_CHECK;
void control_history_release(struct control_history *history);
/* One more record of a history (pure; control_read is made of it). */
void control_history_add(struct control_history *history, const struct control *control);
/* Appends one record; to be followed by appender_wait. */
enum status control_append(struct appender *appender, const struct control *control, struct err *err) MUST_CHECK;

#endif
