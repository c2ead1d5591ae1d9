/* Sequence groups: judged where Redis never went backwards. */
#include "tests/simulation/checker_state.h"

bool stands_before(const struct check *check, size_t m, size_t n)
{
    const struct history_op *a = &check->history->ops[m], *b = &check->history->ops[n];

    if (a->sequence_number != b->sequence_number)
        return a->sequence_number < b->sequence_number;
    if (check->ops[m].partition != check->ops[n].partition)
        return check->ops[m].partition < check->ops[n].partition;
    return check->ops[m].offset < check->ops[n].offset;
}

/* Had it come to an end, or was it ended by one before it, at this time? */
bool has_ended(const struct check *check, size_t m, int64_t at_ms)
{
    const struct history_op *given = &check->history->ops[m];

    if (check->ops[m].ended_ms > 0 && check->ops[m].ended_ms <= at_ms)
        return true;
    for (size_t other = 0; given->sequence != 0 && given->sequence_fails && other < check->history->op_count; other++) {
        const struct op_state *op = &check->ops[other];

        if (check->history->ops[other].sequence == given->sequence && op->failed_ms > 0 && op->failed_ms <= at_ms &&
            stands_before(check, other, m))
            return true;
    }
    return false;
}

/* Its worker may have heard of it later than it was granted. */
void check_sequence(struct check *check, const struct event *claim)
{
    const struct history_op *given = check->history->ops;
    size_t n = (size_t)claim->op;
    int64_t granted_ms = check->ops[n].granted_token == claim->token ? check->ops[n].granted_ms : claim->b;

    for (size_t m = 0; m < check->history->op_count; m++) {
        const struct op_state *other = &check->ops[m];

        if (m == n || given[m].sequence != given[n].sequence || given[m].poison || !other->submitted)
            continue;
        if (same_run(other->run, check->ops[n].run)) { /* members of one execution count as one */
            if (stands_before(check, n, m) && started_in(other, other->run))
                violated(check, INVARIANT_SEQUENCE, claim, "stands behind operation %zu in their execution", m);
            continue;
        }
        if (runs(check, other, claim))
            violated(check, INVARIANT_SEQUENCE, claim, "operation %zu of its group runs", m);
        if (stands_before(check, m, n)) {
            if (other->known_ms >= 0 && other->known_ms < granted_ms && !has_ended(check, m, granted_ms))
                violated(check, INVARIANT_SEQUENCE, claim, "number %d runs before %zu, number %d",
                         given[n].sequence_number, m, given[m].sequence_number);
        } else if (!check->ops[n].redriven && !were_together(&check->ops[n], other->run) &&
                   other->last_started_ms > check->ops[n].known_ms && other->last_started_ms < granted_ms) {
            violated(check, INVARIANT_SEQUENCE, claim, "number %d runs again after %zu, number %d",
                     given[n].sequence_number, m, given[m].sequence_number);
        }
    }
}

/* Members of some groups end with one before them. */
bool has_failed_before(const struct check *check, int op)
{
    const struct history_op *given = &check->history->ops[op];

    for (size_t other = 0; given->sequence != 0 && given->sequence_fails && other < check->history->op_count; other++) {
        if (check->history->ops[other].sequence == given->sequence && check->ops[other].failed_ms > 0 &&
            stands_before(check, other, (size_t)op))
            return true;
    }
    return false;
}
