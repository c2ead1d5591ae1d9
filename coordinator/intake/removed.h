/* Operations whose records were removed (their retention had passed), as far as Kafka that went backwards may bring their
 * messages again. By its record a message that is read again is recognised (epochs_find_record); by this when there is
 * none any more. It is learned from the shards' `deleted` streams, which keep the checksum of the submission. */
#ifndef BGOP_COORDINATOR_INTAKE_REMOVED_H
#define BGOP_COORDINATOR_INTAKE_REMOVED_H

#include "coordinator/source/epochs.h"

struct removed_op {
    char id[ID_SIZE];
    uint32_t crc;
};

struct removed {
    struct redis *redis;
    const struct epochs *epochs;
    int shards;
    char (*read_to)[32]; /* [shards] Id of the last entry of its stream that is known; "": none */
    struct removed_op *list;
    size_t count, capacity;
    bool sorted;
    uint64_t connection; /* of Redis: another server, or one that was restarted, may have gone back */
    size_t rewritings;   /* of all partitions, when it began */
};

void removed_init(struct removed *removed, struct redis *redis, const struct epochs *epochs, int shards);
void removed_release(struct removed *removed);
/* Was the message of that place and checksum recorded under any epoch, and its record removed? Asked when it has no
 * record, so that whatever is removed meanwhile is found here or there. parts: the epoch is filled in. */
enum status removed_find(struct removed *removed, struct id_parts *parts, uint32_t crc, bool *found,
                         struct err *err) MUST_CHECK;

#endif
