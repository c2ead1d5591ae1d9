/* What happened in a run, as everybody outside Redis saw it, in real-time order. The checker reads nothing else; two
 * runs of one seed must render to the same bytes. */
#ifndef TESTS_SIMULATION_HISTORY_H
#define TESTS_SIMULATION_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/*     event       what happened                                    a, b, c, d                                            */
/* clang-format off */
#define EVENTS(XX)                                                                                               \
    XX(SUBMIT, "a submission was acknowledged by Kafka", partition, offset, ProcessAfter, limit << 32 | backoff) \
    XX(INGEST, "Redis accepted a move of a submit fence", partition, shard, from, next)                          \
    XX(APPLY, "Redis accepted a move of a status fence", shard, from, next, 0)                                   \
    XX(CLAIM, "a worker was granted an attempt", worker, StartedAt, RetryCount, end of last failure)             \
    XX(GRANT, "an attempt was granted, and the answer lost: a CLAIM may follow", 0, 0, 0, 0)                     \
    XX(GROUP, "an attempt is one of a group's; before its CLAIM or GRANT", leader, its token, alone rule, 0)     \
    XX(MEMBER, "somebody read a record with a group", GroupLeaderId or -1, NumFollowers or -1, attempt, leader)  \
    XX(LEASE, "a worker knows its lease until", worker, until, 0, 0)                                             \
    XX(STOP, "an attempt's execution ended", worker, 0, 0, 0)                                                    \
    XX(ENTRY, "an entry was appended to the status log", shard, offset, kind, retry_after)                       \
    XX(PAUSE, "a pause was appended to the status log", shard, offset, what: below, 1: it is a resume)           \
    XX(OBSERVE, "somebody read the record", status, is final, shard is open, 0)                                  \
    XX(RESTART, "Redis was killed and started, nothing lost", 0, 0, 0, 0)                                        \
    XX(ROLLBACK, "Redis was killed and went backwards", steps, 0, 0, 0)                                          \
    XX(FENCE, "a fence that Redis went back to", partition or -1, shard, next, 0)                                \
    XX(ARM, "a generation was armed", shard, generation, 0, 0)                                                   \
    XX(OPEN, "a shard was opened", shard, generation, 0, 0)                                                      \
    XX(CALL, "a function was called", shard, digest of arguments, digest of answer, 0)                           \
    XX(END, "the end of a log", partition or -1, shard or -1, end, 0)                                            \
    XX(LAST_FENCE, "a fence in the end", partition or -1, shard, next, 0)                                        \
    XX(FINAL, "the record in the end", status, is final, RetryCount, failed attempts)                            \
    XX(REMOVED, "no record in the end", ended long enough ago, 0, 0, 0)                                          \
    XX(COUNT, "a counter in the end", type, status, n, 0)                                                        \
    XX(TOTALS, "totals in the end", accepted, duplicates, rejected, 0)
/* clang-format on */
enum event_kind {
#define XX(id, meaning, ...) EVENT_##id,
    EVENTS(XX)
#undef XX
        EVENT_KINDS
};

/* What is paused: a Type or a ParentKey, by number. */
enum { PAUSED_TYPE, PAUSED_PARENT = 16, PAUSED_MAX = 32 };

struct event {
    enum event_kind kind;
    int step;
    int op;        /* index of the operation, -1: none */
    int64_t at_ms; /* the simulation's clock */
    uint64_t token;
    int64_t a, b, c, d;
};

/* What an operation is, for the checker. */
struct history_op {
    int type, shard;
    int parent;                    /* ParentKey, from 0; -1: none */
    int name;                      /* operations of one name (not 0) are one: only one of them is recorded */
    bool poison;                   /* must be refused */
    int sequence, sequence_number; /* members of one sequence (not 0) run in the order of their numbers */
    bool sequence_fails;           /* a failed member ends those behind it, without a log entry of their own */
    int lane, lane_most;           /* so many executions of one lane (not 0) may run at a time */
    int group_most, group_bytes;   /* operations and bytes of payload in one execution */
    int bytes;                     /* of its payload */
    int64_t process_after_ms, backoff_ms, limit;
    int64_t retention_ms; /* a final record is kept at least so long */
};

struct history {
    struct event *events;
    size_t count, capacity;
    struct history_op *ops;
    size_t op_count, op_capacity;
    int64_t retry_max_ms;
    bool ended; /* with a dump of everything behind the last event */
};

void history_init(struct history *history);
void history_release(struct history *history);
void history_add(struct history *history, struct event event);
/* One line: "step time event op token a b c d". */
void history_render_event(struct buf *to, const struct event *event);
/* FNV-1a of all lines. */
uint64_t history_digest(const struct history *history);
void history_copy(struct history *to, const struct history *from);

#endif
