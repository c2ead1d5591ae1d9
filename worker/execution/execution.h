/* An execution: one claimed operation, or one claimed group of them, on its way from the claim's answer to the
 * delivery report of its outcome. Of a group one member, the leader, holds the lease; each has an outcome of its own.
 *
 * It has one owner at a time. The claiming thread makes it; its handler owns it from start() until it hands it to the
 * sink; the reporter owns it from there until the status log has its outcomes. What others may touch meanwhile: the
 * fields marked atomic, and under the in-flight table's lock (inflight.h) those of the table.
 *
 * All executions of one claim call lie in one block of memory (claim_batch), so that a no-op costs no allocation of its
 * own. The payloads are given back when the last one is finished, the block when the last one is delivered. */
#ifndef BGOP_WORKER_EXECUTION_EXECUTION_H
#define BGOP_WORKER_EXECUTION_EXECUTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/config.h"
#include "common/redis/functions.h"
#include "worker/execution/outcome.h"

struct handler;

/* What a Type may use while this worker is short of something; under the slots' lock (slots.h). */
struct shortage {
    atomic_bool on;
    bool tried_more, worked; /* since the last failure */
    int slots;
    int64_t pause_ms, next_try_boot_ms, failed_boot_ms;
};

/* A Type that this worker serves. */
struct served_type {
    const struct type_config *config;
    const struct handler *handler;
    void *state;                  /* the handler's own, shared by all its Types */
    void *prepared;               /* what the handler made of this Type's options */
    int index;                    /* in the worker's array */
    int concurrency;              /* most executions at a time */
    bool group;                   /* speaks the group protocol: merge_max > 1 */
    bool traced;                  /* its attempts become spans ([traces] url) */
    int64_t busy_until_boot_ms;   /* it has work: hints or grants lately; the claiming thread's */
    int64_t gather_until_boot_ms; /* slots were freed and wait for more; 0: none do; the claiming thread's */
    int reserved;                 /* slots promised to claim calls under way; the claiming thread's */
    atomic_int running;           /* executions with the handler */
    atomic_bool backlogged;       /* its hints wait for slots: what it has done may be told of together */
    struct shortage shortage;
};

/* Why an execution is to end before its handler is done; the first reason stays. */
enum stop_reason { STOP_NONE, STOP_TIMEOUT, STOP_CANCEL, STOP_LOST_LEASE, STOP_DRAIN };
const char *stop_reason_name(enum stop_reason why);

struct member {               /* one operation of an execution */
    const struct claimed *op; /* as it was claimed; NULL once the execution is finished */
    char id[ID_SIZE];
    uint64_t token;
    bool canceled; /* table: its cancel was asked for */
    struct outcome outcome;
};

struct execution {
    struct served_type *type;
    struct claim_batch *batch;
    struct member *members; /* ordered by SequenceGroup (none first), SequenceNumber, Id */
    int member_count;
    int leader;               /* index of the member that holds the lease */
    char orphans_of[ID_SIZE]; /* granted without their leader, which is this one: to be given back; else empty */
    int shard;
    int64_t started_at_ms;    /* StartedAt: Redis time of the claim */
    int64_t started_boot_ms;  /* the same moment, not later, on this host's boot clock */
    int64_t deadline_boot_ms; /* started_boot_ms + Timeout */
    int64_t duration_ms;      /* set when finished */
    atomic_int stop;          /* enum stop_reason; the handler looks at it whenever it is woken */
    atomic_bool finished;     /* outcomes are known; the reporter has it */
    bool shortage;            /* it did not run: this worker lacked what it takes */

    struct execution *next, *previous; /* table: executions of this shard in flight */
    atomic_llong lease_end_boot_ms;    /* table: by the boot clock, from before the request was sent */
    int64_t lease_ms;                  /* its length, as claimed */
    uint64_t renewal;                  /* table: number of the renewal that last named it */
    struct execution *queue_next;      /* the owner's: handler's or reporter's queue */
    int unreported;                    /* reporter, of one that is split: members that the status log does not have */
    bool report_alone;                 /* reporter: a message with others was refused */
};

/* Timeout in force (of the leader). */
int64_t execution_timeout_ms(const struct execution *execution);
/* How long before its lease ends an execution is stopped: 3 s, a third of the lease when that is less. */
int64_t lease_margin_ms(int64_t lease_ms);
/* What tells this execution from all others: ExecutionGroup of several, the Id of one that runs alone (its attempts are
 * the same work). */
enum { EXECUTION_NAME_SIZE = ID_SIZE + 12 };
const char *execution_name(const struct execution *execution, char name[EXECUTION_NAME_SIZE]);
/* Counts claims of the operation from 1. */
uint32_t token_attempt(uint64_t token);
static inline struct member *execution_leader(const struct execution *execution)
{
    return &execution->members[execution->leader];
}
/* The kind of a failure that is the execution's as a whole, for a member that was not answered: of one that ran alone
 * an error of its own; of several any one may be at fault. */
enum entry_kind execution_failure(const struct execution *execution);
/* Gives every member that has no outcome yet this one. */
void execution_settle(struct execution *execution, enum entry_kind kind, const char *text, size_t size);
void execution_settlef(struct execution *execution, enum entry_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Settles one that could not be started because this worker is short of something (descriptors, processes, memory): that
 * is no failure of the operation. It is returned, and the Type is claimed with care until it works again (slots.h). */
void execution_settle_shortage(struct execution *execution, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Settles one that was stopped: what was told to stop did not succeed, whatever it said afterwards (a program that
 * catches SIGTERM and leaves with 0 has not done its work). Members that a group's handler had answered keep that. */
void execution_settle_stopped(struct execution *execution, enum stop_reason why);

/* ---- all executions of one claim call ---- */
struct claim_batch {
    struct claim_answer answer; /* released when nothing is unfinished */
    atomic_int unfinished;      /* executions */
    atomic_int undelivered;
    struct execution *executions;
    size_t count;
    struct member *members;
};
/* Takes over the answer and sorts its operations into executions: followers go to their leader; those whose leader is
 * not in the answer (no answer of ours) form one that is only to be given back. sent_boot_ms is the boot clock before
 * the answered call was sent: leases and deadlines count from there. NULL for an empty answer, which is released. */
struct claim_batch *claim_batch_new(struct claim_answer *answer, struct served_type *type, int shard,
                                    int64_t sent_boot_ms);
/* The execution's outcomes are known: refuses those that may not be (a member skipped without reason). */
void execution_conclude(struct execution *execution, int64_t now_boot_ms);
/* Nobody looks at what it was claimed with any more: gives up its share of the payloads. */
void execution_let_go(struct execution *execution);
/* Both. */
void execution_finished(struct execution *execution, int64_t now_boot_ms);
/* The status log has its outcomes (or nobody wants them): gives up the rest. */
void execution_free(struct execution *execution);

#endif
