/* What the checker's parts share. */
#ifndef TESTS_SIMULATION_CHECKER_STATE_H
#define TESTS_SIMULATION_CHECKER_STATE_H

#include "common/codec/codec.h"
#include "common/record/tables.h"
#include "tests/simulation/checker.h"

enum {
    RUNNING_MAX = 16,
    PAUSES_MAX = 1024,
    PARTITIONS_MAX = 8,
    SHARDS_MAX = 8,
    SLACK_MS = 5,
    TYPES_MAX = 8,
    GROUPS_MAX = 32
};

enum {
    KINDS_FAILED = 1u << ENTRY_ERROR | 1u << ENTRY_PERMANENT | 1u << ENTRY_CRASHED | 1u << ENTRY_TIMED_OUT |
                   1u << ENTRY_LOST | 1u << ENTRY_UNANSWERED,
    KINDS_SHARED = 1u << ENTRY_CRASHED | 1u << ENTRY_TIMED_OUT | 1u << ENTRY_LOST | 1u << ENTRY_UNANSWERED,
    KINDS_END = KINDS_FAILED | 1u << ENTRY_OK | 1u << ENTRY_CANCEL,
};

struct running {
    uint64_t token;
    int64_t lease_until_ms;
    int rollbacks;
};

/* An execution: of its leader's attempt; of one alone, its own. */
struct run {
    int leader;
    uint64_t token;
};
struct membership {
    struct run run;
    uint64_t token; /* the member's */
};

struct op_state {
    bool succeeded; /* logged so in time; only judged without rollbacks */
    int64_t partition, offset, known_ms, last_started_ms, failed_ms; /* -1: not yet */
    bool granted;                                                    /* at least once */
    bool submitted, given_up, seen, claimed, recorded, removed, redriven, delayed_by_handler;
    uint64_t last_token, granted_token; /* granted_ms: of an answer that was lost at first */
    int64_t granted_ms;
    struct running running[RUNNING_MAX];
    int running_count;
    struct running stopped; /* the last one that ended */
    bool seen_final;        /* observed so while the shard was open */
    int seen_status, seen_rollbacks, claim_rollbacks;
    uint64_t seen_token;
    int first_entry, last_entry; /* events of kind ENTRY, chained by next_entry; -1: none */
    int64_t ended_ms;            /* time of the last entry that may have ended it */
    struct event final;
    struct run run; /* of the latest attempt */
    struct membership groups[GROUPS_MAX];
    int group_count;    /* the attempts that it was in a group with */
    uint64_t led_token; /* of the group it led last: */
    int led_members, led_bytes;
    int final_leader, final_group; /* GroupLeaderId and NumFollowers in the end; -1: none */
    bool final_known;
};

struct check {
    const struct history *history;
    struct verdict_of_checker *verdict;
    struct op_state *ops;
    int *next_entry; /* of each event */
    int rollbacks;
    int64_t submit_fence[PARTITIONS_MAX][SHARDS_MAX], status_fence[SHARDS_MAX];
    int64_t submit_end[PARTITIONS_MAX], status_end[SHARDS_MAX], generation;
    int64_t counts[TYPES_MAX][OP_STATUS_COUNT];
    int64_t submissions, end_ms;
    const struct event *pauses[PAUSES_MAX]; /* and resumes */
    int pause_count;
};

__attribute__((format(printf, 4, 5))) void violated(struct check *check, enum invariant invariant,
                                                    const struct event *event, const char *format, ...);

#define EACH_ENTRY(check, op, e) (int e = (op)->first_entry; e >= 0; e = (check)->next_entry[e])

static inline bool lapsed(const struct check *check, const struct running *running, const struct event *now)
{
    return running->lease_until_ms < now->at_ms || running->rollbacks < check->rollbacks;
}

/* Does an attempt of it run under a lease that holds? */
static inline bool runs(const struct check *check, const struct op_state *op, const struct event *now)
{
    for (int i = 0; i < op->running_count; i++) {
        if (!lapsed(check, &op->running[i], now))
            return true;
    }
    return false;
}

static inline bool same_run(struct run a, struct run b)
{
    return a.leader == b.leader && a.token == b.token;
}

/* ---- checker_sequence.c ---- */

bool stands_before(const struct check *check, size_t m, size_t n); /* in their sequence group */
bool has_ended(const struct check *check, size_t m, int64_t at_ms);
bool has_failed_before(const struct check *check, int op); /* one that may have ended it, too */
void check_sequence(struct check *check, const struct event *claim);

/* ---- checker_group.c ---- */

void on_group(struct check *check, struct op_state *op, const struct event *group);
void on_member(struct check *check, struct op_state *op, const struct event *member, bool final);
void check_lane(struct check *check, const struct event *claim);
void check_order(struct check *check, const struct event *grant); /* an operation's first */
bool was_in_group(const struct op_state *op, uint64_t token);
bool were_together(const struct op_state *op, struct run run); /* was it in this execution? */
bool started_in(const struct op_state *op, struct run run);    /* ... and its worker knows */
void check_groups_end(struct check *check);

#endif
