/* The retry law (record.md): retry k waits 0, 3R, 7R, 15R ... = (2^k - 1) * R for k >= 2, 0 for k = 1, each
 * measured from the failure of the attempt before it. The Redis Functions hold the same law (retry.lua); a test
 * compares them. */
#ifndef BGOP_RECORD_RETRY_H
#define BGOP_RECORD_RETRY_H

#include <stdint.h>

/* k >= 1; saturates at max_ms. */
int64_t retry_delay_ms(int retry_number, int64_t retry_backoff_ms, int64_t max_ms);

#endif
