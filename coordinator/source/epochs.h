/* The epochs of submit partitions: how often a partition's history was rewritten, and from which offset on. An Id is
 * made of (epoch, partition, offset), so two messages that stood at one offset, one after the other, have two Ids.
 *
 * They are written to the control topic before they are used; Redis has them beside each other in bgop:rewinds and, for
 * who forms Ids, the newest of each partition in bgop:epochs. */
#ifndef BGOP_COORDINATOR_SOURCE_EPOCHS_H
#define BGOP_COORDINATOR_SOURCE_EPOCHS_H

#include <stdbool.h>

#include "common/redis/functions.h"
#include "coordinator/loop/control.h"

struct epoch {
    int number;
    int64_t from;            /* Ids of offsets from here on are of this epoch, or of a later one */
    int64_t lost_to;         /* what was applied from `from` up to here, before, is gone from the log */
    struct fingerprint last; /* the last common message */
};

struct partition_epochs {
    struct epoch *list; /* by number, rising; epoch 0 is not in it */
    size_t count, capacity;
    int pending; /* its fences are still to be put back to list[that epoch].from; 0: none */
};

struct epochs {
    int partitions;
    struct partition_epochs *of; /* [partitions] */
};

void epochs_init(struct epochs *epochs, int partitions);
void epochs_release(struct epochs *epochs);
/* Forgets what it knows and reads bgop:epochs and bgop:rewinds. */
enum status epochs_read(struct redis *redis, struct epochs *epochs, struct err *err) MUST_CHECK;

/* Pure. The epoch of the message at that offset: the highest that begins at or below it. */
int epoch_of(const struct epochs *epochs, int partition, int64_t offset);
/* Pure. May it have been recorded under an earlier epoch? (It was read again, or stands where another stood.) */
bool epoch_repeated(const struct epochs *epochs, int partition, int64_t offset);
/* The one that is used for what comes now; NULL: there is none but 0. */
const struct epoch *epoch_newest(const struct epochs *epochs, int partition);
void epochs_add(struct epochs *epochs, int partition, const struct epoch *epoch);

/* Was the message recorded, under the epoch of its offset or an earlier one? Its record has the same checksum. parts: its
 * place; the epoch is filled in. *found: then id is that record's. */
enum status epochs_find_record(struct redis *redis, const struct epochs *epochs, struct id_parts *parts, uint32_t crc,
                               char id[ID_SIZE], bool *found, struct err *err) MUST_CHECK;

/* Writes one that the control topic has. pending: its fences are to be put back; see rewind.h. */
enum status epoch_write(struct redis *redis, int partition, const struct epoch *epoch, bool pending,
                        struct err *err) MUST_CHECK;
/* Its fences are put back. */
enum status epoch_settled(struct redis *redis, int partition, struct err *err) MUST_CHECK;
/* Those of the control topic that Redis does not have. */
enum status epochs_restore(struct redis *redis, const struct control_history *history, struct err *err) MUST_CHECK;

#endif
