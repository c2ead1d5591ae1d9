/* Named points at which a test may have the process die as by SIGKILL: BGOP_CRASH=<name>:<n> dies at the n-th pass of
 * the point <name>. Names: claim-before, claim-after (Redis has granted, nothing here knows), start-before, spawn-
 * before, spawn-after, reap-after, produce-before, produce-after, delivery-before, delivery-after, store-before,
 * store-after. */
#ifndef BGOP_WORKER_CRASH_POINT_H
#define BGOP_WORKER_CRASH_POINT_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool crash_points_armed;
void crash_points_arm(void); /* reads BGOP_CRASH */
void crash_point_pass(const char *name);
static inline void crash_point(const char *name)
{
    if (atomic_load_explicit(&crash_points_armed, memory_order_relaxed))
        crash_point_pass(name);
}

#endif
