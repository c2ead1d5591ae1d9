/* Hint messages from Kafka into the lanes, and offsets back. One consumer for all Types: a lane that holds enough is
 * paused, so that no Type waits behind another. */
#ifndef BGOP_WORKER_CLAIM_HINTS_H
#define BGOP_WORKER_CLAIM_HINTS_H

#include "common/kafka/kafka.h"
#include "worker/claim/lanes.h"

struct hints_reader;

struct hints_reader *hints_start(const struct config *config, const char *client_id, const struct types *types,
                                 struct lanes *lanes, struct err *err);
/* Leaves the group; hints that were not claimed go to whoever gets their partitions. */
void hints_stop(struct hints_reader *hints);
/* Has the group told us our share of the partitions, maybe none? While it is being balanced, Kafka brings no hints. */
bool hints_assigned(const struct hints_reader *hints);
/* Takes what is there, at most some hundred messages; was there anything? */
bool hints_poll(struct hints_reader *hints);
/* Waits until there may be something, or until one of these descriptors can be read; for those alone when hints would be of
 * no use now. */
void hints_wait(struct hints_reader *hints, bool useless, const int *also, size_t count, int timeout_ms);
/* The lane's first `count` Ids are answered: stores the offset that follows from it, and resumes the partition
 * when the lane has room again. */
void hints_acknowledge(struct hints_reader *hints, struct lane *lane, size_t count);

#endif
