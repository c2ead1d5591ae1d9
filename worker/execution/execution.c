#include "worker/execution/execution.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"

const char *stop_reason_name(enum stop_reason why)
{
    static const char *const names[] = { "none", "timeout", "cancel", "lost_lease", "drain" };

    return names[why];
}

uint32_t token_attempt(uint64_t token)
{
    return (uint32_t)(token & ((1u << 20) - 1));
}

const char *execution_name(const struct execution *execution, char name[EXECUTION_NAME_SIZE])
{
    const struct member *leader = execution_leader(execution);

    if (execution->member_count > 1)
        snprintf(name, EXECUTION_NAME_SIZE, "%s-%" PRIu32, leader->id, token_attempt(leader->token));
    else
        snprintf(name, EXECUTION_NAME_SIZE, "%s", leader->id);
    return name;
}

int64_t lease_margin_ms(int64_t lease_ms)
{
    enum { LEASE_MARGIN_MS = 3000 };

    return lease_ms / 3 < LEASE_MARGIN_MS ? lease_ms / 3 : LEASE_MARGIN_MS;
}

int64_t execution_timeout_ms(const struct execution *execution)
{
    return execution->deadline_boot_ms - execution->started_boot_ms;
}

enum entry_kind execution_failure(const struct execution *execution)
{
    return execution->member_count > 1 ? ENTRY_UNANSWERED : ENTRY_ERROR;
}

void execution_settle(struct execution *execution, enum entry_kind kind, const char *text, size_t size)
{
    for (int i = 0; i < execution->member_count; i++) {
        if (execution->members[i].outcome.kind == 0)
            outcome_set(&execution->members[i].outcome, kind, text, size);
    }
}

void execution_settlef(struct execution *execution, enum entry_kind kind, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    execution_settle(execution, kind, text, strlen(text));
}

void execution_settle_shortage(struct execution *execution, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    execution->shortage = true;
    execution_settle(execution, ENTRY_RETURNED, text, strlen(text));
}

/* A worker's own trouble (it leaves, it cannot reach Redis) is no failure of the operation: what it stops for that is
 * returned, which costs no retry. Where the lease is gone already, the token makes the entry stale. */
void execution_settle_stopped(struct execution *execution, enum stop_reason why)
{
    switch (why) {
    case STOP_TIMEOUT:
        execution_settlef(execution, ENTRY_TIMED_OUT, "timed out after %lld ms",
                          (long long)execution_timeout_ms(execution));
        break;
    case STOP_CANCEL: execution_settlef(execution, ENTRY_ERROR, "canceled while it was running"); break;
    case STOP_LOST_LEASE: execution_settlef(execution, ENTRY_RETURNED, "stopped: the worker lost its lease"); break;
    case STOP_NONE:
    case STOP_DRAIN: execution_settlef(execution, ENTRY_RETURNED, "stopped: the worker shut down"); break;
    }
}

/* ---- the batch ---- */

static const char *group_key(const struct claimed *op)
{
    return op->leader_id[0] ? op->leader_id : op->id;
}

/* By execution, then in the order in which members are run. "" sorts first, so no SequenceGroup comes first. */
static int claimed_compare(const void *left, const void *right)
{
    const struct claimed *a = *(const struct claimed *const *)left, *b = *(const struct claimed *const *)right;
    int order = strcmp(group_key(a), group_key(b));

    if (order == 0)
        order = strcmp(a->sequence_group, b->sequence_group);
    if (order == 0)
        order = (a->sequence_number > b->sequence_number) - (a->sequence_number < b->sequence_number);
    return order ? order : strcmp(a->id, b->id);
}

/* The answer's operations in the order of executions; sorts only when there are groups. */
static const struct claimed **claimed_order(const struct claim_answer *answer)
{
    const struct claimed **ops = xmalloc(answer->count * sizeof *ops);
    bool groups = false;

    for (size_t i = 0; i < answer->count; i++) {
        ops[i] = &answer->ops[i];
        groups |= answer->ops[i].leader_id[0] != '\0';
    }
    if (groups)
        qsort(ops, answer->count, sizeof *ops, claimed_compare);
    return ops;
}

static void member_init(struct member *member, const struct claimed *op)
{
    member->op = op;
    memcpy(member->id, op->id, ID_SIZE);
    member->token = op->token;
    member->canceled = false;
    member->outcome = (struct outcome)OUTCOME_INIT;
}

/* Until its leader is found, an execution is an orphans'. */
static void execution_init(struct execution *execution, struct claim_batch *batch, struct served_type *type, int shard,
                           const char *leader_id, int64_t sent_boot_ms)
{
    memset(execution, 0, sizeof *execution);
    execution->batch = batch;
    execution->type = type;
    execution->shard = shard;
    execution->started_at_ms = batch->answer.now_ms;
    execution->started_boot_ms = sent_boot_ms;
    execution->deadline_boot_ms = sent_boot_ms;
    execution->lease_ms = batch->answer.lease_ms;
    atomic_init(&execution->lease_end_boot_ms, sent_boot_ms + batch->answer.lease_ms);
    memcpy(execution->orphans_of, leader_id, ID_SIZE);
}

static void execution_add(struct execution *execution, struct member *member, const struct claimed *op)
{
    member_init(member, op);
    if (execution->member_count == 0)
        execution->members = member;
    if (op->leader_id[0] == '\0') {
        execution->leader = execution->member_count;
        execution->deadline_boot_ms = execution->started_boot_ms + op->timeout_ms;
        execution->orphans_of[0] = '\0';
    }
    execution->member_count++;
}

struct claim_batch *claim_batch_new(struct claim_answer *answer, struct served_type *type, int shard,
                                    int64_t sent_boot_ms)
{
    struct claim_batch *batch;
    const struct claimed **ops;
    struct execution *execution = NULL;
    size_t count = answer->count;

    if (count == 0) {
        claim_answer_release(answer);
        return NULL;
    }
    batch = xmalloc(sizeof *batch + count * (sizeof(struct execution) + sizeof(struct member)));
    batch->answer = *answer;
    memset(answer, 0, sizeof *answer);
    batch->executions = (struct execution *)(batch + 1);
    batch->members = (struct member *)(batch->executions + count);
    batch->count = 0;
    ops = claimed_order(&batch->answer);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(group_key(ops[i]), group_key(ops[i - 1])) != 0) {
            execution = &batch->executions[batch->count++];
            execution_init(execution, batch, type, shard, group_key(ops[i]), sent_boot_ms);
        }
        execution_add(execution, &batch->members[i], ops[i]);
    }
    free(ops);
    atomic_init(&batch->unfinished, (int)batch->count);
    atomic_init(&batch->undelivered, (int)batch->count);
    return batch;
}

/* ---- the end ---- */

/* A member may be skipped only behind one of its own SequenceGroup that did not succeed; otherwise it would wait again
 * for nothing, for ever. Members stand in the order of their sequences. */
static void refuse_needless_skips(struct execution *execution)
{
    const char *sequence = "";
    bool broken = false; /* in this sequence, up to here */

    for (int i = 0; i < execution->member_count; i++) {
        struct member *member = &execution->members[i];

        if (strcmp(member->op->sequence_group, sequence) != 0 || !member->op->sequence_group[0])
            broken = false;
        sequence = member->op->sequence_group;
        if (member->outcome.kind == ENTRY_SKIPPED && !broken) {
            outcome_setf(&member->outcome, ENTRY_ERROR,
                         "the handler answered \"skipped\", but no earlier member of its SequenceGroup failed");
        }
        broken |= member->outcome.kind != ENTRY_OK;
    }
}

static void log_group(const struct execution *execution)
{
    int ok = 0, unanswered = 0, skipped = 0;

    for (int i = 0; i < execution->member_count; i++) {
        enum entry_kind kind = execution->members[i].outcome.kind;

        ok += kind == ENTRY_OK;
        skipped += kind == ENTRY_SKIPPED;
        unanswered += kind == ENTRY_UNANSWERED || kind == ENTRY_CRASHED || kind == ENTRY_TIMED_OUT;
    }
    log_event(ok == execution->member_count ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "group ended",
              "op=%s type=%s members=%d ok=%d skipped=%d unanswered=%d duration_ms=%lld",
              execution_leader(execution)->id, execution->type->config->name, execution->member_count, ok, skipped,
              unanswered, (long long)execution->duration_ms);
}

void execution_conclude(struct execution *execution, int64_t now_boot_ms)
{
    execution->duration_ms = now_boot_ms - execution->started_boot_ms;
    refuse_needless_skips(execution);
    if (execution->member_count > 1)
        log_group(execution);
}

void execution_let_go(struct execution *execution)
{
    struct claim_batch *batch = execution->batch;

    for (int i = 0; i < execution->member_count; i++)
        execution->members[i].op = NULL;
    atomic_store(&execution->finished, true);
    if (atomic_fetch_sub(&batch->unfinished, 1) == 1)
        claim_answer_release(&batch->answer);
}

void execution_finished(struct execution *execution, int64_t now_boot_ms)
{
    execution_conclude(execution, now_boot_ms);
    execution_let_go(execution);
}

void execution_free(struct execution *execution)
{
    struct claim_batch *batch = execution->batch;

    for (int i = 0; i < execution->member_count; i++)
        outcome_release(&execution->members[i].outcome);
    if (atomic_fetch_sub(&batch->undelivered, 1) == 1)
        free(batch);
}
