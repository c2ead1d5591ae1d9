/* 62^9 is a little more than 2^53: the number's partition (10 bits) and offset (43 bits) fit into nine digits. */
#include "common/record/id.h"

#include <string.h>

#include "common/base/err.h"

enum { EPOCH_AT = 3, SHARD_AT = 4, SHARD_DIGITS = 2, NUMBER_AT = 6, NUMBER_DIGITS = 9, SUFFIX_AT = 15 };
enum { OFFSET_BITS = 43 };

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void base62_write(char *to, int digits, uint64_t value)
{
    for (int i = digits - 1; i >= 0; i--, value /= 62)
        to[i] = base62[value % 62];
}

static int base62_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

static bool base62_read(const char *from, int digits, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = base62_value(from[i]);
        if (digit < 0)
            return false;
        *value = *value * 62 + (unsigned)digit;
    }
    return true;
}

void id_suffix(const char *id15, char suffix[4])
{
    for (int group = 0; group < 3; group++) {
        unsigned bits = 0;
        for (int i = 0; i < 5; i++) {
            char c = id15[group * 5 + i];
            if (c >= 'A' && c <= 'Z')
                bits |= 1u << i;
        }
        suffix[group] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits];
    }
    suffix[3] = '\0';
}

void id_make(char id[ID_SIZE], const struct id_parts *parts)
{
    BGOP_ASSERT(parts->epoch >= 0 && parts->epoch < ID_EPOCHS_MAX);
    BGOP_ASSERT(parts->shard >= 0 && parts->shard < ID_SHARDS_MAX);
    BGOP_ASSERT(parts->partition >= 0 && parts->partition < ID_PARTITIONS_MAX);
    BGOP_ASSERT(parts->offset >= 0 && parts->offset < INT64_C(1) << OFFSET_BITS);

    memcpy(id, ID_PREFIX, EPOCH_AT);
    id[EPOCH_AT] = base62[parts->epoch];
    base62_write(id + SHARD_AT, SHARD_DIGITS, (unsigned)parts->shard);
    base62_write(id + NUMBER_AT, NUMBER_DIGITS, (uint64_t)parts->partition << OFFSET_BITS | (uint64_t)parts->offset);
    id_suffix(id, id + SUFFIX_AT);
}

bool id_parse(const char *text, size_t size, struct id_parts *parts)
{
    uint64_t epoch, shard, number;
    char suffix[4];

    if ((size != SUFFIX_AT && size != ID_LENGTH) || memcmp(text, ID_PREFIX, EPOCH_AT) != 0)
        return false;
    if (!base62_read(text + EPOCH_AT, 1, &epoch) || !base62_read(text + SHARD_AT, SHARD_DIGITS, &shard) ||
        !base62_read(text + NUMBER_AT, NUMBER_DIGITS, &number) || number >> OFFSET_BITS >= ID_PARTITIONS_MAX)
        return false;
    id_suffix(text, suffix);
    if (size == ID_LENGTH && memcmp(text + SUFFIX_AT, suffix, 3) != 0)
        return false;
    *parts = (struct id_parts){
        .epoch = (int)epoch,
        .shard = (int)shard,
        .partition = (int)(number >> OFFSET_BITS),
        .offset = (int64_t)(number & ((UINT64_C(1) << OFFSET_BITS) - 1)),
    };
    return true;
}
