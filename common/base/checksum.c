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
