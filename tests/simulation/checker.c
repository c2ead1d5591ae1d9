/* One pass over the events with a small state per operation, then the final records against the logs. */
#include "tests/simulation/checker_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/codec/codec.h"
#include "tests/support/retry_law.h"
#include "common/record/tables.h"

const char *const invariant_names[INVARIANT_COUNT] = {
#define XX(id, meaning) #id,
    INVARIANTS(XX)
#undef XX
};

void violated(struct check *check, enum invariant invariant, const struct event *event, const char *format, ...)
{
    va_list args;
    char *text = check->verdict->first;
    size_t room = sizeof check->verdict->first;

    if (check->verdict->violations[invariant]++ > 0 || text[0] != '\0')
        return;
    snprintf(text, room, "%s: step %d, operation %d: ", invariant_names[invariant], event->step, event->op);
    va_start(args, format);
    vsnprintf(text + strlen(text), room - strlen(text), format, args);
    va_end(args);
}

/* ---- attempts ---- */

static void check_retry_time(struct check *check, const struct op_state *op, const struct event *claim)
{
    const struct history_op *given = &check->history->ops[claim->op];
    int64_t retry = claim->c, failed_at_ms = claim->d, delay_ms;

    if (retry < 1 || failed_at_ms < 0 || op->delayed_by_handler)
        return;
    delay_ms = retry_delay_ms((int)retry, given->backoff_ms, check->history->retry_max_ms);
    if (claim->b < failed_at_ms + delay_ms - SLACK_MS)
        violated(check, INVARIANT_RETRY_TIME, claim,
                 "retry %" PRId64 " started %" PRId64 " ms after the failure, not %" PRId64, retry,
                 claim->b - failed_at_ms, delay_ms);
    if (retry > given->limit)
        violated(check, INVARIANT_RETRY_COUNT, claim, "retry %" PRId64 " of %" PRId64, retry, given->limit);
}

/* ---- pauses: in force from their application on; a Redis that went backwards applies them again ---- */

static bool is_paused(const struct check *check, int shard, int what)
{
    for (int i = check->pause_count; i > 0; i--) {
        const struct event *pause = check->pauses[i - 1];

        if (pause->a == shard && pause->c == what && pause->b < check->status_fence[shard])
            return pause->d == 0;
    }
    return false;
}

static void check_paused(struct check *check, const struct event *grant)
{
    const struct history_op *given = &check->history->ops[grant->op];

    if (is_paused(check, given->shard, PAUSED_TYPE + given->type))
        violated(check, INVARIANT_PAUSED, grant, "Type %d is paused", given->type);
    if (given->parent >= 0 && is_paused(check, given->shard, PAUSED_PARENT + given->parent))
        violated(check, INVARIANT_PAUSED, grant, "ParentKey %d is paused", given->parent);
}

static void on_ingest(struct check *check, const struct event *ingest)
{
    for (size_t i = 0; i < check->history->op_count; i++) {
        struct op_state *op = &check->ops[i];

        if (op->submitted && op->known_ms < 0 && check->history->ops[i].shard == ingest->b &&
            op->partition == ingest->a && op->offset >= ingest->c && op->offset < ingest->d)
            op->known_ms = ingest->at_ms;
    }
}

/* Redis granted it now, whoever heard of it. */
static void on_grant(struct check *check, struct op_state *op, const struct event *grant)
{
    check_paused(check, grant);
    if (!op->granted && check->rollbacks == 0)
        check_order(check, grant);
    op->granted = true;
}

static void on_claim(struct check *check, struct op_state *op, const struct event *claim)
{
    const struct history_op *given = &check->history->ops[claim->op];

    if (op->claimed && claim->token == op->last_token)
        violated(check, INVARIANT_TOKEN_UNIQUE, claim, "token %" PRIu64 " again", claim->token);
    else if (op->claimed && claim->token < op->last_token)
        violated(check, INVARIANT_TOKEN_ORDER, claim, "token %" PRIu64 " after %" PRIu64, claim->token, op->last_token);
    for (int i = 0; i < op->running_count; i++) {
        if (!lapsed(check, &op->running[i], claim))
            violated(check, INVARIANT_EXCLUSION, claim, "token %" PRIu64 " runs until %" PRId64, op->running[i].token,
                     op->running[i].lease_until_ms);
    }
    if (op->seen_final && !(op->seen_status == OP_ERROR && (op->redriven || op->seen_rollbacks < check->rollbacks)))
        violated(check, INVARIANT_FINALITY, claim, "runs after it was seen %s", record_statuses[op->seen_status].name);
    if (given->process_after_ms > 0 && claim->b < given->process_after_ms - SLACK_MS)
        violated(check, INVARIANT_SCHEDULE, claim, "%" PRId64 " ms early", given->process_after_ms - claim->b);
    if (op->succeeded && !op->redriven && check->rollbacks == 0)
        violated(check, INVARIANT_NEEDLESS_RUN, claim, "token %" PRIu64 " after a logged success", claim->token);
    if (!was_in_group(op, claim->token))
        op->run = (struct run){ claim->op, claim->token };
    if (op->granted_token != claim->token)
        on_grant(check, op, claim);
    if (given->lane != 0 && check->rollbacks == 0)
        check_lane(check, claim);
    if (given->sequence != 0 && check->rollbacks == 0)
        check_sequence(check, claim);
    check_retry_time(check, op, claim);
    op->last_started_ms = op->granted_token == claim->token ? op->granted_ms : claim->b;
    op->claimed = op->seen = true;
    op->claim_rollbacks = check->rollbacks;
    op->last_token = claim->token;
    if (op->running_count < RUNNING_MAX)
        op->running[op->running_count++] = (struct running){ claim->token, claim->at_ms, check->rollbacks };
}

static struct running *running_find(struct op_state *op, uint64_t token)
{
    for (int i = 0; i < op->running_count; i++) {
        if (op->running[i].token == token)
            return &op->running[i];
    }
    return NULL;
}

static void on_lease(struct check *check, struct op_state *op, const struct event *lease)
{
    struct running *running = running_find(op, lease->token);

    if (running != NULL)
        *running = (struct running){ lease->token, lease->b, check->rollbacks };
}

static void on_stop(struct op_state *op, const struct event *stop)
{
    struct running *running = running_find(op, stop->token);

    if (running == NULL)
        return;
    op->stopped = *running;
    *running = op->running[--op->running_count];
}

static bool entry_exists(const struct check *check, const struct op_state *op, unsigned kinds, uint64_t least,
                         uint64_t greatest)
{
    for
        EACH_ENTRY(check, op, e)
        {
            const struct event *entry = &check->history->events[e];

            if ((kinds & 1u << entry->c) != 0 && entry->token >= least && entry->token <= greatest)
                return true;
        }
    return false;
}

/* ---- what others saw ---- */

/* Merged is the success of one whose leader succeeded as well. */
static bool is_success(int status)
{
    return status == OP_COMPLETE || status == OP_MERGED;
}

static void on_observe(struct check *check, struct op_state *op, const struct event *seen)
{
    /* Redis may have forgotten what it was, or that this attempt runs. */
    bool rolled_back = op->seen_rollbacks < check->rollbacks || (op->claimed && op->claim_rollbacks < check->rollbacks);

    op->seen = true;
    if (!seen->c)
        return; /* the shard says itself that this may be old */
    if (op->seen_final && (seen->a != op->seen_status || seen->token != op->seen_token)) {
        bool redriven = op->seen_status == OP_ERROR && (op->redriven || (op->given_up && seen->a == OP_CANCELED));
        bool overtaken = rolled_back && (seen->token > op->seen_token || op->seen_status == OP_CANCELED ||
                                         (is_success((int)seen->a) && is_success(op->seen_status)) ||
                                         (op->seen_status == OP_ERROR && has_failed_before(check, seen->op)));

        if (!redriven && !overtaken)
            violated(check, INVARIANT_FINALITY, seen, "%s with token %" PRIu64 " after %s with %" PRIu64,
                     record_statuses[seen->a].name, seen->token, record_statuses[op->seen_status].name, op->seen_token);
    }
    op->seen_final = seen->b != 0;
    op->seen_status = (int)seen->a;
    op->seen_token = seen->token;
    op->seen_rollbacks = check->rollbacks;
}

static void on_entry(struct check *check, struct op_state *op, int index)
{
    const struct event *entry = &check->history->events[index];

    if (entry->c == ENTRY_REDRIVE)
        op->redriven = true;
    if (entry->c == ENTRY_CANCEL && check->history->ops[entry->op].sequence != 0)
        op->given_up = true; /* an Error that held its sequence group may be canceled */
    if ((KINDS_FAILED & 1u << entry->c) != 0 && op->failed_ms == 0)
        op->failed_ms = entry->at_ms;
    if (entry->c == ENTRY_OK && entry->token == op->stopped.token && entry->at_ms <= op->stopped.lease_until_ms)
        op->succeeded = true;
    if (entry->d >= 0)
        op->delayed_by_handler = true;
    if ((KINDS_END & 1u << entry->c) != 0 && op->ended_ms == 0)
        op->ended_ms = entry->at_ms;
    if (op->first_entry < 0)
        op->first_entry = index;
    else
        check->next_entry[op->last_entry] = index;
    op->last_entry = index;
}

static void fence_move(struct check *check, int64_t *fence, const struct event *event, int64_t from, int64_t next)
{
    if (from != *fence || next < from)
        violated(check, INVARIANT_FENCES_TILE, event, "[%" PRId64 ", %" PRId64 ") was accepted where %" PRId64 " stood",
                 from, next, *fence);
    *fence = next;
}

static void on_arm(struct check *check, const struct event *arm)
{
    if (arm->b <= check->generation)
        violated(check, INVARIANT_GENERATIONS, arm, "%" PRId64 " after %" PRId64, arm->b, check->generation);
    check->generation = arm->b;
}

/* ---- the end ---- */

static void on_final(struct check *check, struct op_state *op, const struct event *final)
{
    op->recorded = true;
    op->final = *final;
    check->counts[check->history->ops[final->op].type][final->a]++;
}

static void on_count(struct check *check, const struct event *count)
{
    int64_t records = check->counts[count->a][count->b];

    if (records != count->c)
        violated(check, INVARIANT_COUNTS, count, "type %" PRId64 " %s: %" PRId64 " records, the counter says %" PRId64,
                 count->a, record_statuses[count->b].name, records, count->c);
}

static void on_last_fence(struct check *check, const struct event *fence)
{
    int64_t end = fence->a < 0 ? check->status_end[fence->b] : check->submit_end[fence->a];

    if (fence->c != end)
        violated(check, INVARIANT_FENCES_END, fence,
                 "partition %" PRId64 " shard %" PRId64 ": %" PRId64 ", the log ends at %" PRId64, fence->a, fence->b,
                 fence->c, end);
}

static void on_totals(struct check *check, const struct event *totals)
{
    if (totals->a + totals->b + totals->c != check->submissions)
        violated(check, INVARIANT_TOTALS, totals, "%" PRId64 " + %" PRId64 " + %" PRId64 " of %" PRId64, totals->a,
                 totals->b, totals->c, check->submissions);
}

static void on_event(struct check *check, int index)
{
    const struct event *event = &check->history->events[index];
    struct op_state *op = event->op < 0 ? NULL : &check->ops[event->op];

    check->end_ms = event->at_ms;
    switch (event->kind) {
    case EVENT_SUBMIT:
        op->submitted = true;
        op->partition = event->a;
        op->offset = event->b;
        op->known_ms = op->last_started_ms = -1;
        check->submissions++;
        break;
    case EVENT_INGEST:
        fence_move(check, &check->submit_fence[event->a][event->b], event, event->c, event->d);
        on_ingest(check, event);
        break;
    case EVENT_APPLY: fence_move(check, &check->status_fence[event->a], event, event->b, event->c); break;
    case EVENT_GRANT:
        if (op->granted_token != event->token) {
            op->granted_token = event->token;
            op->granted_ms = event->at_ms;
            on_grant(check, op, event);
        }
        break;
    case EVENT_GROUP: on_group(check, op, event); break;
    case EVENT_MEMBER: on_member(check, op, event, op->recorded); break;
    case EVENT_CLAIM: on_claim(check, op, event); break;
    case EVENT_LEASE: on_lease(check, op, event); break;
    case EVENT_STOP: on_stop(op, event); break;
    case EVENT_ENTRY: on_entry(check, op, index); break;
    case EVENT_PAUSE:
        if (check->pause_count < PAUSES_MAX)
            check->pauses[check->pause_count++] = event;
        break;
    case EVENT_OBSERVE: on_observe(check, op, event); break;
    case EVENT_ROLLBACK: check->rollbacks++; break;
    case EVENT_FENCE:
        *(event->a < 0 ? &check->status_fence[event->b] : &check->submit_fence[event->a][event->b]) = event->c;
        break;
    case EVENT_ARM: on_arm(check, event); break;
    case EVENT_END: *(event->a < 0 ? &check->status_end[event->b] : &check->submit_end[event->a]) = event->c; break;
    case EVENT_LAST_FENCE: on_last_fence(check, event); break;
    case EVENT_FINAL: on_final(check, op, event); break;
    case EVENT_REMOVED: op->removed = true; break;
    case EVENT_COUNT: on_count(check, event); break;
    case EVENT_TOTALS: on_totals(check, event); break;
    default: break;
    }
}

/* ---- final records against the log ---- */

static void check_cause(struct check *check, const struct op_state *op)
{
    uint64_t token = op->final.token, least = check->rollbacks > 0 ? 0 : token;
    bool caused = is_success((int)op->final.a) ? entry_exists(check, op, 1u << ENTRY_OK, least, token)
                  : op->final.a == OP_ERROR    ? entry_exists(check, op, KINDS_FAILED, least, token)
                                               : entry_exists(check, op, 1u << ENTRY_CANCEL, 0, UINT64_MAX);

    if (!caused && op->final.a == OP_ERROR && has_failed_before(check, op->final.op))
        caused = true;
    if (!caused)
        violated(check, INVARIANT_CAUSE, &op->final, "%s with token %" PRIu64 " has none",
                 record_statuses[op->final.a].name, token);
}

static void check_result_kept(struct check *check, const struct op_state *op)
{
    /* something before this entry may have been the end */
    bool ended = op->final.a == OP_ERROR && has_failed_before(check, op->final.op);

    if (is_success((int)op->final.a))
        return;
    for
        EACH_ENTRY(check, op, e)
        {
            const struct event *entry = &check->history->events[e];

            if (entry->c == ENTRY_OK && (entry->token > op->final.token || (entry->token == op->final.token && !ended)))
                violated(check, INVARIANT_RESULT_KEPT, &op->final,
                         "%s with token %" PRIu64 ", but a success with %" PRIu64 " was logged",
                         record_statuses[op->final.a].name, op->final.token, entry->token);
            if (entry->c == ENTRY_CANCEL || (entry->token == op->final.token && entry->c != ENTRY_OK))
                ended = true;
        }
}

/* Attempts that may have counted as failed: those that the log calls so, or their leader's that ended them all. */
static int64_t failed_at_most(const struct check *check, const struct op_state *op)
{
    uint64_t seen[64];
    int count = 0;

    for
        EACH_ENTRY(check, op, e)
        {
            const struct event *entry = &check->history->events[e];
            int i = 0;

            while (i < count && seen[i] != entry->token)
                i++;
            if (i == count && count < 64 && (KINDS_FAILED & 1u << entry->c) != 0)
                seen[count++] = entry->token;
        }
    for (int g = 0; g < op->group_count; g++) {
        const struct membership *member = &op->groups[g];

        if (!entry_exists(check, op, KINDS_FAILED, member->token, member->token) &&
            entry_exists(check, &check->ops[member->run.leader], KINDS_SHARED, member->run.token, member->run.token))
            count++;
    }
    return count;
}

static void check_retry_count(struct check *check, const struct op_state *op)
{
    int64_t retries = op->final.c, failed = op->final.d, granted_at_least = failed;

    if (!is_success((int)op->final.a))
        granted_at_least--; /* the last failure was granted none */
    if (op->group_count > 0)
        granted_at_least--; /* nor one that may have been another's */
    if (retries > check->history->ops[op->final.op].limit)
        violated(check, INVARIANT_RETRY_COUNT, &op->final, "%" PRId64 " of %" PRId64, retries,
                 check->history->ops[op->final.op].limit);
    if (op->redriven || check->rollbacks > 0)
        return;
    if (failed > failed_at_most(check, op))
        violated(check, INVARIANT_RETRY_COUNT, &op->final, "%" PRId64 " failed attempts, %" PRId64 " were logged",
                 failed, failed_at_most(check, op));
    if (retries > failed || retries < granted_at_least)
        violated(check, INVARIANT_RETRY_COUNT, &op->final, "%" PRId64 " retries for %" PRId64 " failed attempts",
                 retries, failed);
}

static void check_recorded(struct check *check, const struct op_state *op)
{
    int status = (int)op->final.a;

    if (check->history->ops[op->final.op].poison)
        violated(check, INVARIANT_NO_INVENTION, &op->final, "was to be refused");
    if (!op->submitted)
        violated(check, INVARIANT_NO_INVENTION, &op->final, "was never submitted");
    if (!record_statuses[status].terminal || !op->final.b) {
        violated(check, INVARIANT_NO_LOSS, &op->final, "%s in the end", record_statuses[status].name);
        return;
    }
    check_cause(check, op);
    check_result_kept(check, op);
    check_retry_count(check, op);
}

/* No record in the end: fine when it may have ended so long ago that it was removed. */
static bool removed_rightly(const struct check *check, int op)
{
    const struct op_state *state = &check->ops[op];

    return state->removed && has_ended(check, (size_t)op, check->end_ms - check->history->ops[op].retention_ms);
}

/* Names: the recorded one stands for all of them. `removed` ones count as recorded when they had come to an end. */
static void check_names(struct check *check)
{
    struct {
        int name, recorded, removed, last; /* removed: whoever saw it */
    } *names = xcalloc(check->history->op_count + 1, sizeof *names);
    size_t count = 0;

    for (size_t i = 0; i < check->history->op_count; i++) {
        const struct op_state *op = &check->ops[i];
        int name = check->history->ops[i].name;
        size_t n = 0;

        if (name == 0 || check->history->ops[i].poison)
            continue;
        while (n < count && names[n].name != name)
            n++;
        if (n == count)
            names[count++].name = name;
        names[n].recorded += op->recorded || (check->rollbacks == 0 && op->seen && removed_rightly(check, (int)i));
        names[n].removed += removed_rightly(check, (int)i);
        names[n].last = (int)i;
    }
    for (size_t n = 0; n < count; n++) {
        const struct event end = { .op = names[n].last };

        if (names[n].recorded > 1)
            violated(check, INVARIANT_ONE_OF_NAME, &end, "%d of name %d are recorded", names[n].recorded,
                     names[n].name);
        if (names[n].recorded == 0 && names[n].removed == 0 && check->rollbacks == 0)
            violated(check, INVARIANT_NO_LOSS, &end, "none of name %d is recorded", names[n].name);
    }
    free(names);
}

static void check_end(struct check *check)
{
    for (size_t i = 0; i < check->history->op_count; i++) {
        const struct op_state *op = &check->ops[i];
        const struct event nowhere = { .op = (int)i };

        if (op->recorded)
            check_recorded(check, op);
        else if (op->submitted && !check->history->ops[i].poison && check->history->ops[i].name == 0 &&
                 !removed_rightly(check, (int)i))
            violated(check, INVARIANT_NO_LOSS, &nowhere, "has no record, and nothing ended it");
    }
    check_names(check);
    check_groups_end(check);
}

bool checker_run(const struct history *history, struct verdict_of_checker *verdict)
{
    struct check check = { .history = history, .verdict = verdict };

    memset(verdict, 0, sizeof *verdict);
    check.ops = xcalloc(history->op_count + 1, sizeof *check.ops);
    check.next_entry = xcalloc(history->count + 1, sizeof *check.next_entry);
    for (size_t i = 0; i < history->op_count; i++)
        check.ops[i].first_entry = check.ops[i].final_leader = check.ops[i].final_group = -1;
    memset(check.next_entry, 0xff, (history->count + 1) * sizeof *check.next_entry);
    for (size_t i = 0; i < history->count; i++)
        on_event(&check, (int)i);
    if (history->ended)
        check_end(&check);
    free(check.ops);
    free(check.next_entry);
    return verdict->first[0] == '\0';
}
