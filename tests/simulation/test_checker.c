/* The checker proves itself: a run it has nothing to say against is changed in one place, for every promise, and it
 * must say which promise that breaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/codec/codec.h"
#include "common/record/tables.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/world.h"
#include "tests/support/test.h"

enum { STEPS = 1200, SEED = 4 };

static struct world world; /* a run without rollbacks: nothing is explained by them */

/* ---- finding and changing events ---- */

/* The n-th event (from 0) of a kind for which test holds; the test fails when there is none. */
static struct event *event_find(struct history *history, enum event_kind kind,
                                bool (*test)(struct history *, struct event *))
{
    for (size_t i = 0; i < history->count; i++) {
        if (history->events[i].kind == kind && (test == NULL || test(history, &history->events[i])))
            return &history->events[i];
    }
    fail_msg("the run has no such event of kind %d", kind);
    return NULL;
}

static struct event *event_of(struct history *history, enum event_kind kind, const struct event *of, uint64_t token)
{
    for (size_t i = 0; i < history->count; i++) {
        struct event *event = &history->events[i];

        if (event->kind == kind && event->op == of->op && event->token == token)
            return event;
    }
    fail_msg("operation %d has no event of kind %d", of->op, kind);
    return NULL;
}

/* Puts an event in front of `where`, as if it had happened then. */
static void event_insert(struct history *history, const struct event *where, struct event event)
{
    size_t index = (size_t)(where - history->events);

    history_add(history, event);
    memmove(&history->events[index + 1], &history->events[index], (history->count - 1 - index) * sizeof event);
    history->events[index] = event;
}

static void event_remove(struct history *history, struct event *event)
{
    size_t index = (size_t)(event - history->events);

    memmove(event, event + 1, (--history->count - index) * sizeof *event);
}

static struct event *event_last(struct history *history)
{
    return event_find(history, EVENT_END, NULL); /* where the run ends and its dump begins */
}

/* ---- what to look for ---- */

static bool is_complete(struct history *history, struct event *event)
{
    return event->a == OP_COMPLETE && history->ops[event->op].name == 0 &&
           history->ops[event->op].retention_ms > 1000000;
}

static bool is_poison(struct history *history, struct event *event)
{
    return history->ops[event->op].poison;
}

static bool is_duplicate(struct history *history, struct event *event)
{
    int name = history->ops[event->op].name;

    if (name == 0 || history->ops[event->op].poison)
        return false;
    for (size_t i = 0; i < history->count; i++) {
        struct event *other = &history->events[i];

        if (other->kind == EVENT_FINAL && history->ops[other->op].name == name)
            return true;
    }
    return false;
}

/* A claim that is not the operation's first. */
static bool is_second_claim(struct history *history, struct event *event)
{
    for (struct event *other = history->events; other < event; other++) {
        if (other->kind == EVENT_CLAIM && other->op == event->op)
            return true;
    }
    return false;
}

static bool is_second_retry(struct history *history, struct event *event)
{
    for (struct event *other = history->events; other < event; other++) {
        if (other->op == event->op && other->kind == EVENT_ENTRY && other->d >= 0)
            return false;
    }
    return event->c >= 2 && event->d > 0 && history->ops[event->op].backoff_ms > 0;
}

static bool is_seen_complete(struct history *history, struct event *event)
{
    (void)history;
    return event->a == OP_COMPLETE && event->c != 0;
}

static bool is_moving(struct history *history, struct event *event)
{
    (void)history;
    return event->c > 0;
}

static bool is_counted(struct history *history, struct event *event)
{
    (void)history;
    return event->c > 0 && event->b == OP_COMPLETE;
}

static bool is_claim_before(struct history *history, struct event *event)
{
    struct event *second = event_find(history, EVENT_CLAIM, is_second_claim);

    return event->op == second->op;
}

/* ---- one breach for every promise ---- */

static void record_disappears(struct history *history)
{
    event_find(history, EVENT_FINAL, is_complete)->kind = EVENT_REMOVED;
}

static void record_is_never_done(struct history *history)
{
    struct event *final = event_find(history, EVENT_FINAL, is_complete);

    final->a = OP_WAITING;
    final->b = 0;
}

static void refused_one_is_recorded(struct history *history)
{
    struct event *removed = event_find(history, EVENT_REMOVED, is_poison);

    removed->kind = EVENT_FINAL;
    removed->a = OP_COMPLETE;
    removed->b = 1;
}

static void unknown_one_is_recorded(struct history *history)
{
    event_remove(history, event_of(history, EVENT_SUBMIT, event_find(history, EVENT_FINAL, is_complete), 0));
}

static void name_is_recorded_twice(struct history *history)
{
    struct event *removed = event_find(history, EVENT_REMOVED, is_duplicate);

    removed->kind = EVENT_FINAL;
    removed->a = OP_CANCELED;
    removed->b = 1;
}

static void token_is_granted_twice(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, NULL);

    event_insert(history, claim, *claim);
}

static void tokens_fall(struct history *history)
{
    event_find(history, EVENT_CLAIM, is_claim_before)->token += UINT64_C(1) << 40;
}

static void attempts_overlap(struct history *history)
{
    struct event *first = event_find(history, EVENT_CLAIM, is_claim_before), copy = *first;

    event_of(history, EVENT_LEASE, &copy, copy.token)->b = INT64_MAX;
    event_remove(history, event_of(history, EVENT_STOP, &copy, copy.token));
    for (size_t i = 0; i < history->count; i++) {
        struct event *event = &history->events[i];

        if (event->kind == EVENT_LEASE && event->op == copy.op && event->token == copy.token)
            event->b = INT64_MAX;
    }
}

static void complete_one_is_seen_running(struct history *history)
{
    struct event seen = *event_find(history, EVENT_OBSERVE, is_seen_complete);

    seen.a = OP_RUNNING;
    seen.b = 0;
    seen.token++;
    event_insert(history, event_last(history), seen);
}

static void complete_one_runs_again(struct history *history)
{
    struct event claim = *event_find(history, EVENT_OBSERVE, is_seen_complete);

    claim.kind = EVENT_CLAIM;
    claim.token += 1000;
    claim.b = claim.at_ms = event_last(history)->at_ms;
    claim.c = 0;
    claim.d = -1;
    event_insert(history, event_last(history), claim);
}

static void success_was_never_logged(struct history *history)
{
    struct event final = *event_find(history, EVENT_FINAL, is_complete);

    for (size_t i = 0; i < history->count; i++) {
        struct event *event = &history->events[i];

        if (event->kind == EVENT_ENTRY && event->op == final.op && event->c == ENTRY_OK)
            event->c = ENTRY_RETURNED;
    }
}

/* Nothing but its success may have ended it. */
static bool is_complete_by_success_alone(struct history *history, struct event *event)
{
    for (size_t i = 0; i < history->count; i++) {
        struct event *entry = &history->events[i];

        if (entry->kind == EVENT_ENTRY && entry->op == event->op && entry->c != ENTRY_OK)
            return false;
    }
    return is_complete(history, event) && history->ops[event->op].sequence == 0;
}

static void success_is_forgotten(struct history *history)
{
    event_find(history, EVENT_FINAL, is_complete_by_success_alone)->a = OP_ERROR;
}

static bool is_success_in_time(struct history *history, struct event *event)
{
    struct event *lease = NULL;

    for (struct event *other = history->events; other < event; other++) {
        if (other->kind == EVENT_LEASE && other->op == event->op && other->token == event->token)
            lease = other;
    }
    return event->c == ENTRY_OK && lease != NULL && lease->b >= event->at_ms;
}

static void success_runs_again(struct history *history)
{
    struct event claim = *event_find(history, EVENT_ENTRY, is_success_in_time);

    claim.kind = EVENT_CLAIM;
    claim.token += 1000;
    claim.b = claim.at_ms = event_last(history)->at_ms;
    claim.c = 0;
    claim.d = -1;
    event_insert(history, event_last(history), claim);
}

static void retry_starts_early(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, is_second_retry);

    claim->b = claim->d + 1;
}

static void too_many_retries(struct history *history)
{
    struct event *final = event_find(history, EVENT_FINAL, is_complete);

    final->c = history->ops[final->op].limit + 1;
}

static void retries_do_not_match_failures(struct history *history)
{
    struct event *final = event_find(history, EVENT_FINAL, is_complete);

    final->d = final->c + 1;
}

static void failure_was_never_logged(struct history *history)
{
    struct event *final = event_find(history, EVENT_FINAL, is_complete_by_success_alone);

    final->c = final->d = 1;
    history->ops[final->op].limit = 1;
}

static void starts_before_its_time(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, NULL);

    history->ops[claim->op].process_after_ms = claim->b + 1000;
}

/* Two of one sequence group, the first of which ran before the second; the second was submitted before that. */
static struct event *sequence_pair(struct history *history, struct event **before)
{
    for (struct event *claim = history->events; claim < history->events + history->count; claim++) {
        int sequence = claim->op < 0 ? 0 : history->ops[claim->op].sequence;

        if (claim->kind != EVENT_CLAIM || sequence == 0 || history->ops[claim->op].lane != 0)
            continue; /* with a lane, they may run in one execution */
        for (*before = history->events; *before < claim; ++*before) {
            struct event *submit = history->events;

            if ((*before)->kind != EVENT_CLAIM || history->ops[(*before)->op].sequence != sequence ||
                history->ops[(*before)->op].sequence_number >= history->ops[claim->op].sequence_number)
                continue;
            while (submit->kind != EVENT_SUBMIT || submit->op != claim->op)
                submit++;
            if (submit->at_ms + 5000 < (*before)->b)
                return claim;
        }
    }
    fail_msg("the run has no two of one sequence group");
    return NULL;
}

static void higher_number_runs_first(struct history *history)
{
    struct event *before, *claim = sequence_pair(history, &before);
    int number = history->ops[claim->op].sequence_number;

    history->ops[claim->op].sequence_number = history->ops[before->op].sequence_number;
    history->ops[before->op].sequence_number = number;
}

static void two_of_a_sequence_run(struct history *history)
{
    struct event *before, *claim = sequence_pair(history, &before), copy = *claim;
    struct event *lease = event_of(history, EVENT_LEASE, before, before->token);

    copy.at_ms = copy.b = lease->at_ms;
    event_insert(history, lease + 1, copy);
}

/* ... as if the pause had been applied right before. */
static void paused_one_is_granted(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, NULL);
    const struct history_op *op = &history->ops[claim->op];

    event_insert(history, claim, (struct event){ EVENT_PAUSE, .op = -1, .a = op->shard, .b = -1, .c = op->type });
}

static bool has_parent(struct history *history, struct event *event)
{
    return history->ops[event->op].parent >= 0;
}

static void one_of_a_paused_parent_is_granted(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, has_parent);
    const struct history_op *op = &history->ops[claim->op];

    event_insert(history, claim,
                 (struct event){ EVENT_PAUSE, .op = -1, .a = op->shard, .b = -1, .c = PAUSED_PARENT + op->parent });
}

/* ---- lanes and groups ---- */

static bool leads_its_lane(struct history *history, struct event *event)
{
    const struct history_op *op = &history->ops[event->op];

    if (op->lane == 0 || op->lane_most != 1)
        return false;
    for (struct event *later = event + 1; later < history->events + history->count; later++) {
        if (later->kind == EVENT_CLAIM && later->op != event->op && history->ops[later->op].lane == op->lane &&
            later->at_ms > event->at_ms)
            return true;
    }
    return false;
}

static void two_of_a_lane_run(struct history *history)
{
    struct event *claim = event_find(history, EVENT_CLAIM, leads_its_lane), *other = claim + 1, copy;

    while (other->kind != EVENT_CLAIM || other->op == claim->op || other->at_ms == claim->at_ms ||
           history->ops[other->op].lane != history->ops[claim->op].lane)
        other++;
    copy = *other;
    copy.token += 500;
    while (claim->kind != EVENT_LEASE)
        claim++;
    copy.at_ms = copy.b = claim->at_ms;
    event_insert(history, claim + 1, copy);
}

static bool waits_for_its_turn(const struct history_op *op)
{
    return op->lane != 0 && op->lane_most == 1 && op->sequence == 0 && op->process_after_ms < 0 && op->name == 0;
}

/* Two of a lane and a partition, that wait for nothing but their turn; the later one was there when the first started. */
static void later_one_starts_first(struct history *history)
{
    for (struct event *later = history->events; later < history->events + history->count; later++) {
        if (later->kind != EVENT_CLAIM || !waits_for_its_turn(&history->ops[later->op]))
            continue;
        const struct event *submit = event_of(history, EVENT_SUBMIT, later, 0);

        for (struct event *first = history->events; first < later; first++) {
            if (first->kind == EVENT_CLAIM && first > submit && first->op < later->op &&
                waits_for_its_turn(&history->ops[first->op]) &&
                history->ops[first->op].lane == history->ops[later->op].lane &&
                event_of(history, EVENT_SUBMIT, first, 0)->a == submit->a) {
                event_insert(history, first, *later);
                return;
            }
        }
    }
    fail_msg("no two of a lane wait for each other");
}

static bool is_follower(struct history *history, struct event *event)
{
    (void)history;
    return event->op != event->a;
}

static void group_is_too_large(struct history *history)
{
    history->ops[event_find(history, EVENT_GROUP, is_follower)->op].group_most = 1;
}

static void group_is_too_heavy(struct history *history)
{
    history->ops[event_find(history, EVENT_GROUP, is_follower)->op].group_bytes = -1;
}

static void group_mixes_lanes(struct history *history)
{
    history->ops[event_find(history, EVENT_GROUP, is_follower)->op].lane = 999;
}

static void follower_starts_without_a_leader(struct history *history)
{
    struct event follower = *event_find(history, EVENT_GROUP, is_follower), leader = follower;

    leader.op = (int)follower.a;
    event_remove(history, event_of(history, EVENT_GROUP, &leader, (uint64_t)follower.b));
    event_remove(history, event_of(history, EVENT_CLAIM, &leader, (uint64_t)follower.b));
}

static bool is_seen_following(struct history *history, struct event *event)
{
    (void)history;
    return event->a >= 0;
}

static void follower_goes_to_another_group(struct history *history)
{
    event_find(history, EVENT_MEMBER, is_seen_following)->c++;
}

static void group_is_seen_of_one_alone(struct history *history)
{
    struct event seen = *event_find(history, EVENT_MEMBER, is_seen_following);

    for (size_t i = 0; i < history->count; i++) {
        if (history->events[i].kind == EVENT_GROUP && history->events[i].op == seen.op)
            event_remove(history, &history->events[i--]);
    }
}

static bool is_seen_leading_in_the_end(struct history *history, struct event *event)
{
    return event->a < 0 && event > history->events && event[-1].kind == EVENT_FINAL;
}

static void followers_are_miscounted(struct history *history)
{
    event_find(history, EVENT_MEMBER, is_seen_leading_in_the_end)->b++;
}

static void one_that_runs_alone_is_in_a_group(struct history *history)
{
    event_find(history, EVENT_GROUP, is_follower)->c = 1;
}

/* The second of two groups that an operation was in with consecutive attempts; the first is *before. */
static struct event *second_group(struct history *history, struct event **before)
{
    for (struct event *group = history->events; group < history->events + history->count; group++) {
        if (group->kind != EVENT_GROUP)
            continue;
        for (*before = history->events; *before < group; ++*before) {
            if ((*before)->kind == EVENT_GROUP && (*before)->op == group->op && (*before)->token + 1 == group->token)
                return group;
        }
    }
    fail_msg("nobody was in two groups");
    return NULL;
}

/* Nothing was ever said of the first, then: its lease was lost. */
static void lost_one_is_in_a_group_again(struct history *history)
{
    struct event *before = NULL, *again = second_group(history, &before), group = *before;

    (void)again;
    for (size_t i = 0; i < history->count; i++) {
        struct event *entry = &history->events[i];

        if (entry->kind == EVENT_ENTRY && ((entry->op == group.op && entry->token == group.token) ||
                                           (entry->op == group.a && entry->token == (uint64_t)group.b)))
            event_remove(history, &history->events[i--]);
    }
}

static void crashed_one_is_in_a_group_again(struct history *history)
{
    struct event *before = NULL, *again = second_group(history, &before), group = *before;
    bool crashed = false;

    (void)again;
    for (size_t i = 0; i < history->count; i++) {
        struct event *entry = &history->events[i];

        if (entry->kind == EVENT_ENTRY && group.op != group.a && entry->op == group.a &&
            entry->token == (uint64_t)group.b) {
            event_remove(history, &history->events[i--]);
            continue;
        }
        if (entry->kind != EVENT_ENTRY || entry->op != group.op || entry->token != group.token)
            continue;
        if (crashed)
            event_remove(history, &history->events[i--]);
        else
            entry->c = ENTRY_CRASHED;
        crashed = true;
    }
}

static bool is_merged(struct history *history, struct event *event)
{
    (void)history;
    return event->a == OP_MERGED;
}

static void member_fails_by_what_ended_the_group(struct history *history)
{
    struct event *final = event_find(history, EVENT_FINAL, is_merged);

    final->a = OP_ERROR;
    for (size_t i = 0; i < history->count; i++) {
        struct event *entry = &history->events[i];

        if (entry->kind == EVENT_ENTRY && entry->op == final->op && entry->token == final->token)
            entry->c = ENTRY_CRASHED;
    }
}

static void leader_of_a_merged_one_failed(struct history *history)
{
    struct event *merged = event_find(history, EVENT_FINAL, is_merged);

    for (size_t i = 0; i < history->count; i++) {
        if (history->events[i].kind == EVENT_FINAL && history->events[i].op == merged[1].a)
            history->events[i].a = OP_ERROR;
    }
}

static void merged_one_has_no_leader(struct history *history)
{
    event_remove(history, event_find(history, EVENT_FINAL, is_merged) + 1);
}

static void batch_is_missing(struct history *history)
{
    event_remove(history, event_find(history, EVENT_INGEST, is_moving));
}

static void batches_overlap(struct history *history)
{
    event_find(history, EVENT_INGEST, is_moving)->c--;
}

static void log_batch_is_applied_twice(struct history *history)
{
    struct event *apply = event_find(history, EVENT_APPLY, NULL);

    event_insert(history, apply, *apply);
}

static void fence_stops_short(struct history *history)
{
    event_find(history, EVENT_LAST_FENCE, is_moving)->c--;
}

static void counter_is_wrong(struct history *history)
{
    event_find(history, EVENT_COUNT, is_counted)->c++;
}

static void submission_is_not_counted(struct history *history)
{
    event_find(history, EVENT_TOTALS, NULL)->a--;
}

static void generation_is_taken_twice(struct history *history)
{
    struct event *arm = event_find(history, EVENT_ARM, NULL);

    event_insert(history, arm, *arm);
}

static const struct {
    const char *name;
    enum invariant invariant;
    void (*change)(struct history *history);
} changes[] = {
#define CHANGE(invariant, change)              \
    {                                          \
#change, INVARIANT_##invariant, change \
    }
    CHANGE(NO_LOSS, record_disappears),
    CHANGE(NO_LOSS, record_is_never_done),
    CHANGE(NO_INVENTION, refused_one_is_recorded),
    CHANGE(NO_INVENTION, unknown_one_is_recorded),
    CHANGE(ONE_OF_NAME, name_is_recorded_twice),
    CHANGE(TOKEN_UNIQUE, token_is_granted_twice),
    CHANGE(TOKEN_ORDER, tokens_fall),
    CHANGE(EXCLUSION, attempts_overlap),
    CHANGE(FINALITY, complete_one_is_seen_running),
    CHANGE(FINALITY, complete_one_runs_again),
    CHANGE(CAUSE, success_was_never_logged),
    CHANGE(RESULT_KEPT, success_is_forgotten),
    CHANGE(NEEDLESS_RUN, success_runs_again),
    CHANGE(RETRY_TIME, retry_starts_early),
    CHANGE(RETRY_COUNT, too_many_retries),
    CHANGE(RETRY_COUNT, retries_do_not_match_failures),
    CHANGE(RETRY_COUNT, failure_was_never_logged),
    CHANGE(SEQUENCE, higher_number_runs_first),
    CHANGE(SEQUENCE, two_of_a_sequence_run),
    CHANGE(PAUSED, paused_one_is_granted),
    CHANGE(PAUSED, one_of_a_paused_parent_is_granted),
    CHANGE(LANE, two_of_a_lane_run),
    CHANGE(ORDER, later_one_starts_first),
    CHANGE(GROUP_BOUNDS, group_is_too_large),
    CHANGE(GROUP_BOUNDS, group_is_too_heavy),
    CHANGE(GROUP_BOUNDS, group_mixes_lanes),
    CHANGE(ONE_LEADER, follower_starts_without_a_leader),
    CHANGE(ONE_LEADER, follower_goes_to_another_group),
    CHANGE(ONE_LEADER, group_is_seen_of_one_alone),
    CHANGE(ONE_LEADER, followers_are_miscounted),
    CHANGE(ALONE, one_that_runs_alone_is_in_a_group),
    CHANGE(ALONE, lost_one_is_in_a_group_again),
    CHANGE(ALONE, crashed_one_is_in_a_group_again),
    CHANGE(OWN_FAILURE, member_fails_by_what_ended_the_group),
    CHANGE(MERGED, leader_of_a_merged_one_failed),
    CHANGE(MERGED, merged_one_has_no_leader),
    CHANGE(SCHEDULE, starts_before_its_time),
    CHANGE(FENCES_TILE, batch_is_missing),
    CHANGE(FENCES_TILE, batches_overlap),
    CHANGE(FENCES_TILE, log_batch_is_applied_twice),
    CHANGE(FENCES_END, fence_stops_short),
    CHANGE(COUNTS, counter_is_wrong),
    CHANGE(TOTALS, submission_is_not_counted),
    CHANGE(GENERATIONS, generation_is_taken_twice),
};

/* ---- tests ---- */

static int run_once(void **state)
{
    (void)state;
    if (!world_run(&world, SEED, STEPS, false))
        fail_msg("the run itself failed: %s", world.failure);
    return 0;
}

static int run_end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static void a_good_history_is_not_objected_to(void **state)
{
    struct verdict_of_checker verdict;

    (void)state;
    if (!checker_run(&world.history, &verdict))
        fail_msg("%s", verdict.first);
}

static void every_change_is_flagged_as_what_it_breaks(void **state)
{
    bool covered[INVARIANT_COUNT] = { false };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(changes); i++) {
        struct history history;
        struct verdict_of_checker verdict;

        history_copy(&history, &world.history);
        changes[i].change(&history);
        checker_run(&history, &verdict);
        if (verdict.violations[changes[i].invariant] == 0)
            fail_msg("%s: %s was not flagged (%s)", changes[i].name, invariant_names[changes[i].invariant],
                     verdict.first[0] != '\0' ? verdict.first : "nothing was");
        covered[changes[i].invariant] = true;
        history_release(&history);
    }
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        if (!covered[i])
            fail_msg("no change breaks %s", invariant_names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_history_is_not_objected_to),
        cmocka_unit_test(every_change_is_flagged_as_what_it_breaks),
    };

    return cmocka_run_group_tests(tests, run_once, run_end);
}
