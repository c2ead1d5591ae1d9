/* cancel and redrive of operations that are named: they are looked at (common/action/target.h), commands for them are sent
 * through the topic of commands, and answered for when Redis shows the effect. What a condition finds is an action, which a
 * coordinator runs; only its dry run is made here.
 *
 * A run may be interrupted at any moment and started again: each operation gets at most one command a run, and a redrive
 * names the attempt it is meant for (its token). */
#ifndef BGOP_COORDINATOR_CTL_STEER_STEER_H
#define BGOP_COORDINATOR_CTL_STEER_STEER_H

#include "common/action/target.h"
#include "coordinator/ctl/session.h"

struct steering {
    struct session *session;
    enum action_kind kind;      /* ACTION_CANCEL or ACTION_REDRIVE */
    const char *reason, *where; /* where NULL: operations were named */
    int64_t timeout_ms, rate;   /* rate: commands a second, 0: no limit */
    bool dry_run;
    struct targets targets;
    size_t open, passed; /* of the dry run of a condition */
    json_t *groups;      /* "Type\x1fParentKey\x1fError" -> counts, of a dry run */
};

void steering_init(struct steering *steering, struct session *session, enum action_kind kind);
void steering_release(struct steering *steering);

/* ---- steer_match.c ---- */
/* Finds the targets of these operands and looks at them; of a dry run they are counted. */
int steering_match(struct steering *steering, char **operands, int count);
/* Counts what steering->where would hit. */
int steering_count(struct steering *steering);

/* ---- steer_dry.c ---- */
/* The table (or JSON array) of a dry run. */
void steering_print_dry(const struct steering *steering);

/* ---- steer.c ---- */
/* Sends what is open, and waits for the effects. */
int steering_go(struct steering *steering);

#endif
