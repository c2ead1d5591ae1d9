#include "coordinator/actions/run.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

struct run *run_new(struct loop *loop, const struct action_owner *owner, struct err *err)
{
    struct run *run = xcalloc(1, sizeof *run);

    run->loop = loop;
    run->owner = *owner;
    run->listed = true;
    if (action_load(loop->redis, owner->name, &run->job, err) != ST_OK) {
        free(run);
        return NULL;
    }
    targets_init(&run->targets, loop->redis, run->job.kind);
    run->targets.found = run->job.where[0] != '\0';
    run->targets.begun_ms = run->job.started_ms;
    run->targets.action = run->owner.name;
    run->phase = run->job.matching < 0 ? RUN_FIND : RUN_SEND;
    return run;
}

void run_free(struct run *run)
{
    targets_release(&run->targets);
    action_job_release(&run->job);
    free(run);
}

bool run_is_idle(const struct run *run)
{
    return run->phase == RUN_FIND || run->phase == RUN_SEND;
}

static enum status run_phase(struct run *run, struct err *err)
{
    switch (run->phase) {
    case RUN_FIND: return find_operations(run, err);
    case RUN_SEND: return step_send(run, err);
    case RUN_LOOK: return step_look(run, err);
    case RUN_RECORD: return step_record(run, err);
    }
    return ST_FAILED;
}

/* What has succeeded leads to this. */
static void run_next(struct run *run)
{
    switch (run->phase) {
    case RUN_FIND:
    case RUN_RECORD:
        run->phase = RUN_SEND;
        run->due_ms = run->rate_ms;
        break;
    case RUN_SEND: run->phase = run->open > 0 ? RUN_LOOK : RUN_RECORD; break;
    case RUN_LOOK: run->phase = run->open > 0 ? RUN_LOOK : RUN_RECORD; break;
    }
}

/* A verdict on the action, and not on a server: it cannot go on. ST_STALE is neither: somebody else has it. */
static void run_fail(struct run *run, const char *text)
{
    struct err err = ERR_INIT;

    log_event(LOG_LEVEL_WARNING, "action failed", "action=%s kind=%s error=\"%s\"", run->owner.name,
              action_kind_name(run->job.kind), text);
    if (action_fail(run->loop->redis, &run->owner, text, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "action not told", err.text, "action=%s", run->owner.name);
}

enum status run_turn(struct run *run, struct err *err)
{
    enum status st;

    if (clock_boot_ms() < run->due_ms)
        return ST_OK;
    st = run_phase(run, err);
    if (st == ST_OK)
        run_next(run);
    else if (st != ST_AGAIN && st != ST_RECOVERING && st != ST_STALE)
        run_fail(run, err->text);
    return st;
}
