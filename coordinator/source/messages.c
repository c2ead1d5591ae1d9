#include "coordinator/source/messages.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/memory.h"

void shard_queues_init(struct shard_queues *queues, int max, int shards)
{
    size_t size = (size_t)shards * sizeof(int);

    *queues = (struct shard_queues){ .max = max };
    queues->next = xmalloc((size_t)max * sizeof(int));
    queues->touched = xmalloc(size);
    queues->head = memset(xmalloc(size), -1, size);
    queues->tail = memset(xmalloc(size), -1, size);
}

void shard_queues_release(struct shard_queues *queues)
{
    free(queues->head);
    free(queues->tail);
    free(queues->next);
    free(queues->touched);
    *queues = (struct shard_queues){ 0 };
}

void shard_queues_clear(struct shard_queues *queues)
{
    for (int i = 0; i < queues->touched_count; i++)
        queues->head[queues->touched[i]] = queues->tail[queues->touched[i]] = -1;
    queues->count = queues->touched_count = 0;
    queues->bytes = 0;
}

bool shard_queues_full(const struct shard_queues *queues)
{
    return queues->count == queues->max || queues->bytes >= BATCH_MAX_BYTES;
}

int shard_queues_add(struct shard_queues *queues, int shard, size_t bytes)
{
    int index = queues->count++, tail = queues->tail[shard];

    BGOP_ASSERT(index < queues->max);
    if (tail < 0)
        queues->touched[queues->touched_count++] = shard;
    if (queues->head[shard] < 0)
        queues->head[shard] = index;
    else
        queues->next[tail] = index;
    queues->tail[shard] = index;
    queues->next[index] = -1;
    queues->bytes += bytes;
    return index;
}

struct fingerprint message_fingerprint(const struct kafka_message *message)
{
    return (struct fingerprint){
        .offset = message->offset,
        .crc = checksum_message(message->key, message->key_size, message->value, message->value_size,
                                message->timestamp_ms),
        .timestamp_ms = message->timestamp_ms > 0 ? message->timestamp_ms : 0, /* none: stored as 0 */
    };
}
