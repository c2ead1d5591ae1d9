#include "tests/support/retry_law.h"

#include "common/base/err.h"

int64_t retry_delay_ms(int retry_number, int64_t retry_backoff_ms, int64_t max_ms)
{
    BGOP_ASSERT(retry_number >= 1 && retry_backoff_ms >= 0 && max_ms >= 0);
    if (retry_number == 1 || retry_backoff_ms == 0)
        return 0;
    if (retry_number > 62)
        return max_ms;
    int64_t factor = (INT64_C(1) << retry_number) - 1;
    return factor > max_ms / retry_backoff_ms ? max_ms : factor * retry_backoff_ms;
}
