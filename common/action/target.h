/* Operations that are to be canceled or redriven: what Redis says of each, whether there is anything to do, and what became
 * of it. Whoever sends the commands (bgopctl for a few that are named, a coordinator for an action) does it in between:
 *
 *   targets_add(&targets, id);
 *   st = targets_judge(&targets, from, to, &err);     // some are settled: nothing to do, or refused
 *   ...send a command for each that is TARGET_OPEN and set its `sent`...
 *   st = targets_look(&targets, from, to, &open, &err);   // settles those whose effect is there; again while open > 0
 *
 * Each gets at most one command; that of a redrive names the attempt it is meant for (token). */
#ifndef BGOP_ACTION_TARGET_H
#define BGOP_ACTION_TARGET_H

#include <jansson.h>

#include "common/record/actions.h"
#include "common/record/id.h"
#include "common/redis/redis.h"

enum target_progress {
    TARGET_OPEN, /* to be sent, or sent and not seen to have worked */
    TARGET_DONE,
    TARGET_FAILED, /* text says why */
    TARGET_PASSED, /* there is nothing to do */
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
    const char *type; /* borrowed from targets.types; "" when there is no record */
    char *text;       /* what became of it; owned, NULL: nothing to say */
};
struct targets {
    struct redis *redis;
    enum action_kind kind; /* ACTION_CANCEL or ACTION_REDRIVE */
    bool found;       /* by a condition: where there is nothing to do, that is fine; of one that was named it is not */
    int64_t begun_ms; /* found: what changed from then on is left alone by a redrive */
    const char *action;  /* its name, when one sends these: what it has done already is seen to be done; else NULL */
    struct target *list; /* owned */
    size_t count, capacity;
    json_t *types; /* met -> redrive_limit */
};
void targets_init(struct targets *targets, struct redis *redis, enum action_kind kind);
void targets_release(struct targets *targets);
void targets_clear(struct targets *targets); /* those in the list; Types stay known */
struct target *targets_add(struct targets *targets, const char *id);
void target_settle(struct target *target, enum target_progress progress, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Asks Redis of those from `from` to before `to`, in one round trip, and settles what there is nothing to do for. One that
 * has no record stays open (status ""). After an error the connection is closed. */
enum status targets_judge(struct targets *targets, size_t from, size_t to, struct err *err) MUST_CHECK;
/* Settles those sent whose effect Redis shows; *open: how many are left. */
enum status targets_look(struct targets *targets, size_t from, size_t to, size_t *open, struct err *err) MUST_CHECK;

#endif
