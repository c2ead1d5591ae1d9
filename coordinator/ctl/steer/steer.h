/* cancel and redrive of any number of operations: they are found (by Id or by condition), looked at, counted or sent
 * through the topic of commands at a bounded rate, and answered for when Redis shows the effect.
 *
 * A run may be interrupted at any moment and started again: each operation gets at most one command a run, a redrive
 * names the attempt it is meant for (its token), and what changed after the run began is left alone. */
#ifndef BGOP_COORDINATOR_CTL_STEER_STEER_H
#define BGOP_COORDINATOR_CTL_STEER_STEER_H

#include "common/codec/codec.h"
#include "common/record/keys.h"
#include "coordinator/ctl/session.h"

enum target_progress {
    TARGET_OPEN, /* to be sent, or sent and not seen to have worked */
    TARGET_DONE,
    TARGET_FAILED, /* text says why */
    TARGET_PASSED, /* matches the condition, but there is nothing to do */
};
struct target {
    char id[ID_SIZE];
    char status[16]; /* as before the command; empty: no such operation */
    bool sent;
    bool to_come; /* not recorded yet: a cancel waits for it in the log */
    enum target_progress progress;
    int64_t stamp_ms; /* SystemModstamp */
    uint64_t token;
    int64_t redrives;
    const char *type; /* borrowed from steering.names */
    char *text;       /* what became of it; owned, NULL: nothing to say */
};
struct steering {
    struct session *session;
    enum command_kind kind;     /* COMMAND_CANCEL or COMMAND_REDRIVE */
    const char *reason, *where; /* where NULL: operations were named */
    int64_t timeout_ms, rate;   /* rate: commands a second, 0: no limit */
    bool dry_run;
    int64_t begun_ms; /* Redis' clock */
    struct target *targets;
    size_t count, capacity;
    json_t *groups; /* "Type\x1fParentKey\x1fError" -> counts, of a dry run */
    json_t *names;  /* Types met -> redrive_limit */
};

void steering_init(struct steering *steering, struct session *session, enum command_kind kind);
void steering_release(struct steering *steering);

/* What became of one. */
void target_settle(struct target *target, enum target_progress progress, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- steer_query.c ---- */
/* What to ask of targets, and who takes the answers: HMGET of these fields of the record, and of one more key of its
 * shard `verb key Id`. */
struct target_query {
    const char *const *fields;                     /* NULL behind the last */
    const char *verb;                              /* "ZSCORE" */
    enum redis_key key;                            /* KEY_DUE */
    bool (*is_about)(const struct target *target); /* the answer to one target changes it for no other */
    void (*on_answer)(struct steering *steering, struct target *target, const struct redis_reply *record,
                      const struct redis_reply *other);
};
/* Asks all targets from `from` to before `to` in one round trip. After an error the connection is closed. */
enum status steering_query(struct steering *steering, const struct target_query *query, size_t from, size_t to,
                           struct err *err);

/* ---- steer_match.c ---- */
/* Finds the targets: of these operands, or of steering->where. */
int steering_match(struct steering *steering, char **operands, int count);

/* ---- steer_dry.c ---- */
/* The table (or JSON array) of a dry run. */
void steering_print_dry(const struct steering *steering);

/* ---- steer.c ---- */
/* Sends what is open, and waits for the effects. */
int steering_go(struct steering *steering);

/* Has Ctrl-C (or SIGTERM) been asked for? From steering_init on these do not end the program at once. */
bool steering_interrupted(void);

#endif
