#include "common/base/histogram.h"

enum { LEAST_US = 64 };

int64_t histogram_bound_us(int i)
{
    return (int64_t)LEAST_US << i;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    int i = 0;

    if (us < 0)
        us = 0;
    while (i < HISTOGRAM_BOUNDS && us >= histogram_bound_us(i))
        i++;
    atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)us, memory_order_relaxed);
}

uint64_t histogram_read(struct histogram *histogram, uint64_t counts[HISTOGRAM_BOUNDS + 1])
{
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    return atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}
