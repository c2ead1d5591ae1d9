#include "coordinator/loop/counters.h"

#include <inttypes.h>

void counters_print(struct counters *counters, struct buf *to)
{
#define XX(name, meaning)                                           \
    buf_printf(to, "%s" #name "=%" PRId64, to->size > 0 ? " " : "", \
               atomic_load_explicit(&counters->name, memory_order_relaxed));
    COUNTERS(XX)
#undef XX
}
