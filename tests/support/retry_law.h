/* The retry law as the record says it (common/record/README.md): what the tests expect. The law runs in
 * common/functions/write/retry.lua, and functions.test_retry and the simulation compare it with this: who changes the law
 * changes retry.lua, the record's page, and this oracle. */
#ifndef TESTS_SUPPORT_RETRY_LAW_H
#define TESTS_SUPPORT_RETRY_LAW_H

#include <stdint.h>

/* Retry k >= 1 comes 0, 3R, 7R, 15R ... = (2^k - 1) * R after the failure before it, 0 for k = 1; saturates at max_ms. */
int64_t retry_delay_ms(int retry_number, int64_t retry_backoff_ms, int64_t max_ms);

#endif
