/* The Redis Functions as C calls: one pair send/receive (so that shards can be pipelined) per function, arguments
 * and answers exactly as common/functions/README.md says. The sole reader of their replies. Receivers return the
 * status of redis_receive (ST_FENCED with *generation of the gate in err->text, ST_RECOVERING, ST_AGAIN ...);
 * ST_STALE here means: the fence refused, and the answer's fences say where it stands. */
#ifndef BGOP_REDIS_FUNCTIONS_H
#define BGOP_REDIS_FUNCTIONS_H

#include "common/codec/codec.h"
#include "common/record/id.h"
#include "common/record/type_settings.h"
#include "common/redis/redis.h"

/* The library as built into this program, and its SHA-1 as in its first lines. */
extern const char functions_code[];
extern const size_t functions_code_size;

/* Loads the library (FUNCTION LOAD REPLACE) when the server's code differs; ST_INVALID when a foreign library owns
 * one of our function names (err names it and what to change). *loaded tells whether it had to. */
enum status functions_load(struct redis *redis, bool *loaded, struct err *err) MUST_CHECK;

/* What a server has under our library's name: bgop_library. */
enum library_found {
    LIBRARY_OURS,
    LIBRARY_MISSING, /* none, or one that does not answer as ours does */
    LIBRARY_OLDER,   /* of an older version than this program */
    LIBRARY_OTHER,   /* newer, or another build of this version */
};
struct library {
    enum library_found found;
    char version[32], sha1[48]; /* when it is not missing */
    char denied[512];           /* commands that `user` needs and the caller may not run: "+hset +xadd"; "": none */
};
/* user: of deploy/redis/users.acl, without "bgop-". */
enum status functions_look(struct redis *redis, const char *user, struct library *library, struct err *err) MUST_CHECK;
/* ST_INVALID: the user lacks commands; err names them and says how to allow them. */
enum status redis_user_check(const struct redis *redis, const struct library *library, struct err *err) MUST_CHECK;
/* Loads ours in place of what is there, whatever that is. */
enum status functions_replace(struct redis *redis, struct err *err) MUST_CHECK;
/* ST_AGAIN because a function is not there (and not because Redis is away)? */
bool functions_missing(const struct err *err);
/* The SHA-1 in our library's second line. */
const char *functions_sha1(void);

/* What stands in bgop:{s}:gate. */
enum gate_mode { GATE_ABSENT, GATE_RECOVERING, GATE_OPEN };
struct gate {
    int64_t generation;
    enum gate_mode mode;
    bool armed_for_this_server; /* its run id is this server's */
};
enum status gate_send(struct redis *redis, int shard, struct err *err) MUST_CHECK; /* HMGET */
enum status gate_receive(struct redis *redis, const char *run_id, struct gate *gate, struct err *err) MUST_CHECK;
/* run_id of this connection's server (INFO server). Of a cluster: "", and gate_receive knows those of all its servers. */
enum status functions_run_id(struct redis *redis, char run_id[64], struct err *err) MUST_CHECK;

/* ---- sources and fences ---- */
struct fingerprint {
    int64_t offset;
    uint32_t crc;
    int64_t timestamp_ms;
}; /* offset -1: none yet */
struct fence_move {
    int partition;
    int64_t from, next;
    struct fingerprint fingerprint;
};
struct fence {
    int partition;
    int64_t next;
    struct fingerprint fingerprint;
}; /* next 0, offset -1: never moved */

/* Ids to hint: one entry per Type; ids are joined by blanks. Owned by the answer. */
struct hint_ids {
    char *type;
    char *ids;
    size_t ids_size;
};
struct hints {
    struct hint_ids *types;
    size_t count;
};

/* ---- bgop_ingest ---- */
struct ingest_op { /* texts borrowed until sent; sizes by strlen but payload's */
    char id[ID_SIZE];
    const struct submission *submission;
    uint32_t crc;            /* crc32c of (key, value, timestamp) */
    int64_t submitted_at_ms; /* when the message was made; 0: not known */
    const char *traceparent; /* "" = none */
};
struct ingest {
    int shard;
    int64_t generation;
    struct fence_move *moves;
    size_t move_count;
    struct ingest_op *ops;
    size_t op_count;
    int64_t rejected; /* messages refused by the caller, to be counted */
    bool replay;      /* SubmittedAt is submitted_at_ms, not now: what is read again was submitted before */
};
struct ingest_reject {
    char id[ID_SIZE];
    char *reason;
};
struct ingest_answer {
    int64_t now_ms;
    struct hints hints;
    struct ingest_reject *rejects;
    size_t reject_count; /* with ST_MISSING: what cannot be recorded, such as a Name taken by other content */
    struct fence *fences;
    size_t fence_count; /* with ST_STALE: where the refused fences stand */
};
enum status ingest_send(struct redis *redis, const struct ingest *call, struct err *err) MUST_CHECK;
/* ST_STALE, ST_MISSING: nothing was changed; the answer says what stood against it. */
enum status ingest_receive(struct redis *redis, struct ingest_answer *answer, struct err *err) MUST_CHECK;
void ingest_answer_release(struct ingest_answer *answer);

/* Stored fences of one shard: kind 's' submit (all partitions), 't' status, 'c' command. */
enum status fences_send(struct redis *redis, int shard, struct err *err) MUST_CHECK; /* HGETALL bgop:{s}:fences */
struct shard_fences {
    struct fence *submit;
    size_t submit_count;
    struct fence status;
};
enum status fences_receive(struct redis *redis, struct shard_fences *fences, struct err *err) MUST_CHECK;
void shard_fences_release(struct shard_fences *fences);

/* ---- bgop_claim ---- */
struct claim {
    int shard;
    int64_t generation;
    const char *instance, *worker_uri, *nonce, *type;
    int want; /* most executions to be granted, 1 .. 500; groups count as one */
    const char (*ids)[ID_SIZE];
    size_t id_count; /* hinted; may be none (a pull) */
};
/* An answer has at most so many operations, and about 1 MiB of payloads: with groups fewer executions than wanted. */
enum { CLAIM_MOST_OPERATIONS = 500 };
struct claimed { /* one granted operation; texts owned by the answer */
    char id[ID_SIZE];
    uint64_t token; /* attempt = token & ((1 << 20) - 1) */
    int64_t timeout_ms;
    const char *parent_key, *sequence_group, *traceparent; /* "" = absent */
    int64_t sequence_number;                               /* -1 = absent */
    const char *payload;
    size_t payload_size;
    char leader_id[ID_SIZE]; /* of its execution group; empty for a lone one and a leader */
};
struct claim_answer {
    int64_t now_ms, lease_ms;
    struct claimed *ops;
    size_t count;
    struct redis_reply *memory;
};
enum status claim_send(struct redis *redis, const struct claim *call, struct err *err) MUST_CHECK;
enum status claim_receive(struct redis *redis, struct claim_answer *answer, struct err *err) MUST_CHECK;
void claim_answer_release(struct claim_answer *answer);

/* ---- bgop_renew, bgop_reassert ---- */
struct lease_ref {
    char id[ID_SIZE];
    uint64_t token;
    const char *type; /* these two: reassert only */
    int64_t started_at_ms;
};
struct renew {
    int shard;
    int64_t generation;
    const char *instance, *worker_uri, *types; /* types: names joined by blanks, for `bgopctl workers` */
    int slots;                                 /* concurrency, for people */
    const struct lease_ref *leases;
    size_t lease_count;
};
struct renew_cancel {
    char id[ID_SIZE];
    char *reason;
};
struct renew_answer {
    int64_t now_ms, lease_ms;
    int workers; /* live instances seen by this shard */
    char (*lost)[ID_SIZE];
    size_t lost_count; /* leases that are no longer held with that token */
    struct renew_cancel *cancels;
    size_t cancel_count;
};
enum status renew_send(struct redis *redis, const struct renew *call, struct err *err) MUST_CHECK;
enum status reassert_send(struct redis *redis, const struct renew *call, struct err *err) MUST_CHECK;
enum status renew_receive(struct redis *redis, struct renew_answer *answer, struct err *err) MUST_CHECK; /* of both */
void renew_answer_release(struct renew_answer *answer);

/* ---- bgop_apply ---- */
struct apply_entry {
    const struct status_entry *entry;
    const char *worker_uri;
};
struct apply {
    int shard;
    int64_t generation;
    struct fence_move move; /* of the status partition; partition = shard */
    const struct apply_entry *entries;
    size_t entry_count;
};
struct apply_answer {
    int64_t now_ms;
    struct hints hints;
    struct fence fence; /* with ST_STALE */
};
enum status apply_send(struct redis *redis, const struct apply *call, struct err *err) MUST_CHECK;
enum status apply_receive(struct redis *redis, struct apply_answer *answer, struct err *err) MUST_CHECK;
void apply_answer_release(struct apply_answer *answer);

/* ---- bgop_tick ---- */
struct verdict {
    char id[ID_SIZE];
    uint64_t token;
    enum entry_kind kind;
    int64_t started_at_ms, duration_ms;
    char text[256];
    char leader_id[ID_SIZE]; /* its own when others ran with it, or may have; else empty */
};
struct tick_answer {
    int64_t now_ms;
    int64_t sleep_ms; /* until something is due; -1: nothing is */
    int64_t overdue;  /* leases past their end that read_to does not allow to judge */
    struct hints hints;
    struct verdict *verdicts;
    size_t verdict_count; /* to be appended to the status log */
};
enum status tick_send(struct redis *redis, int shard, int64_t generation, int64_t read_to_ms, int budget,
                      struct err *err) MUST_CHECK;
enum status tick_receive(struct redis *redis, struct tick_answer *answer, struct err *err) MUST_CHECK;
void tick_answer_release(struct tick_answer *answer);

/* ---- bgop_rewind ---- */
struct fence_rewind {
    int shard;
    int64_t generation;
    bool status;            /* the fence of the status log; else of move.partition of submit */
    struct fence_move move; /* from must be where it stands; next is usually below it */
};
enum status rewind_send(struct redis *redis, const struct fence_rewind *call, struct err *err) MUST_CHECK;
/* ST_STALE: it stands elsewhere; *fence says where. */
enum status rewind_receive(struct redis *redis, struct fence *fence, struct err *err) MUST_CHECK;

/* ---- bgop_clock ---- */
struct clock_answer {
    int64_t now_ms;
    int64_t ahead_ms; /* the server's clock is ahead of that by so much; 0: it is believed */
};
/* expected_ms: what the queue's time is at most, by the caller's own measure; 0: it has none. */
enum status clock_send(struct redis *redis, int shard, int64_t generation, int64_t expected_ms,
                       struct err *err) MUST_CHECK;
enum status clock_receive(struct redis *redis, struct clock_answer *answer, struct err *err) MUST_CHECK;

/* ---- bgop_arm, bgop_open ---- */
struct type_settings { /* written to `types` by arm; versioned there */
    const char *name;
#define INT(name, ...)    int64_t name;
#define CHOICE(name, ...) const char *name;
    TYPE_SETTINGS(INT, CHOICE)
#undef INT
#undef CHOICE
    bool declared; /* not one of the record's own: joins the picklist */
};
struct queue_settings {
    int64_t lease_ms, retry_max_delay_ms, log_days, deleted_log_days;
};
struct arm {
    int shard;
    int64_t generation;
    struct queue_settings queue;
    const struct type_settings *types;
    size_t type_count;
    int64_t status_mark; /* the shard's status fence must reach it before open */
    const struct fence *submit_marks;
    size_t submit_mark_count; /* partition and next */
};
enum status arm_send(struct redis *redis, const struct arm *call, struct err *err) MUST_CHECK;
enum status arm_receive(struct redis *redis, struct err *err) MUST_CHECK; /* ST_STALE: a higher one is armed */
enum status open_send(struct redis *redis, int shard, int64_t generation, struct err *err) MUST_CHECK;
/* *opened false: marks not reached yet (err->text says which). */
enum status open_receive(struct redis *redis, bool *opened, struct err *err) MUST_CHECK;

/* ---- bgop_beat, bgop_source: who is there, and how it is (common/record/health.h) ---- */
struct beat {
    int shard;
    const char *kind, *instance;
    bool left;                 /* it ends as it should */
    const char *kafka, *redis; /* outages that it sees; "": none */
};
enum status beat_send(struct redis *redis, const struct beat *beat, struct err *err) MUST_CHECK;
struct source_beat {
    const char *source, *state, *why; /* topic[partition], one of HEALTH_STATES, "" */
};
enum status sources_send(struct redis *redis, int shard, const char *instance, const struct source_beat *states,
                         size_t count, struct err *err) MUST_CHECK;
enum status beat_receive(struct redis *redis,
                         struct err *err) MUST_CHECK; /* of both; ST_OK also when nothing is armed yet */

#endif
