/* One action that this coordinator runs. All that must not be lost is in Redis; this is what is at hand: the step whose
 * commands are on their way. */
#ifndef BGOP_COORDINATOR_ACTIONS_RUN_H
#define BGOP_COORDINATOR_ACTIONS_RUN_H

#include "common/action/action.h"
#include "common/action/target.h"
#include "coordinator/loop/loop.h"

enum run_phase {
    RUN_FIND,   /* its condition is to be asked: which operations is it about? */
    RUN_SEND,   /* the next step's commands are to be sent, when the rate allows */
    RUN_LOOK,   /* they are in the log: has Redis their effect? */
    RUN_RECORD, /* a step is to be counted */
};

struct run {
    struct loop *loop; /* borrowed */
    struct action_owner owner;
    struct action_job job;
    struct targets targets; /* of this step; none of a pause */
    enum run_phase phase;
    int64_t due_ms;      /* CLOCK_BOOTTIME: nothing is to be done before */
    int64_t rate_ms;     /* the next commands may be sent then */
    int64_t deadline_ms; /* of the effects */
    int64_t pause_ms;    /* between two looks */
    size_t open;         /* effects that are missing */
    bool unseen;         /* of all that was sent in this step, nothing had an effect */
    bool listed;         /* it was ours when we asked last */
};

/* Loads it. NULL: err says why not; ST_MISSING: it cannot be run. */
struct run *run_new(struct loop *loop, const struct action_owner *owner, struct err *err);
void run_free(struct run *run);

/* A bounded piece of work, when one is due. ST_OK: go on; ST_AGAIN, ST_RECOVERING: a server is away, try again later;
 * anything else: it is over, or not ours any more. */
enum status run_turn(struct run *run, struct err *err) MUST_CHECK;
/* Nothing of it is under way: it may be let go without a step going uncounted. */
bool run_is_idle(const struct run *run);

/* ---- step.c ---- */
/* Commands of one step: those of the operations from the cursor on, or the pause. */
enum status step_send(struct run *run, struct err *err) MUST_CHECK;
/* Which effects are there? */
enum status step_look(struct run *run, struct err *err) MUST_CHECK;
/* Counts it. */
enum status step_record(struct run *run, struct err *err) MUST_CHECK;

/* ---- find.c ---- */
/* Asks its condition and keeps the Ids in Redis. It may take long: meanwhile the action stays ours, and an abort ends it. */
enum status find_operations(struct run *run, struct err *err) MUST_CHECK;

#endif
