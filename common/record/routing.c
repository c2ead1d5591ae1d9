/* murmur2 as Kafka's Java client computes it: 32 bit, little endian, its own seed. */
#include "common/record/routing.h"

#include "common/base/err.h"

enum { MURMUR2_SHIFT = 24 };
#define MURMUR2_SEED   UINT32_C(0x9747b28c)
#define MURMUR2_FACTOR UINT32_C(0x5bd1e995)

uint32_t routing_murmur2(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint32_t hash = MURMUR2_SEED ^ (uint32_t)size;

    for (; size >= 4; size -= 4, at += 4) {
        uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        word *= MURMUR2_FACTOR;
        word ^= word >> MURMUR2_SHIFT;
        word *= MURMUR2_FACTOR;
        hash = hash * MURMUR2_FACTOR ^ word;
    }
    if (size > 0) {
        uint32_t rest = at[0];
        if (size > 1)
            rest |= (uint32_t)at[1] << 8;
        if (size > 2)
            rest |= (uint32_t)at[2] << 16;
        hash = (hash ^ rest) * MURMUR2_FACTOR;
    }
    hash ^= hash >> 13;
    hash *= MURMUR2_FACTOR;
    hash ^= hash >> 15;
    return hash;
}

int routing_shard(const char *key, size_t size, int partition, int64_t offset, int shards)
{
    BGOP_ASSERT(shards > 0 && partition >= 0 && offset >= 0);
    if (size == 0)
        return (int)((partition + offset) % shards);
    return (int)((routing_murmur2(key, size) & 0x7fffffff) % (uint32_t)shards);
}
