/* Lanes and execution groups. */
#include <inttypes.h>

#include "tests/simulation/checker_state.h"

enum { ATTEMPTS = 1 << 20 }; /* token = generation * ATTEMPTS + attempt */

bool was_in_group(const struct op_state *op, uint64_t token)
{
    for (int i = op->group_count - 1; i >= 0; i--) {
        if (op->groups[i].token == token)
            return true;
    }
    return false;
}

bool were_together(const struct op_state *op, struct run run)
{
    for (int i = op->group_count - 1; i >= 0; i--) {
        if (same_run(op->groups[i].run, run))
            return true;
    }
    return false;
}

bool started_in(const struct op_state *op, struct run run)
{
    for (int i = op->group_count - 1; i >= 0; i--) {
        if (same_run(op->groups[i].run, run))
            return op->claimed && op->last_token == op->groups[i].token;
    }
    return op->claimed && op->last_token == run.token;
}

/* ---- claims ---- */

/* The first entry of this attempt, as an index of the history; -1: none. */
static int entry_first_of(const struct check *check, const struct op_state *op, uint64_t token)
{
    for
        EACH_ENTRY(check, op, e)
        {
            if (check->history->events[e].token == token)
                return e;
        }
    return -1;
}

/* Its attempt before this one was in a group of which nobody said a word: the lease was lost. Or it crashed, nothing else was
 * said, and nothing had ended the group before. */
static bool had_trouble(const struct check *check, const struct op_state *op)
{
    const struct membership *last = op->group_count == 0 ? NULL : &op->groups[op->group_count - 1];
    int entries = 0, of_leader;
    bool crashed = false;

    if (last == NULL || last->token != op->last_token || op->redriven || check->rollbacks > 0)
        return false;
    of_leader = entry_first_of(check, &check->ops[last->run.leader], last->run.token);
    for
        EACH_ENTRY(check, op, e)
        {
            if (check->history->events[e].token != last->token)
                continue;
            entries++;
            crashed = check->history->events[e].c == ENTRY_CRASHED && (of_leader < 0 || of_leader >= e);
        }
    return entries == 0 ? of_leader < 0 : entries == 1 && crashed;
}

static void check_bounds(struct check *check, const struct op_state *op, const struct event *group)
{
    const struct history_op *given = &check->history->ops[group->op];
    struct op_state *leader = &check->ops[group->a];

    if (given->lane == 0 || given->lane != check->history->ops[group->a].lane)
        violated(check, INVARIANT_GROUP_BOUNDS, group, "is led by operation %" PRId64 " of another lane", group->a);
    if (leader->led_token != (uint64_t)group->b) {
        leader->led_token = (uint64_t)group->b;
        leader->led_members = leader->led_bytes = 0;
    }
    leader->led_members++;
    leader->led_bytes += given->bytes;
    if (leader->led_members > given->group_most || (leader->led_members > 1 && leader->led_bytes > given->group_bytes))
        violated(check, INVARIANT_GROUP_BOUNDS, group, "is one of %d, with %d bytes", leader->led_members,
                 leader->led_bytes);
    (void)op;
}

void on_group(struct check *check, struct op_state *op, const struct event *group)
{
    const struct op_state *leader = &check->ops[group->a];
    struct run run = { (int)group->a, (uint64_t)group->b };

    op->run = run;
    if (group->c)
        violated(check, INVARIANT_ALONE, group, "is in a group");
    if (was_in_group(op, group->token))
        return; /* the answer that was lost came again */
    if (had_trouble(check, op))
        violated(check, INVARIANT_ALONE, group, "is in a group again");
    if (group->op != group->a && !same_run(leader->run, run))
        violated(check, INVARIANT_ONE_LEADER, group, "operation %" PRId64 " does not lead a group", group->a);
    if (group->op == group->a && group->token != (uint64_t)group->b)
        violated(check, INVARIANT_ONE_LEADER, group, "leads with another token");
    check_bounds(check, op, group);
    if (op->group_count < GROUPS_MAX)
        op->groups[op->group_count++] = (struct membership){ run, group->token };
}

/* The leader's execution is what runs; a member starts inside it. */
void check_lane(struct check *check, const struct event *claim)
{
    const struct history_op *given = check->history->ops;
    const struct op_state *op = &check->ops[claim->op];
    int running = 0;

    if (op->run.leader != claim->op) {
        if (!runs(check, &check->ops[op->run.leader], claim) && check->ops[op->run.leader].last_token != op->run.token)
            violated(check, INVARIANT_ONE_LEADER, claim, "starts while its leader does not run");
        return;
    }
    for (size_t i = 0; i < check->history->op_count; i++) {
        if (given[i].lane == given[claim->op].lane && (int)i != claim->op && check->ops[i].run.leader == (int)i &&
            runs(check, &check->ops[i], claim))
            running++;
    }
    if (running >= given[claim->op].lane_most)
        violated(check, INVARIANT_LANE, claim, "runs beside %d of its lane", running);
}

/* Nothing but its turn decides when it starts. */
static bool waits_for_its_turn(const struct check *check, size_t index)
{
    const struct history_op *given = &check->history->ops[index];

    return given->lane != 0 && given->lane_most == 1 && given->sequence == 0 && given->process_after_ms < 0 &&
           given->name == 0 && !given->poison;
}

void check_order(struct check *check, const struct event *grant)
{
    const struct op_state *op = &check->ops[grant->op];

    if (!waits_for_its_turn(check, (size_t)grant->op))
        return;
    for (size_t i = 0; i < check->history->op_count; i++) {
        const struct op_state *other = &check->ops[i];

        if (check->history->ops[i].lane == check->history->ops[grant->op].lane && waits_for_its_turn(check, i) &&
            other->submitted && other->known_ms >= 0 && other->partition == op->partition &&
            other->offset < op->offset && !other->granted && other->ended_ms == 0)
            violated(check, INVARIANT_ORDER, grant, "starts before operation %zu of its lane, which came first", i);
    }
}

/* ---- what others saw ---- */

void on_member(struct check *check, struct op_state *op, const struct event *member, bool final)
{
    const struct membership *last = op->group_count == 0 ? NULL : &op->groups[op->group_count - 1];

    if (final) {
        op->final_known = true;
        op->final_leader = (int)member->a;
        op->final_group = (int)member->b;
    }
    if (check->rollbacks > 0)
        return;
    if (last == NULL || last->token != member->token) {
        if (op->granted_token == member->token || op->last_token == member->token)
            violated(check, INVARIANT_ONE_LEADER, member, "shows a group, and was granted alone");
        return;
    }
    if (member->a >= 0 && member->a != last->run.leader)
        violated(check, INVARIANT_ONE_LEADER, member, "follows %" PRId64 ", and was granted behind %d", member->a,
                 last->run.leader);
    if (member->a < 0 && member->op != last->run.leader)
        violated(check, INVARIANT_ONE_LEADER, member, "leads, and was granted behind %d", last->run.leader);
    if (member->d != last->run.leader || (uint64_t)member->c != last->run.token % ATTEMPTS)
        violated(check, INVARIANT_ONE_LEADER, member, "is in another group than it was granted in");
    if (member->a < 0 && (member->b < 1 || member->b >= op->led_members))
        violated(check, INVARIANT_ONE_LEADER, member, "NumFollowers %" PRId64 " of a group of %d", member->b,
                 op->led_members);
}

/* ---- the end ---- */

static void check_own_failure(struct check *check, const struct op_state *op)
{
    bool own = false, shared = false;

    for
        EACH_ENTRY(check, op, e)
        {
            const struct event *entry = &check->history->events[e];

            if (entry->token != op->final.token)
                continue;
            shared |= (KINDS_SHARED & 1u << entry->c) != 0;
            own |= entry->c == ENTRY_ERROR || entry->c == ENTRY_PERMANENT;
        }
    if (shared && !own && was_in_group(op, op->final.token) && !has_failed_before(check, op->final.op))
        violated(check, INVARIANT_OWN_FAILURE, &op->final, "Error by what may have been another's");
}

static void check_leader_end(struct check *check, size_t index)
{
    const struct op_state *op = &check->ops[index];
    int merged = 0, gone = 0;

    for (size_t i = 0; i < check->history->op_count; i++) {
        const struct op_state *other = &check->ops[i];

        if (other->recorded && other->final.a == OP_MERGED && other->final_leader == (int)index)
            merged++;
        gone += other->removed && were_together(other, op->run);
    }
    if (merged != (op->final_group < 0 ? 0 : op->final_group) && gone == 0)
        violated(check, INVARIANT_ONE_LEADER, &op->final, "NumFollowers %d, and %d are Merged", op->final_group,
                 merged);
}

void check_groups_end(struct check *check)
{
    for (size_t i = 0; i < check->history->op_count; i++) {
        const struct op_state *op = &check->ops[i], *leader = NULL;

        if (!op->recorded)
            continue;
        if (op->final.a == OP_ERROR)
            check_own_failure(check, op);
        if (op->final.a == OP_MERGED && op->final_leader < 0)
            violated(check, INVARIANT_MERGED, &op->final, "Merged, and has no leader");
        if (op->final.a == OP_MERGED && op->final_leader >= 0)
            leader = &check->ops[op->final_leader];
        if (leader != NULL && leader->recorded && leader->final.a != OP_COMPLETE)
            violated(check, INVARIANT_MERGED, &op->final, "Merged, and its leader is %s",
                     record_statuses[leader->final.a].name);
        if (op->final_leader < 0)
            check_leader_end(check, i);
    }
}
