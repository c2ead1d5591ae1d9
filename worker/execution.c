#include "worker/execution.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
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

int64_t execution_timeout_ms(const struct execution *execution)
{
    return execution->deadline_boot_ms - execution->started_boot_ms;
}

void execution_settle(struct execution *execution, enum entry_kind kind, const char *text, size_t size)
{
    for (int i = 0; i < execution->member_count; i++)
        if (execution->members[i].outcome.kind == 0)
            outcome_set(&execution->members[i].outcome, kind, text, size);
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

static void execution_init(struct execution *execution, struct claim_batch *batch, struct served_type *type, int shard,
                           int64_t sent_boot_ms)
{
    memset(execution, 0, sizeof *execution);
    execution->batch = batch;
    execution->type = type;
    execution->shard = shard;
    execution->started_at_ms = batch->answer.now_ms;
    execution->started_boot_ms = sent_boot_ms;
    execution->deadline_boot_ms = sent_boot_ms;
    execution->lease_end_boot_ms = sent_boot_ms + batch->answer.lease_ms;
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
            execution_init(execution, batch, type, shard, sent_boot_ms);
            execution->members = &batch->members[i];
        }
        member_init(&batch->members[i], ops[i]);
        if (ops[i]->leader_id[0] == '\0') {
            execution->leader = execution->member_count;
            execution->deadline_boot_ms = sent_boot_ms + ops[i]->timeout_ms;
        }
        execution->member_count++;
    }
    free(ops);
    atomic_init(&batch->unfinished, (int)batch->count);
    atomic_init(&batch->undelivered, (int)batch->count);
    return batch;
}

void execution_finished(struct execution *execution, int64_t now_boot_ms)
{
    struct claim_batch *batch = execution->batch;

    execution->duration_ms = now_boot_ms - execution->started_boot_ms;
    for (int i = 0; i < execution->member_count; i++)
        execution->members[i].op = NULL;
    atomic_store(&execution->finished, true);
    if (atomic_fetch_sub(&batch->unfinished, 1) == 1)
        claim_answer_release(&batch->answer);
}

void execution_free(struct execution *execution)
{
    struct claim_batch *batch = execution->batch;

    for (int i = 0; i < execution->member_count; i++)
        outcome_release(&execution->members[i].outcome);
    if (atomic_fetch_sub(&batch->undelivered, 1) == 1)
        free(batch);
}
