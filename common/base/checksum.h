/* Checksums as others compute them, by ISA-L. */
#ifndef BGOP_BASE_CHECKSUM_H
#define BGOP_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli; RFC 3720) of data, going on from crc (0 at first). "123456789" -> 0xe3069283. */
uint32_t checksum_crc32c(uint32_t crc, const void *data, size_t size);
/* crc32c of key, value and timestamp (8 bytes, big endian; none or below 0: 0) of a Kafka message: what tells one message
 * from another. Records keep it, and it lies beside fences: it must never change. */
uint32_t checksum_message(const void *key, size_t key_size, const void *value, size_t value_size, int64_t timestamp_ms);
/* CRC-64/XZ (ECMA-182 reflected), going on from crc (0 at first). "123456789" -> 0x995dc9bbdf1939fa. */
uint64_t checksum_crc64(uint64_t crc, const void *data, size_t size);

#endif
