/* What the reporter sends: outcomes on their way into messages. Pure: no Kafka, no clock.
 *
 * An item is what goes into one message undivided: a whole execution where it fits. A group that does not fit (or whose
 * message was refused) is split into items of one member each, and its leader's is made only when the log has all the
 * others. So a leader's entry never stands before one of its followers': whoever applies it may conclude that the group
 * is over. */
#ifndef BGOP_WORKER_REPORT_REPORT_ITEMS_H
#define BGOP_WORKER_REPORT_REPORT_ITEMS_H

#include "worker/execution/execution.h"

enum { ITEM_WHOLE = -1 };
struct item {
    struct execution *execution;
    int member; /* or ITEM_WHOLE */
};
struct items { /* of one shard, in the order in which they are sent */
    struct item *all;
    size_t count, capacity;
};

void items_release(struct items *items);
void items_add(struct items *items, struct item item);
void items_add_execution(struct items *items, struct execution *execution);
/* Adds all members but the leader. */
void items_split(struct items *items, struct execution *execution);
/* The log has this one (or it is given up), which is no longer in the list. true: so it has all of the execution. Adds
 * the leader when it is the only one left. */
bool items_done(struct items *items, const struct item *item);
/* How many items from first on fit into one message, at least one. One that is to be reported alone is. */
size_t items_portion(const struct items *items, size_t first);

/* Index of its first member, and how many it has. */
static inline int item_first(const struct item *item)
{
    return item->member == ITEM_WHOLE ? 0 : item->member;
}
size_t item_entries(const struct item *item);
/* Texts and results. */
size_t execution_report_bytes(const struct execution *execution);
/* The entries as they go into the log: a leader's behind its followers'. Answers how many. */
size_t item_fill(const struct item *item, struct status_entry *entries);

#endif
