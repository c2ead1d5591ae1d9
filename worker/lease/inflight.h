/* Everything this worker has claimed and whose outcome the status log does not have yet, by shard: what leases are
 * renewed for, what can be told to stop, what the status page shows.
 *
 * An execution is in here from before its handler gets it until its outcome is delivered. One lock per shard; nobody
 * blocks under it. Telling an execution to stop only sets its `stop`; the caller then wakes the handlers. */
#ifndef BGOP_WORKER_LEASE_INFLIGHT_H
#define BGOP_WORKER_LEASE_INFLIGHT_H

#include <pthread.h>

#include "worker/execution/execution.h"

struct inflight_shard {
    pthread_mutex_t lock;
    struct execution *first;
};
struct inflight {
    struct inflight_shard *shards;
    int shard_count;
};

void inflight_init(struct inflight *inflight, int shard_count);
void inflight_release(struct inflight *inflight);
void inflight_add(struct inflight *inflight, struct execution *executions, size_t count); /* all of one shard */
void inflight_remove(struct inflight *inflight, struct execution *execution);

/* ---- renewal ---- */
enum { LEASES_PER_CALL = 500 };
struct lease_list {
    struct lease_ref *leases;
    size_t count, capacity;
};
void lease_list_release(struct lease_list *list);
/* Fills list with a shard's leases and numbers them: the first LEASES_PER_CALL belong to the call `number`, the next to
 * number + 1, and so on. */
void inflight_list(struct inflight *inflight, int shard, uint64_t number, struct lease_list *list);
/* The call with that number was answered: the leases it named last until lease_end_boot_ms; those lost and canceled are
 * told to stop. Answers how many were. */
int inflight_renewed(struct inflight *inflight, int shard, uint64_t number, int64_t lease_end_boot_ms,
                     struct renew_answer *answer);

/* ---- stopping: each answers how many running executions were told ---- */
int inflight_stop_expiring(struct inflight *inflight, int64_t lease_end_before_boot_ms);
int inflight_stop_all(struct inflight *inflight, enum stop_reason why);

/* Calls visit for each execution that is with a handler, under the shard's lock. */
void inflight_visit(struct inflight *inflight, void (*visit)(void *arg, const struct execution *execution), void *arg);

#endif
