/* One number places an operation everywhere: its shard is the Redis hash tag, the partition of bgop.<Type> and
 * of bgop.status. It depends on the message alone, never on configuration (but the queue's fixed shard count). */
#ifndef BGOP_RECORD_ROUTING_H
#define BGOP_RECORD_ROUTING_H

#include <stddef.h>
#include <stdint.h>

/* murmur2 as in Kafka's Java client (org.apache.kafka.common.utils.Utils.murmur2). */
uint32_t routing_murmur2(const void *data, size_t size);
/* (murmur2(key) & 0x7fffffff) mod shards; without a key (size 0): (partition + offset) mod shards. */
int routing_shard(const char *key, size_t size, int partition, int64_t offset, int shards);

#endif
