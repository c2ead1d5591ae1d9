/* The retry law runs in the Redis Functions (common/functions/write/retry.lua); common/record/README.md says how to
 * change it. What C needs to know of it is its bound. */
#ifndef BGOP_RECORD_RETRY_H
#define BGOP_RECORD_RETRY_H

#include <stdint.h>

#define RETRY_DELAY_MAX_MS INT64_C(31536000000) /* a year: nothing waits longer, whatever is asked for */

#endif
