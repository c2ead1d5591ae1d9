/* Messages that were read and are on their way to Redis: what intake and the status loop do alike with them. Pure. */
#ifndef BGOP_COORDINATOR_SOURCE_MESSAGES_H
#define BGOP_COORDINATOR_SOURCE_MESSAGES_H

#include <stdbool.h>

#include "common/kafka/kafka.h"
#include "coordinator/source/cursors.h"

enum {
    BATCH_MAX_BYTES = 8 * 1024 * 1024, /* of values, in one batch */
    CALL_MAX_ITEMS = 500,              /* in one call of a Redis Function ... */
    CALL_MAX_BYTES = 1024 * 1024,      /* ... and of payloads */
};

/* The items of a batch, each in the queue of its shard, in the order of reading. The batch has the items themselves, in an
 * array; here they are indices of it. */
struct shard_queues {
    int count, max;              /* items */
    size_t bytes;                /* of their values */
    int *head, *tail;            /* [shards] the first item that is left, or -1; the last one, or -1: there was none */
    int *next;                   /* [max] the item behind this one in its queue, or -1 */
    int *touched, touched_count; /* shards that have, or had, an item of this batch */
};

void shard_queues_init(struct shard_queues *queues, int max, int shards);
void shard_queues_release(struct shard_queues *queues);
void shard_queues_clear(struct shard_queues *queues);
bool shard_queues_full(const struct shard_queues *queues);
/* Puts the next item, number `count`, behind the others of its shard; returns its index. */
int shard_queues_add(struct shard_queues *queues, int shard, size_t bytes);

/* crc32c of key, value and timestamp (8 bytes, big endian): what a fingerprint says of a message. */
struct fingerprint message_fingerprint(const struct kafka_message *message);

#endif
