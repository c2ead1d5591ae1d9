/* Lanes: operations of one ParentKey take turns where their Type limits what runs (Sweeper: two at a time) or merges
 * (ExternalObject: one execution at a time). What execution groups do: test_group.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/groups.h"
#include "tests/support/test.h"

static void limited(struct shard *shard, int op)
{
    shard_submit(shard, op, (struct shard_op){ .type = "Sweeper", .parent_key = "p" });
}

static void no_more_run_at_a_time_than_the_limit(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 4; op++)
        limited(shard, op);
    groups_stand(shard, 1, "New p");
    groups_stand(shard, 2, "New p");
    groups_stand(shard, 3, "Waiting ");
    groups_not_granted(shard, "Sweeper", 3);
    shard_claim(shard, 1);
    shard_claim(shard, 2);
    groups_not_granted(shard, "Sweeper", 3);
    shard_apply(shard, "ok", 2, 1, "");
    groups_hinted(shard, 3);
    groups_stand(shard, 3, "Waiting p");
    groups_stand(shard, 4, "Waiting ");
    groups_later(shard, 1);
    shard_apply(shard, "error", 1, 1, "first"); /* retry 1 comes at once, but 4 was there before */
    groups_hinted(shard, 4);
    groups_stand(shard, 1, "Waiting ");
    shard_claim(shard, 3);
    shard_apply(shard, "ok", 3, 1, "");
    groups_stand(shard, 1, "Waiting p");
}

static void the_wait_for_a_turn_is_counted(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_claim(shard, 1);
    shard_claim(shard, 2);
    shard_clock(shard, shard_now(shard) + 4000);
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 3);
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts waited_turn"), 4000);
    shard_clock(shard, shard_now(shard) + 500); /* from here on it waits for a worker */
    shard_claim(shard, 3);
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts waited_turn"), 4000);
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts waited_worker"), 500);
}

static void parents_do_not_wait_for_each_other(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_submit(shard, 4, (struct shard_op){ .type = "Sweeper", .parent_key = "q" });
    shard_submit(shard, 5, (struct shard_op){ .type = "Sweeper" });
    groups_stand(shard, 3, "Waiting ");
    groups_stand(shard, 4, "New p");
    groups_stand(shard, 5, "New p");
    assert_string_equal(shard_command(shard, "EXISTS " SHARD_PREFIX ":lane_out:Sweeper:"), "0");
}

static void a_timed_retry_gives_up_its_turn(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_claim(shard, 1);
    shard_claim(shard, 2);
    groups_later(shard, 1);
    shard_apply(shard, "error", 1, 1, "first");
    groups_stand(shard, 3, "Waiting p"); /* before 1, which comes last */
    shard_claim(shard, 3);
    shard_apply(shard, "ok", 2, 1, "");
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 2, "second");
    groups_stand(shard, 1, "Error de");
    limited(shard, 4);
    groups_stand(shard, 4, "New p");
    groups_later(shard, 5000);
    groups_stand(shard, 1, "Waiting "); /* 3 and 4 are out */
}

static void a_cancel_passes_the_turn_on(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 4; op++)
        limited(shard, op);
    shard_apply(shard, "cancel", 1, 0, "");
    groups_hinted(shard, 3);
    groups_stand(shard, 3, "Waiting p");
    shard_apply(shard, "cancel", 4, 0, "");
    groups_stand(shard, 4, "Canceled D");
    shard_apply(shard, "cancel", 2, 0, "");
    groups_stand(shard, 3, "Waiting p");
}

static void a_lost_lease_passes_the_turn_on(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_claim(shard, 1);
    shard_claim(shard, 2);
    groups_later(shard, SHARD_LEASE_MS + 1);
    groups_stand(shard, 3, "Waiting p");
}

static void scheduled_ones_take_their_turn_when_they_are_due(void **state)
{
    struct shard *shard = *state;
    char after[32];

    snprintf(after, sizeof after, "%" PRId64, shard->now_ms + 1000);
    limited(shard, 1);
    limited(shard, 2);
    shard_submit(shard, 3, (struct shard_op){ .type = "Sweeper", .parent_key = "p", .process_after = after });
    shard_submit(shard, 4, (struct shard_op){ .type = "Sweeper", .parent_key = "q", .process_after = after });
    groups_stand(shard, 3, "Scheduled d");
    groups_later(shard, 1000);
    groups_stand(shard, 3, "Waiting ");
    groups_stand(shard, 4, "New p");
}

static void a_pause_keeps_the_turns(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_apply_entries(shard, "pause \"\" 0 \"\" \"\" \"\" why \"\" p \"\" \"\"");
    groups_not_granted(shard, "Sweeper", 1);
    groups_stand(shard, 1, "Waiting ");
    groups_stand(shard, 3, "Waiting ");
    shard_apply(shard, "cancel", 1, 0, ""); /* laid aside, and out: its turn goes to 3 */
    groups_stand(shard, 3, "Waiting p");
    shard_apply_entries(shard, "resume \"\" 0 \"\" \"\" \"\" \"\" \"\" p \"\" \"\"");
    shard_tick(shard);
    groups_stand(shard, 2, "New p");
    groups_stand(shard, 3, "Waiting p");
}

static void what_was_laid_aside_is_put_back(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_apply_entries(shard, "pause \"\" 0 \"\" \"\" \"\" why \"\" \"\" Sweeper \"\"");
    groups_not_granted(shard, "Sweeper", 1);
    groups_not_granted(shard, "Sweeper", 2);
    shard_apply_entries(shard, "resume \"\" 0 \"\" \"\" \"\" \"\" \"\" \"\" Sweeper \"\"");
    shard_tick(shard);
    groups_hinted(shard, 1);
    groups_stand(shard, 1, "Waiting p");
    groups_stand(shard, 2, "Waiting p");
    groups_stand(shard, 3, "Waiting ");
}

static void a_sequence_in_a_limited_type_runs_in_order(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++) {
        char number[8];

        snprintf(number, sizeof number, "%d", 10 - op);
        shard_submit(shard, op,
                     (struct shard_op){
                         .type = "Sweeper", .parent_key = "p", .sequence_group = "g", .sequence_number = number });
    }
    groups_stand(shard, 1, "Waiting ");
    groups_stand(shard, 2, "Waiting ");
    groups_stand(shard, 3, "New p"); /* 7 goes before 8 and 9 */
    limited(shard, 4);
    groups_stand(shard, 4, "New p");
    limited(shard, 5);
    groups_stand(shard, 5, "Waiting ");
    shard_claim(shard, 3);
    groups_later(shard, 1);
    shard_apply(shard, "ok", 3, 1, "");
    groups_stand(shard, 5, "Waiting p"); /* it came before 2 was free to */
    groups_stand(shard, 2, "Waiting ");
    shard_claim(shard, 4);
    shard_apply(shard, "ok", 4, 1, "");
    groups_stand(shard, 2, "Waiting p");
}

/* Redis forgot the claim of 1, and 2 and 3 were let out meanwhile. */
static void an_attempt_that_is_taken_up_again_takes_a_turn(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 3; op++)
        limited(shard, op);
    shard_call(shard, "bgop_reassert", "i7 http://w7 Sweeper 8 %s %" PRIu64 " Sweeper %" PRId64, shard_id(3),
               shard_token(shard, 1), shard->now_ms);
    groups_stand(shard, 3, "Running lr");
    groups_stand(shard, 1, "New p");
    groups_stand(shard, 2, "Waiting "); /* goes back into the lane */
    shard_apply(shard, "ok", 3, 1, "");
    groups_stand(shard, 2, "Waiting p");
}

/* Nobody ever runs with one whose Type only limits: what Redis forgot of its attempts failed by itself. */
static void a_forgotten_failure_of_a_limited_one_is_its_own(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 2; op++)
        shard_submit(shard, op, (struct shard_op){ .type = "Sweeper", .parent_key = "p", .retry_limit = "0" });
    shard_apply(shard, "timed_out", 1, 1, "");
    groups_stand(shard, 1, "Error eD");
    shard_call(shard, "bgop_reassert", "i7 http://w7 Sweeper 8 %s %" PRIu64 " Sweeper %" PRId64, shard_id(2),
               shard_token(shard, 1), shard->now_ms);
    shard_apply(shard, "timed_out", 2, 1, "");
    groups_stand(shard, 2, "Error eD");
}

static void a_type_that_loses_its_limit_lets_all_out(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 5; op++)
        limited(shard, op);
    groups_arm(shard, 1, 1000, 0);
    limited(shard, 6); /* has no lane any more */
    groups_stand(shard, 6, "New p");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 5, "Waiting p");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        groups_test(no_more_run_at_a_time_than_the_limit),
        groups_test(the_wait_for_a_turn_is_counted),
        groups_test(parents_do_not_wait_for_each_other),
        groups_test(a_timed_retry_gives_up_its_turn),
        groups_test(a_cancel_passes_the_turn_on),
        groups_test(a_lost_lease_passes_the_turn_on),
        groups_test(scheduled_ones_take_their_turn_when_they_are_due),
        groups_test(a_pause_keeps_the_turns),
        groups_test(what_was_laid_aside_is_put_back),
        groups_test(a_sequence_in_a_limited_type_runs_in_order),
        groups_test(an_attempt_that_is_taken_up_again_takes_a_turn),
        groups_test(a_forgotten_failure_of_a_limited_one_is_its_own),
        groups_test(a_type_that_loses_its_limit_lets_all_out),
    };

    return shard_tests_run(tests);
}
