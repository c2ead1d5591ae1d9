/* The Types that the queue knows (bgop_describe's picklist), so that a wrong one is refused here and not later: a filter would
 * find nothing, a submission would end in bgop.rejects. */
#ifndef BGOP_COORDINATOR_CTL_QUEUE_TYPES_H
#define BGOP_COORDINATOR_CTL_QUEUE_TYPES_H

#include "common/record/submission.h"
#include "coordinator/ctl/session.h"

struct queue_types {
    char **names;
    size_t count;
};
/* The exit code; what is wrong has been said. */
int queue_types_read(struct queue_types *types, struct session *session);
void queue_types_release(struct queue_types *types);
struct type_lookup queue_types_lookup(const struct queue_types *types);

#endif
