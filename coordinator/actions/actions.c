/* A turn: five times a second Redis is asked which actions are ours; then each gets a bounded piece of work (run.h), when one is
 * due. */
#include "coordinator/actions/actions.h"

#include <string.h>

#include "common/base/clock.h"
#include "coordinator/actions/run.h"

enum {
    TAKE_MS = 200,
    TURN_MS = 10,  /* between turns, while an action goes on */
    IDLE_MS = 100, /* ... when none does */
    AWAY_MS = 500, /* ... when a server is away */
};

struct runner {
    struct loop *loop;
    struct run *runs[ACTION_BOUND_RUNNING];
    size_t count;
    int64_t take_at_ms;
    uint64_t connection; /* on which Redis was found to be our queue's */
};

static void runner_drop(struct runner *runner, size_t index)
{
    run_free(runner->runs[index]);
    runner->runs[index] = runner->runs[--runner->count];
}

static bool runner_has(struct runner *runner, const struct action_owner *owner)
{
    for (size_t i = 0; i < runner->count; i++) {
        struct run *run = runner->runs[i];

        if (strcmp(run->owner.name, owner->name) == 0 && run->owner.fence == owner->fence) {
            run->listed = true;
            return true;
        }
    }
    return false;
}

static void runner_add(struct runner *runner, const struct action_owner *owner)
{
    struct err err = ERR_INIT;
    struct run *run;

    if (runner_has(runner, owner) || runner->count == ACTION_BOUND_RUNNING)
        return;
    run = run_new(runner->loop, owner, &err);
    if (!run) {
        log_error_text(LOG_LEVEL_WARNING, "action not taken", err.text, "action=%s", owner->name);
        return;
    }
    log_event(LOG_LEVEL_INFO, "action taken", "action=%s kind=%s fence=%lld done=%lld", owner->name,
              action_kind_name(run->job.kind), (long long)owner->fence, (long long)run->job.cursor);
    runner->runs[runner->count++] = run;
}

/* What is not ours any more goes, but for a step that is under way: its count is still to be taken, or refused. */
static enum status runner_take(struct runner *runner, struct err *err)
{
    struct action_owner owners[ACTION_BOUND_RUNNING];
    size_t count;
    enum status st;

    runner->take_at_ms = clock_boot_ms() + TAKE_MS;
    st = action_take(runner->loop->redis, runner->loop->shared->instance, false, owners, &count, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < runner->count; i++)
        runner->runs[i]->listed = false;
    for (size_t i = 0; i < count; i++)
        runner_add(runner, &owners[i]);
    for (size_t i = runner->count; i-- > 0;) {
        if (!runner->runs[i]->listed && run_is_idle(runner->runs[i]))
            runner_drop(runner, i);
    }
    return ST_OK;
}

/* false: a server is away. */
static bool runner_turn(struct runner *runner)
{
    struct loop *loop = runner->loop;
    struct err err = ERR_INIT;
    bool there = loop_redis_is_ours(loop, &runner->connection, &err);

    if (there && clock_boot_ms() >= runner->take_at_ms)
        there = runner_take(runner, &err) == ST_OK;
    for (size_t i = runner->count; there && i-- > 0;) {
        struct run *run = runner->runs[i];
        enum status st = run_turn(run, &err);

        loop_beat(loop);
        if (st == ST_AGAIN || st == ST_RECOVERING)
            there = false;
        else if (st != ST_OK || (!run->listed && run_is_idle(run)))
            runner_drop(runner, i);
    }
    if (!there)
        log_error_text(LOG_LEVEL_DEBUG, "actions wait", err.text, "loop=%s", loop->name);
    return there;
}

/* What is under way is seen to be done by whoever takes it over. */
static void runner_leave(struct runner *runner)
{
    struct action_owner owners[ACTION_BOUND_RUNNING];
    struct err err = ERR_INIT;
    size_t count;

    if (runner->count > 0 &&
        action_take(runner->loop->redis, runner->loop->shared->instance, true, owners, &count, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "actions not given back", err.text, "loop=%s", runner->loop->name);
    while (runner->count > 0)
        runner_drop(runner, runner->count - 1);
}

void actions_run(struct loop *loop)
{
    struct runner runner = { .loop = loop };

    atomic_store(&loop->assigned, true);
    while (!loop_stopping(loop)) {
        bool there = runner_turn(&runner);

        appender_poll(&loop->appender);
        loop_pause(loop, !there ? AWAY_MS : runner.count > 0 ? TURN_MS : IDLE_MS);
    }
    runner_leave(&runner);
}
