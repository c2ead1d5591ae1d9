/* How much may run at a time: per Type, and in all. The claiming thread reserves slots for a claim call and turns what
 * was granted into running executions; finishing frees them, from any thread. */
#ifndef BGOP_WORKER_CLAIM_SLOTS_H
#define BGOP_WORKER_CLAIM_SLOTS_H

#include <pthread.h>

#include "common/base/wake.h"
#include "worker/execution/execution.h"

/* After a shortage a Type has as many slots as did work; more are tried by and by, later each time that it fails. */
enum { SHORTAGE_PAUSE_LEAST_MS = 250, SHORTAGE_PAUSE_MOST_MS = 10000 };
enum { SLOTS_GATHER_MS = 2 }; /* from the first one that was freed */

struct slots {
    int concurrency; /* of the worker */
    int reserved;    /* the claiming thread's */
    atomic_int running;
    atomic_uint freed;    /* rises whenever some were freed */
    unsigned freed_seen;  /* the claiming thread's */
    struct wake wake;     /* of the claiming thread, while it waits for a free one */
    pthread_mutex_t lock; /* of shortages */
};

void slots_init(struct slots *slots, int concurrency);
void slots_release(struct slots *slots);
/* Free ones for this Type; never negative. */
int slots_left(struct slots *slots, struct served_type *type);
/* Not yet: `waiting` operations are more than the free slots, and more may be freed in a moment. */
bool slots_gather(struct slots *slots, struct served_type *type, size_t waiting, int64_t now_boot_ms);
/* No Type has a free one. */
bool slots_all_taken(const struct slots *slots);
void slots_reserve(struct slots *slots, struct served_type *type, int count);
void slots_unreserve(struct slots *slots, struct served_type *type, int count);
void slots_run(struct slots *slots, struct served_type *type, int count);
void slots_free(struct slots *slots, struct served_type *type, int count);
/* An execution of this Type, which still counts as running, could not be started for want of something that this worker
 * lacks. Logged once, when it begins; slots_left logs the end. From any thread. */
void slots_short(struct slots *slots, struct served_type *type, const char *why);
/* One that was claimed at that time did run. */
void slots_worked(struct slots *slots, struct served_type *type, int64_t started_boot_ms);
/* Waits until some were freed since the last call of this function, at most timeout_ms. */
void slots_wait(struct slots *slots, int timeout_ms);

#endif
