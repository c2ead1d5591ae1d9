/* Outcomes to the status log. A thread of its own takes finished executions, packs what there is into one message per
 * shard, and keeps every outcome (and, through the in-flight table, its lease) until the delivery report. What is not
 * known to be in the log is sent again: applying is idempotent by token.
 *
 * In the log a group's leader comes after all its followers: in the same message where they fit into one, else only
 * when the others are delivered. Whoever applies the leader's outcome may conclude that the group is over, and a worker
 * that dies in between leaves a lease that runs out. */
#ifndef BGOP_WORKER_REPORT_REPORTER_H
#define BGOP_WORKER_REPORT_REPORTER_H

#include "worker/execution/execution.h"
#include "worker/lease/identity.h"
#include "worker/lease/inflight.h"

enum {
    REPORTER_MOST_OPERATIONS = 20000, /* undelivered; beyond, nothing more is claimed */
    REPORTER_MOST_BYTES = 64 * 1024 * 1024,
};

struct reporter;

/* ST_FAILED etc. with NULL: err says why. */
struct reporter *reporter_start(const struct config *config, const struct identity *identity, struct inflight *inflight,
                                struct err *err);
/* From any thread. They are freed once they are delivered. */
void reporter_add(struct reporter *reporter, struct execution *const *executions, size_t count);
bool reporter_full(const struct reporter *reporter);
size_t reporter_undelivered(const struct reporter *reporter); /* operations */
/* Ends the thread; false: some outcomes are not known to be delivered. They are given up: their leases run out. */
bool reporter_stop(struct reporter *reporter, int timeout_ms);

/* Outcomes delivered so far, by kind. */
uint64_t reporter_delivered(const struct reporter *reporter, enum entry_kind kind);

#endif
