/* One step of an action: some operations are looked at, their commands are sent through the topic of commands as everybody's
 * are, their effects are waited for, and what became of them is counted. Done twice, after a crash in the middle, it has
 * been done once: a command carries the action's name, so what had its effect is seen to be done, and a redrive is meant for
 * one attempt only. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/action/paused.h"
#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"
#include "coordinator/actions/run.h"

enum {
    STEPS_A_SECOND = 4, /* with a rate: it is kept evenly, and a step is soon over */
    EFFECT_MS = 60000,  /* without any effect */
    LOOK_FIRST_MS = 10,
    LOOK_MAX_MS = 250,
};

static const enum command_kind commands[ACTION_KIND_COUNT] = {
    [ACTION_CANCEL] = COMMAND_CANCEL,
    [ACTION_REDRIVE] = COMMAND_REDRIVE,
    [ACTION_PAUSE] = COMMAND_PAUSE,
    [ACTION_RESUME] = COMMAND_RESUME,
};

static const char *pause_name(const struct run *run)
{
    return run->job.type[0] ? run->job.type : run->job.parent_key;
}

/* ---- sending ---- */

static enum status send_command(struct run *run, const struct target *target, struct err *err)
{
    struct command command = { .kind = commands[run->job.kind] };
    struct buf *buf = &run->loop->appender.buf;
    const char *key = target ? target->id : pause_name(run);

    (void)text_copy(command.reason, sizeof command.reason, run->job.reason, strlen(run->job.reason));
    (void)text_copy(command.command_id, sizeof command.command_id, run->owner.name, strlen(run->owner.name));
    if (target) {
        memcpy(command.id, target->id, ID_SIZE);
        command.has_token = true; /* of a cancel too: intake need not ask Redis for it, command by command */
        command.token = target->token;
    } else {
        (void)text_copy(command.type, sizeof command.type, run->job.type, strlen(run->job.type));
        (void)text_copy(command.parent_key, sizeof command.parent_key, run->job.parent_key,
                        strlen(run->job.parent_key));
    }
    buf_clear(buf);
    codec_write_command(buf, &command);
    BGOP_ASSERT(!buf->overflow);
    return appender_send_keyed(&run->loop->appender, "command", key, buf->data, buf->size, err);
}

static size_t step_size(const struct run *run)
{
    int64_t size = run->job.rate ? run->job.rate / STEPS_A_SECOND : ACTION_BOUND_CHUNK;

    return size < 1 ? 1 : size > ACTION_BOUND_CHUNK ? ACTION_BOUND_CHUNK : (size_t)size;
}

/* The operations of the step, looked at. */
static enum status step_judge(struct run *run, struct err *err)
{
    char ids[ACTION_BOUND_CHUNK][ID_SIZE];
    struct targets *targets = &run->targets;
    size_t count, most = step_size(run);
    enum status st = action_ids(run->loop->redis, run->owner.name, run->job.cursor, ids, &count, err);

    targets_clear(targets);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count && i < most; i++)
        targets_add(targets, ids[i]);
    st = targets_judge(targets, 0, targets->count, err);
    for (size_t i = 0; i < targets->count && st == ST_OK; i++) {
        struct target *target = &targets->list[i];

        if (target->progress == TARGET_OPEN && !target->status[0])
            target_settle(target, targets->found ? TARGET_PASSED : TARGET_FAILED, "has no record");
    }
    return st;
}

static void keep_rate(struct run *run, size_t sent)
{
    int64_t now_ms = clock_boot_ms();

    if (!run->job.rate)
        return;
    run->rate_ms = run->rate_ms > now_ms - 1000 ? run->rate_ms : now_ms;
    run->rate_ms += (int64_t)sent * 1000 / run->job.rate;
}

enum status step_send(struct run *run, struct err *err)
{
    bool of_operations = action_is_of_operations(run->job.kind);
    enum status st;

    run->begun_ms = clock_boot_ms();
    st = of_operations ? step_judge(run, err) : send_command(run, NULL, err);
    run->open = of_operations ? 0 : 1;
    for (size_t i = 0; i < run->targets.count && st == ST_OK; i++) {
        struct target *target = &run->targets.list[i];

        if (target->progress != TARGET_OPEN)
            continue;
        st = send_command(run, target, err);
        target->sent = st == ST_OK;
        run->open += target->sent;
    }
    if (appender_wait(&run->loop->appender, st == ST_OK ? err : NULL) != ST_OK && st == ST_OK)
        st = err->status;
    if (st != ST_OK)
        return st;
    crash_point(CRASH_ACTION_SENT);
    keep_rate(run, run->open);
    run->unseen = run->open > 0;
    run->pause_ms = LOOK_FIRST_MS;
    run->sent_ms = clock_boot_ms();
    run->deadline_ms = run->sent_ms + EFFECT_MS;
    return ST_OK;
}

/* ---- effects ---- */

static enum status look_at_pause(struct run *run, struct err *err)
{
    int missing;
    enum status st = paused_missing(run->loop->redis, (int)run->loop->shared->config->shards, run->job.type,
                                    run->job.parent_key, run->job.kind == ACTION_PAUSE, &missing, err);

    run->open = st == ST_OK ? missing > 0 : run->open;
    return st;
}

static void give_up(struct run *run)
{
    for (size_t i = 0; i < run->targets.count; i++) {
        struct target *target = &run->targets.list[i];

        if (target->progress != TARGET_OPEN)
            continue;
        target_settle(target, TARGET_FAILED,
                      "the command is in Kafka, but had no effect within %d s (`bgopctl why` tells where it stands)",
                      EFFECT_MS / 1000);
    }
}

enum status step_look(struct run *run, struct err *err)
{
    size_t before = run->open;
    enum status st = action_is_of_operations(run->job.kind)
                         ? targets_look(&run->targets, 0, run->targets.count, &run->open, err)
                         : look_at_pause(run, err);
    int64_t now_ms = clock_boot_ms();

    if (st != ST_OK)
        return st;
    if (run->open < before) {
        run->unseen = false;
        run->deadline_ms = now_ms + EFFECT_MS;
    }
    if (run->open > 0 && now_ms >= run->deadline_ms) {
        give_up(run);
        run->open = 0;
    }
    run->due_ms = run->open > 0 ? now_ms + run->pause_ms : now_ms;
    run->pause_ms = run->pause_ms * 2 < LOOK_MAX_MS ? run->pause_ms * 2 : LOOK_MAX_MS;
    return ST_OK;
}

/* ---- counting ---- */

static void count_targets(const struct run *run, struct action_step *step)
{
    for (size_t i = 0; i < run->targets.count; i++) {
        const struct target *target = &run->targets.list[i];

        step->done += target->progress == TARGET_DONE;
        step->skipped += target->progress == TARGET_PASSED;
        if (target->progress != TARGET_FAILED)
            continue;
        step->failed++;
        if (step->failure_count < ACTION_BOUND_FAILURES)
            step->failures[step->failure_count++] = (struct action_failure){ target->id, target->text };
    }
}

static enum status nothing_was_seen(size_t sent, struct err *err)
{
    return err_set(err, ST_FAILED, "of %zu commands in Kafka none had an effect within %d s", sent, EFFECT_MS / 1000);
}

enum status step_record(struct run *run, struct err *err)
{
    struct action_step step = { .from = run->job.cursor };
    bool runs = false;
    enum status st;

    if (action_is_of_operations(run->job.kind)) {
        count_targets(run, &step);
    } else {
        step.done = !run->unseen;
        step.failed = run->unseen;
    }
    if (run->unseen) { /* before it is counted: the last step would say that the action is complete */
        struct err why = ERR_INIT;

        (void)nothing_was_seen(step.failed, &why);
        st = action_fail(run->loop->redis, &run->owner, why.text, err);
        if (st != ST_OK)
            return st;
    }
    st = action_step(run->loop->redis, &run->owner, &step, &runs, err);
    if (st != ST_OK)
        return st;
    log_event(LOG_LEVEL_DEBUG, "action step",
              "action=%s from=%" PRId64 " done=%zu skipped=%zu failed=%zu send-ms=%" PRId64 " effect-ms=%" PRId64,
              run->owner.name, step.from, step.done, step.skipped, step.failed, run->sent_ms - run->begun_ms,
              clock_boot_ms() - run->sent_ms);
    run->job.cursor += (int64_t)(step.done + step.skipped + step.failed);
    targets_clear(&run->targets);
    if (run->unseen)
        return nothing_was_seen(step.failed, err);
    return runs ? ST_OK : err_set(err, ST_STALE, "it has ended");
}
