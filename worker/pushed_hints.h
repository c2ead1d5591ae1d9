/* Hints that Redis pushes, for when Kafka may not bring them. A worker that dies takes its partitions' hints with it until
 * its session in the consumer group ends (10 s), and while the group is being balanced nobody gets any. Listened to:
 *  - while this worker has no partitions assigned;
 *  - for a while after another worker was gone, which Redis knows at once.
 * Every listening worker gets every hint, and asks for it; Redis grants it once. The claiming thread's. */
#ifndef BGOP_WORKER_PUSHED_HINTS_H
#define BGOP_WORKER_PUSHED_HINTS_H

#include "worker/lanes.h"

struct pushed_hints;

/* Connects when it is used first: Redis may be away. NULL: err says what is wrong with its address. */
struct pushed_hints *pushed_hints_start(const struct config *config, const struct types *types, struct lanes *lanes,
                                        struct err *err);
void pushed_hints_stop(struct pushed_hints *pushed);
/* Takes into the lanes what has come. Answers whether it listens: it wants to be called every few milliseconds then. */
bool pushed_hints_take(struct pushed_hints *pushed, bool assigned);

#endif
