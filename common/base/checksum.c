/* ISA-L takes int lengths and, older versions, pointers without const. Its crc32_iscsi works on the bare register
 * (callers invert before and after); its crc64_ecma_refl inverts by itself. */
#include "common/base/checksum.h"

#include <isa-l/crc.h>
#include <isa-l/crc64.h>

enum { CHUNK_MAX_BYTES = 1 << 30 };

uint32_t checksum_crc32c(uint32_t crc, const void *data, size_t size)
{
    unsigned char *at = (unsigned char *)(uintptr_t)data;

    while (size > 0) {
        size_t part = size < CHUNK_MAX_BYTES ? size : CHUNK_MAX_BYTES;
        crc = ~crc32_iscsi(at, (int)part, ~crc);
        at += part;
        size -= part;
    }
    return crc;
}

uint64_t checksum_crc64(uint64_t crc, const void *data, size_t size)
{
    return size ? crc64_ecma_refl(crc, data, size) : crc;
}

uint32_t checksum_message(const void *key, size_t key_size, const void *value, size_t value_size, int64_t timestamp_ms)
{
    uint64_t stamp = timestamp_ms > 0 ? (uint64_t)timestamp_ms : 0;
    unsigned char timestamp[8];
    uint32_t crc = checksum_crc32c(0, key, key_size);

    for (int i = 0; i < 8; i++)
        timestamp[i] = (unsigned char)(stamp >> (56 - 8 * i));
    crc = checksum_crc32c(crc, value, value_size);
    return checksum_crc32c(crc, timestamp, sizeof timestamp);
}
