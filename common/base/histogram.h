/* Lengths of time that a process keeps count of, in buckets that double from 64 us to 8.4 s: written by any thread, without
 * a lock, read by whoever shows them. Starts as all zero. */
#ifndef BGOP_BASE_HISTOGRAM_H
#define BGOP_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 18 };

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last: all that is longer */
    _Atomic uint64_t sum_us;
};

/* Bucket i holds what is below this, and not below the bound before. */
int64_t histogram_bound_us(int i);
void histogram_add(struct histogram *histogram, int64_t us);
/* Fills counts, and answers the sum. What is added meanwhile may be in one and not yet in the other. */
uint64_t histogram_read(struct histogram *histogram, uint64_t counts[HISTOGRAM_BOUNDS + 1]);

#endif
