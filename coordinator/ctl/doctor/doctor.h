/* What `bgopctl doctor` finds out. Records, indexes, groups and keys are judged by the Redis Function bgop_check, a few
 * hundred at a time and each in one atomic look; what needs more than one look (counters, streams of batches, Kafka's
 * offsets) is compared here, with what changed meanwhile taken into account. bgop_mend mends, one subject a call. */
#ifndef BGOP_COORDINATOR_CTL_DOCTOR_DOCTOR_H
#define BGOP_COORDINATOR_CTL_DOCTOR_DOCTOR_H

#include "common/functions/wire_tables.h"
#include "common/record/keys.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/session.h"

enum {
    DOCTOR_BATCH = 50,      /* subjects of one bgop_check */
    DOCTOR_KEY_SIZE = 4096, /* a sequence group's name has a ParentKey whose colons are written as %3A */
};

struct stream_position {
    uint64_t ms, sequence;
};

/* One mismatch. */
struct finding {
    int shard;
    const char *what;             /* of bgop_mend; NULL: only a person can */
    char *subject, *index, *text; /* owned */
    char *argument;               /* of bgop_mend, behind the subject; NULL: none */
    bool gone, mended;
};

/* What is known of one operation. */
struct seen {
    char id[ID_SIZE];
    uint16_t type;  /* index in doctor.types; SEEN_TYPE_UNKNOWN: not read yet */
    uint8_t status; /* index of record_statuses, OP_STATUS_COUNT: removed, or none of them */
    bool read, final, born, done, changed;
    struct stream_position position; /* of `changes` when it was read */
    int64_t stamp_ms;
};
enum { SEEN_TYPE_UNKNOWN = 0xffff };

struct index_key {
    int shard;
    char *name;
}; /* behind the shard's prefix */

struct doctor {
    struct session *session;
    struct finding *findings;
    size_t finding_count, finding_capacity;
    struct seen *map; /* open addressing by Id; empty: id[0] is NUL */
    size_t map_count, map_capacity;
    char **types;
    size_t type_count, type_capacity;
    struct index_key *indexes; /* what is to be looked through, found by the scan */
    size_t index_count, index_capacity;
    int64_t begun_ms;                                    /* Redis' clock */
    struct stream_position *changes_from, *deleted_from; /* of each shard, when it began */
    int64_t *changes_complete_ms;                        /* of each shard: from there on `changes` is complete */
    int64_t *read_to_ms; /* of each shard: up to there its status log is known to be applied; 0: not known */
    long long operations, entries;
    long long submit_lag, status_lag; /* messages up to the high watermark; -1: not known */
    json_t *held;                     /* partitions that an open transaction holds: topic, partition, stable, end */
    int unsure;                       /* shards whose counters could not be judged */
    struct progress progress;
};

/* ---- doctor.c ---- */
void doctor_init(struct doctor *doctor, struct session *session);
void doctor_release(struct doctor *doctor);
/* All texts are copied. */
void doctor_find(struct doctor *doctor, int shard, const char *what, const char *subject, const char *index,
                 const char *text, const char *argument);
/* The entry of an Id; made when it is not there. */
struct seen *doctor_record(struct doctor *doctor, const char *id);
/* NULL: there is none. */
struct seen *doctor_record_find(const struct doctor *doctor, const char *id);
uint16_t doctor_type(struct doctor *doctor, const char *type);
struct stream_position stream_position(const char *text);
bool stream_position_before(struct stream_position a, struct stream_position b);
/* FCALL_RO bgop_check 1 bgop:{shard} what [index] subjects...: waits out a recovery for a while. */
int doctor_check(struct doctor *doctor, int shard, const char *what, const char *index, char *const *subjects,
                 size_t count, struct redis_reply **reply);
/* Mends one finding by FCALL bgop_mend, and what belongs to it: sets mended. */
int doctor_mend(struct doctor *doctor, struct finding *finding);
/* The call itself; argument: what stands behind the subject. */
struct doctor_bytes {
    const char *data; /* NULL: there is none */
    size_t size;
};
int doctor_mend_with(struct doctor *doctor, struct finding *finding, const char *what,
                     const struct doctor_bytes *argument);
/* Adds what a person can do to a finding's text. */
void doctor_advise(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* FCALL function 1 bgop:{shard} generation arguments... (texts, closed by NULL). */
int doctor_function(struct doctor *doctor, struct redis_reply **reply, int shard, const char *function,
                    const char *const *arguments);
/* Looks at what was found by one atomic look once more: what is all right now is forgotten, or was mended. */
int doctor_recheck(struct doctor *doctor, bool mended);
/* A command of Redis with a key of a shard: by what stands behind the shard's prefix, or by its pattern and what the
 * key is of. NULL ends the arguments. */
int doctor_read(struct doctor *doctor, struct redis_reply **reply, int shard, const char *verb, const char *name,
                const char *const *arguments);
int doctor_read_of(struct doctor *doctor, struct redis_reply **reply, int shard, const char *verb, enum redis_key of,
                   const char *name, const char *const *arguments);

/* ---- doctor_scan.c ---- */
/* Every key once: records against their indexes, then members of indexes, groups, names, and streams of batches. */
int doctor_scan(struct doctor *doctor);

/* ---- doctor_streams.c ---- */
int doctor_streams(struct doctor *doctor);
/* One that is twice in `born` leaves the later entry. */
int doctor_mend_born(struct doctor *doctor, struct finding *finding);
/* Counters against records, as of one moment. */
int doctor_counts(struct doctor *doctor);

/* ---- doctor_offsets.c ---- */
/* Fences against the ends of Kafka's logs; what is overdue. */
int doctor_offsets(struct doctor *doctor);
/* Fires what is overdue in a shard, and takes back its leases as far as its status log is applied. */
int doctor_mend_timer(struct doctor *doctor, struct finding *finding);

/* ---- doctor_fences.c ---- */
/* Fences against the records of their partitions. */
int doctor_fences(struct doctor *doctor);
int doctor_mend_fence(struct doctor *doctor, struct finding *finding);

/* ---- doctor_message.c ---- */
/* What Kafka has of an operation's submission: its payload; the checksum that its Name is compared by. */
int doctor_mend_payload(struct doctor *doctor, struct finding *finding);
int doctor_mend_name(struct doctor *doctor, struct finding *finding);

#endif
