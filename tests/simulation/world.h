/* The simulated world: a real Redis with the production Lua and the simulation's clock, topics as arrays, coordinators
 * and workers as small step functions. One thread, one seed. */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/codec/codec.h"
#include "tests/simulation/history.h"
#include "tests/simulation/random.h"
#include "tests/support/redis_server.h"

enum {
    SHARDS = 2,
    PARTITIONS = 2,
    COORDINATORS = 2,
    WORKERS = 3,
    SLOTS = 6, /* attempts that a worker runs at a time */
    LEASE_MS = 10000,
    RETRY_MAX_MS = 30000,
    SNAPSHOTS = 256, /* steps that a rollback may reach back to */
    PARENTS = 4,
    MEMBERS = 4, /* of an execution group, at most */
};

/*     Type       backoff  limit  timeout  retention s, of errors, on_sequence_failure, merge_max and _bytes, per parent */
/* clang-format off */
#define SIM_TYPES(XX)                                                     \
    XX(WebCart, 1000, 3, 60000, 86400, 86400, hold, 1, 1048576, 0)        \
    XX(Sweeper, 500, 1, 20000, 86400, 86400, skip, 1, 1048576, 0)         \
    XX(XClean, 1000, 5, 5000, 60, 60, fail, 1, 1048576, 0)                \
    XX(ExternalObject, 1000, 3, 30000, 86400, 86400, hold, 4, 130, 0)     \
    XX(SiteTaskPublish, 500, 1, 10000, 60, 86400, fail, 3, 1048576, 0)    \
    XX(SiteTaskCreate, 1000, 2, 20000, 86400, 86400, skip, 1, 1048576, 2)
/* clang-format on */
enum {
#define XX(name, ...) TYPE_##name,
    SIM_TYPES(XX)
#undef XX
        TYPES
};
struct sim_type {
    const char *name;
    int64_t backoff_ms, limit, timeout_ms, retention_s, retention_error_s;
    const char *on_sequence_failure;
    int merge_max, merge_max_bytes, max_running_per_parent;
};
extern const struct sim_type sim_types[TYPES];
extern const char sim_type_names[]; /* joined by blanks */

/* ---- topics ---- */

struct submission_message { /* bgop.submit; what was not given is -1 or empty */
    char id[ID_SIZE];
    int op, type, shard;
    char parent_key[16], name[16], content[16], sequence_group[16];
    int sequence_number; /* -1: none */
    int64_t process_after_ms, backoff_ms, limit, timeout_ms;
    uint32_t crc;
    bool poison; /* refused by the coordinator */
    bool told;   /* refused by Redis, and told by the coordinator at hand: its next call goes without it */
    int payload_size;
};
struct submit_topic {
    struct submission_message *messages;
    size_t count, capacity;
    int64_t committed;
};

struct log_entry {    /* of bgop.status */
    const char *kind; /* a name of EntryKind */
    int op;           /* -1: a pause or resume, of: */
    int paused;       /* history.h */
    uint64_t token;
    int64_t started_ms, duration_ms, retry_after_ms; /* -1: absent */
    int worker;                                      /* whose WorkerUri; -1: none */
    int leader;                                      /* of a group's outcomes, the leader's own too; -1: none */
};
struct log_batch {
    size_t first, count;
}; /* one message */
struct status_topic {
    struct log_batch *batches;
    size_t count, capacity;
    struct log_entry *entries;
    size_t entry_count, entry_capacity;
};

enum { HINT_IDS = 16 };
struct hint {
    int ops[HINT_IDS];
    int count;
};
struct hint_topic {
    struct hint *hints;
    size_t count, capacity;
};

/* ---- processes ---- */

struct coordinator {
    int64_t generation[SHARDS]; /* 0: to be read */
    bool opened[SHARDS];        /* the gate of this generation was seen open */
    int64_t cursor[PARTITIONS][SHARDS], status_cursor[SHARDS];
    struct {
        int64_t time_ms, end;
        bool set;
    } mark[SHARDS];
    int64_t read_to_ms[SHARDS];
};

struct member { /* of a group: a follower */
    int op;
    uint64_t token;
    const char *kind; /* NULL: the handler says nothing of it, and its worker neither */
    int64_t retry_after_ms;
    bool told, reported; /* reported: the delivery of its outcome is known */
};
struct execution { /* of one operation, or of a group's leader */
    int op, shard;
    uint64_t token;
    struct member followers[MEMBERS - 1];
    int follower_count;
    int64_t started_ms, timeout_ms; /* as the claim answered them */
    int64_t end_ms;                 /* when the handler will be done */
    int rollbacks;                  /* of Redis, when it last heard of its lease */
    int64_t lease_until_ms;         /* as the worker knows it */
    const char *kind;               /* how it will end */
    int64_t retry_after_ms;
    bool done, ended_event, hung, told; /* hung: nobody stops it at Timeout or at the end of its lease */
};
struct unseen {
    int op, leader; /* leader: -1: it has a lease of its own */
    uint64_t token;
    int64_t started_ms, until_ms;
};
struct claim_state { /* waiting: the reply was lost, unseen is what it granted */
    bool waiting;
    int nonce, want, unseen_count;
    struct unseen unseen[SLOTS * MEMBERS];
};
struct worker {
    int number, incarnation; /* WorkerUri and instance are made of them */
    int64_t generation[SHARDS];
    bool must_reassert[SHARDS];
    int nonce;
    struct claim_state claim[SHARDS][TYPES];
    size_t hint_offset[SHARDS][TYPES];
    struct execution executions[SLOTS];
    int execution_count;
};

/* ---- Redis ---- */

struct snapshot {
    int64_t aof_size;
    int step;
    int64_t submit_fence[PARTITIONS][SHARDS], status_fence[SHARDS];
};

/* Effects that a set of runs must have had, or it has proven little. */
/* clang-format off */
#define SIM_EFFECTS(XX) \
    XX(LOST_REPLY)      \
    XX(SAME_NONCE)      \
    XX(FENCE_REFUSED)   \
    XX(REJECTED)        \
    XX(FENCED)          \
    XX(LEASE_LOST) XX(TIMED_OUT) \
    XX(SUPERSEDED)      \
    XX(ADOPTED) XX(PARKED) XX(CANCELED) XX(REDRIVEN) XX(DUPLICATE) XX(REMOVED) \
    XX(BLOCKED) XX(RETRIED) XX(ROLLED_BACK) XX(PAUSED) XX(LAID_ASIDE) \
    XX(GROUPED) XX(MERGED) XX(OUTLIVED_LEADER) XX(LEFT_GROUP) XX(LEADER_LEFT) XX(SKIPPED) XX(UNANSWERED) XX(UNTOLD) \
    XX(GROUP_LOST) XX(GROUP_REASSERTED) XX(ALONE) XX(MEMBER_CANCELED) XX(FOLLOWERS_FIRST) XX(LIMITED)
/* clang-format on */
enum sim_effect {
#define XX(id) EFFECT_##id,
    SIM_EFFECTS(XX)
#undef XX
        EFFECTS
};

struct world {
    struct random random;
    struct history history;
    struct redis_server server;
    redisContext *redis;
    int owed; /* answers that nobody waits for */
    char run_id[64];
    int64_t now_ms;
    int step;
    bool quiet; /* no faults: draining */
    bool rollbacks_allowed;
    bool paused[PAUSED_MAX]; /* as people know it */
    char failure[1024];      /* why the run fails; empty: it does not */
    int64_t generation;      /* last in the control topic */

    struct submit_topic submit[PARTITIONS];
    struct status_topic status[SHARDS];
    struct hint_topic hints[SHARDS][TYPES];
    struct {
        int partition;
        int64_t offset;
        uint64_t heard_token; /* what a worker renewed last, and when */
        int64_t heard_ms;
    } * places;
    size_t place_count, place_capacity; /* of an op's submission */
    struct coordinator coordinators[COORDINATORS];
    struct worker workers[WORKERS];

    /* What Redis must hold: fences as its answers said. */
    int64_t submit_fence[PARTITIONS][SHARDS], status_fence[SHARDS];
    struct snapshot snapshots[SNAPSHOTS];
    int snapshot_count, snapshot_oldest; /* a ring: those from oldest on */
    int64_t floor_ms[SHARDS];            /* no lease is judged before: a lease's time after opening */
    int rollbacks, restarts;
    int64_t seen[EFFECTS];
};

/* Runs one seed; the history remains in world->history until world_end. False: world->failure says why. Without
 * rollbacks the checker is stricter: nothing is explained by them. */
bool world_run(struct world *world, uint64_t seed, int steps, bool rollbacks);
void world_end(struct world *world);
/* world_fail keeps the first reason. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_event(struct world *world, struct event event); /* step and time are filled in */

const struct submission_message *world_op(const struct world *world, int op);
int world_op_find(const struct world *world, const char *id);

/* ---- redis.c: calls ---- */

/* One call at a time: begun, arguments added, sent. */
void call_begin(struct world *world, const char *function, int shard, int64_t generation);
void call_text(struct world *world, const char *text);
void call_int(struct world *world, int64_t number);
void call_token(struct world *world, uint64_t token);
/* The answer, valid until the next call; NULL: the reply was lost (or Redis refused: see *refused). Every call is an
 * event with the digests of its arguments and its answer. */
enum refusal { REFUSED_NOT, REFUSED_FENCED, REFUSED_RECOVERING, REFUSED_STALE, REFUSED_REPLY_LOST };
const redisReply *call_send(struct world *world, enum refusal *refused);
const char *answer_text(const redisReply *answer, size_t index);
int64_t answer_int(const redisReply *answer, size_t index);
/* A plain command (no blanks inside arguments): format split at blanks. */
redisReply *world_command(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same in two parts, for many at a time: all are sent, then their answers read, in the same order. */
void world_send(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
redisReply *world_answer(struct world *world);
void world_clock(struct world *world, int64_t now_ms);
void world_redis_start(struct world *world);
void world_restart(struct world *world);
void world_rollback(struct world *world);
void world_snapshot(struct world *world);
/* The gate's generation when the shard is armed for this server, else 0; *open. */
int64_t world_gate(struct world *world, int shard, bool *open);
void world_gate_send(struct world *world, int shard);
int64_t world_gate_answer(struct world *world, bool *open);

/* ---- user.c, coordinator.c, worker.c, execution.c: steps ---- */

void user_submit(struct world *world);
void user_command(struct world *world);
void user_pause(struct world *world); /* or resume, of a Type or a ParentKey */
void user_resume_all(struct world *world);
void user_unblock(struct world *world); /* redrives or cancels what holds a sequence group */
void status_append(struct world *world, int shard, const struct log_entry *entries, size_t count);

void coordinator_start(struct world *world, struct coordinator *coordinator); /* knows nothing */
void coordinator_intake(struct world *world, struct coordinator *coordinator, int partition, int most);
void coordinator_status(struct world *world, struct coordinator *coordinator, int shard, int most);
void coordinator_tick(struct world *world, struct coordinator *coordinator, int shard);

void worker_start(struct world *world, int number);
void worker_claim(struct world *world, struct worker *worker, int shard, int type, bool pull);
void worker_run(struct world *world, struct worker *worker); /* what ends, ends; leases that end are heeded */
void worker_report(struct world *world, struct worker *worker);
void worker_renew(struct world *world, struct worker *worker, int shard);
void worker_crash(struct world *world, struct worker *worker);

/* An execution ends, whatever becomes of its outcome; the last one takes its place. */
void execution_stop(struct world *world, struct worker *worker, int index);
/* How it will end, and when. */
void execution_plan(struct world *world, struct execution *execution);
/* Somebody wants this member (-1: the leader) canceled. */
void execution_cancel(struct world *world, struct execution *execution, int member);

/* ---- structure.c: what must hold in Redis at any time ---- */

void structure_load(struct world *world);
void structure_check(struct world *world, bool full);
void structure_check_end(struct world *world); /* after some ticks: what expired is gone, each listed once */
bool structure_is_done(struct world *world);   /* nothing waits, runs or is due */
void world_observe(struct world *world, const int *ops, size_t count);
void world_dump(struct world *world); /* the end of the history */

#endif
