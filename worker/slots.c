#include "worker/slots.h"

#include "worker/wait.h"

void slots_init(struct slots *slots, int concurrency)
{
    slots->concurrency = concurrency;
    slots->reserved = 0;
    slots->freed_seen = 0;
    atomic_init(&slots->running, 0);
    atomic_init(&slots->freed, 0);
    pthread_mutex_init(&slots->lock, NULL);
    wait_cond_init(&slots->changed);
}

void slots_release(struct slots *slots)
{
    pthread_cond_destroy(&slots->changed);
    pthread_mutex_destroy(&slots->lock);
}

int slots_left(const struct slots *slots, const struct served_type *type)
{
    int of_type = type->concurrency - type->reserved - atomic_load(&type->running);
    int of_worker = slots->concurrency - slots->reserved - atomic_load(&slots->running);
    int left = of_type < of_worker ? of_type : of_worker;

    return left > 0 ? left : 0;
}

void slots_reserve(struct slots *slots, struct served_type *type, int count)
{
    slots->reserved += count;
    type->reserved += count;
}

void slots_unreserve(struct slots *slots, struct served_type *type, int count)
{
    slots->reserved -= count;
    type->reserved -= count;
}

void slots_run(struct slots *slots, struct served_type *type, int count)
{
    atomic_fetch_add(&slots->running, count);
    atomic_fetch_add(&type->running, count);
}

void slots_free(struct slots *slots, struct served_type *type, int count)
{
    atomic_fetch_sub(&slots->running, count);
    atomic_fetch_sub(&type->running, count);
    pthread_mutex_lock(&slots->lock);
    atomic_fetch_add(&slots->freed, 1u);
    pthread_cond_signal(&slots->changed);
    pthread_mutex_unlock(&slots->lock);
}

void slots_wait(struct slots *slots, int timeout_ms)
{
    pthread_mutex_lock(&slots->lock);
    if (atomic_load(&slots->freed) == slots->freed_seen)
        wait_cond(&slots->changed, &slots->lock, timeout_ms);
    slots->freed_seen = atomic_load(&slots->freed);
    pthread_mutex_unlock(&slots->lock);
}
