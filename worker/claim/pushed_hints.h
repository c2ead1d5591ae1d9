/* Hints that Redis pushes, for when Kafka may not bring them. A worker that dies takes its partitions' hints with it until
 * its session in the consumer group ends (10 s), and while the group is being balanced nobody gets any. Listened to:
 *  - while the group has not told this worker its share of the partitions;
 *  - for a while after another worker was gone, which Redis knows at once.
 * All who listen to a lane get its hints and ask for them; Redis grants each once.
 *
 * And the fast way: while little comes, who owns a lane's partition listens to the lane. So a hint is there some
 * milliseconds sooner than through Kafka, which brings it again: that one is passed over (backlog_was_pushed). Never waits for Redis but to connect. The
 * claiming thread's. */
#ifndef BGOP_WORKER_CLAIM_PUSHED_HINTS_H
#define BGOP_WORKER_CLAIM_PUSHED_HINTS_H

#include "worker/claim/lanes.h"

struct pushed_hints;

/* Connects when it is used first: Redis may be away. NULL: err says what is wrong with its address. */
struct pushed_hints *pushed_hints_start(const struct config *config, const struct types *types, struct lanes *lanes,
                                        struct err *err);
void pushed_hints_stop(struct pushed_hints *pushed);
/* Takes into the lanes what has come. Not to be called while Redis is away. */
void pushed_hints_poll(struct pushed_hints *pushed, bool assigned);
/* How long until it wants to be called without anything having come, at most max_ms; and what to wait on. */
int pushed_hints_wait_ms(const struct pushed_hints *pushed, int max_ms);
size_t pushed_hints_descriptors(const struct pushed_hints *pushed, int *descriptors, size_t room);

#endif
