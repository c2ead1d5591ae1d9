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

char id_epoch_digit(int epoch)
{
    return base62[epoch >= 0 && epoch < ID_EPOCHS_MAX ? epoch : 0];
}

int id_epoch_number(char digit)
{
    int value = base62_value(digit);

    return value > 0 ? value : 0;
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

static const char suffix_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

void id_suffix(const char *id15, char suffix[4])
{
    for (int group = 0; group < 3; group++) {
        unsigned bits = 0;
        for (int i = 0; i < 5; i++) {
            char c = id15[group * 5 + i];
            if (c >= 'A' && c <= 'Z')
                bits |= 1u << i;
        }
        suffix[group] = suffix_digits[bits];
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

static char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Gives the letters of 18 characters the case that their suffix tells; what is no letter may not be a capital, which
 * id_parse finds. */
static void restore_case(char id[ID_SIZE])
{
    for (int group = 0; group < 3; group++) {
        char *digit = id + SUFFIX_AT + group;
        const char *found;

        *digit = ascii_upper(*digit);
        found = strchr(suffix_digits, *digit);
        for (int i = 0; *digit && found && i < 5; i++) {
            char *c = id + group * 5 + i;

            *c = (found - suffix_digits) >> i & 1 ? ascii_upper(*c) : ascii_lower(*c);
        }
    }
}

bool id_read(char id[ID_SIZE], const char *text, size_t size, struct id_parts *parts)
{
    if (size != SUFFIX_AT && size != ID_LENGTH)
        return false;
    memcpy(id, text, size);
    id[size] = '\0';
    if (size == ID_LENGTH)
        restore_case(id);
    if (!id_parse(id, size, parts))
        return false;
    id_suffix(id, id + SUFFIX_AT);
    return true;
}
