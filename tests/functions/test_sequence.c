/* Sequence groups: members of (Type, ParentKey, SequenceGroup) run one at a time, in the order of their numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static void member(struct shard *shard, int op, const char *number)
{
    shard_submit(shard, op, (struct shard_op){ .parent_key = "p", .sequence_group = "g", .sequence_number = number });
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void scheduled_member(struct shard *shard, int op, const char *number, int64_t in_ms)
{
    char after[32];

    snprintf(after, sizeof after, "%" PRId64, shard->now_ms + in_ms);
    shard_submit(shard, op,
                 (struct shard_op){
                     .parent_key = "p", .sequence_group = "g", .sequence_number = number, .process_after = after });
}

static void later(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
    shard_tick(shard);
}

static void stands(struct shard *shard, int op, const char *places)
{
    if (strcmp(shard_places(shard, op), places) != 0)
        fail_msg("operation %d stands at '%s', not at '%s'", op, shard_places(shard, op), places);
}

static void hinted(struct shard *shard, int op)
{
    if (strstr(shard->answer, shard_id(op)) == NULL)
        fail_msg("operation %d was not hinted: %s", op, shard->answer);
}

static void not_granted(struct shard *shard, int op)
{
    static int nonce;

    shard_call(shard, "bgop_claim", "i9 http://w9 not-%d WebCart 5 %s", ++nonce, shard_id(op));
    assert_null(strstr(shard->answer, shard_id(op)));
}

/* Arms again, with another policy for WebCart. */
static void policy(struct shard *shard, const char *on_sequence_failure)
{
    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 WebCart '{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,"
               "\"retention_s\":3600,\"retention_error_s\":7200,\"merge_max\":1,\"on_sequence_failure\":\"%s\"}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS, on_sequence_failure);
    shard_call(shard, "bgop_open", " ");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
}

/* A ParentKey and a SequenceGroup may hold what stands between them in a key. */
static void groups_do_not_meet_in_one_name(void **state)
{
    static const struct {
        const char *parent, *group;
    } groups[] = {
        { "a:b", "c" },   { "a", "b:c" },     { "a:b:c", "d" },  { "a:b", "c:d" }, { "a", "b:c:d" },
        { "a%3Ab", "c" }, { "a%253Ab", "c" }, { "a%", "3Ab:c" }, { ":", "g" },     { "", ":g" },
        { "", "g" },      { "{0}", "g" },     { "*", "g" },
    };
    struct shard *shard = *state;

    for (int i = 0; i < (int)TEST_COUNT(groups); i++) {
        shard_submit(shard, i + 1,
                     (struct shard_op){
                         .parent_key = groups[i].parent, .sequence_group = groups[i].group, .sequence_number = "1" });
        assert_memory_equal(shard->answer, "OK ", 3);
    }
    for (int i = 0; i < (int)TEST_COUNT(groups); i++)
        if (strncmp(shard_places(shard, i + 1), "New p", 5) != 0)
            fail_msg("%s, %s: '%s'", groups[i].parent, groups[i].group, shard_places(shard, i + 1));
}

static void members_run_one_after_the_other(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "10");
    member(shard, 2, "20");
    member(shard, 3, "30");
    stands(shard, 1, "New p");
    stands(shard, 2, "Waiting ");
    stands(shard, 3, "Waiting ");
    not_granted(shard, 2);
    shard_claim(shard, 1);
    not_granted(shard, 2);
    shard_apply(shard, "ok", 1, 1, "");
    hinted(shard, 2);
    stands(shard, 2, "Waiting p");
    stands(shard, 3, "Waiting ");
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 2, 1, "");
    shard_claim(shard, 3);
    shard_apply(shard, "ok", 3, 1, "");
    stands(shard, 3, "Complete D");
    assert_string_equal(shard_command(shard, "EVAL \"return #redis.call('KEYS', '*:seq*')\" 0"), "0");
}

static void equal_numbers_run_in_the_order_of_ids(void **state)
{
    struct shard *shard = *state;

    member(shard, 2, "5");
    member(shard, 1, "5");
    stands(shard, 1, "New p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 2, "Waiting p");
}

static void other_groups_parents_and_types_do_not_wait(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    shard_submit(shard, 2, (struct shard_op){ .parent_key = "p", .sequence_group = "h", .sequence_number = "2" });
    shard_submit(shard, 3, (struct shard_op){ .parent_key = "q", .sequence_group = "g", .sequence_number = "2" });
    shard_submit(
        shard, 4,
        (struct shard_op){ .parent_key = "p", .sequence_group = "g", .sequence_number = "2", .type = "XClean" });
    shard_submit(shard, 5, (struct shard_op){ .sequence_group = "g", .sequence_number = "2" });
    shard_submit(shard, 6, (struct shard_op){ .parent_key = "p" });
    shard_submit(shard, 7, (struct shard_op){ .parent_key = "p:h", .sequence_group = "x", .sequence_number = "1" });
    shard_submit(shard, 8, (struct shard_op){ .parent_key = "p", .sequence_group = "h:x", .sequence_number = "2" });
    for (int op = 1; op <= 8; op++)
        stands(shard, op, "New p");
}

static void a_lower_number_that_comes_before_the_claim_goes_first(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "10");
    stands(shard, 1, "New p");
    member(shard, 2, "5");
    hinted(shard, 2);
    stands(shard, 1, "Waiting ");
    stands(shard, 2, "New p");
    not_granted(shard, 1);
    member(shard, 3, "7");
    stands(shard, 2, "New p");
    stands(shard, 3, "Waiting ");
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 2, 1, "");
    stands(shard, 3, "Waiting p");
    stands(shard, 1, "Waiting ");
}

static void one_call_may_bring_them_in_any_order(void **state)
{
    struct shard *shard = *state;
    static const char *const form = " %s WebCart p \"\" \"\" \"\" \"\" \"\" g %d 1 \"\" \"\" \"\" x";
    char text[2048] = "1 0 0 3 2 5 6 0";
    int used = (int)strlen(text);

    for (int op = 3; op >= 1; op--)
        used += snprintf(text + used, sizeof text - (size_t)used, form, shard_id(op), op * 10);
    shard_call(shard, "bgop_ingest", "%s", text);
    stands(shard, 1, "New p");
    stands(shard, 2, "Waiting ");
    stands(shard, 3, "Waiting ");
    shard->submit_next = 3;
}

static void a_late_lower_number_runs_next(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "10");
    member(shard, 2, "20");
    shard_claim(shard, 1);
    member(shard, 3, "5");
    stands(shard, 3, "Waiting ");
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 3, "Waiting p");
    stands(shard, 2, "Waiting ");
}

static void a_late_lower_number_runs_between_the_attempts_of_a_higher_one(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "10");
    shard_claim(shard, 1);
    member(shard, 2, "5");
    shard_apply(shard, "error", 1, 1, "no");
    stands(shard, 1, "Waiting ");
    stands(shard, 2, "Waiting p");
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 2, 1, "");
    stands(shard, 1, "Waiting p");
}

static void retries_hold_what_is_behind(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "no");
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 2, "no");
    stands(shard, 1, "Error de");
    stands(shard, 2, "Waiting ");
    later(shard, 3000);
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 3, "");
    stands(shard, 2, "Waiting p");
}

static void a_lost_lease_and_a_crash_hold_what_is_behind(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    later(shard, SHARD_LEASE_MS + 1000);
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "crashed", 1, 2, "");
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "returned", 1, 3, "");
    stands(shard, 1, "Waiting p");
    shard_apply(shard, "ok", 1, 3, ""); /* late */
    stands(shard, 1, "Complete D");
    stands(shard, 2, "Waiting p");
}

static void a_scheduled_one_holds_higher_numbers_and_waits_for_lower_ones(void **state)
{
    struct shard *shard = *state;

    scheduled_member(shard, 1, "1", 5000);
    member(shard, 2, "2");
    stands(shard, 1, "Scheduled d");
    stands(shard, 2, "Waiting ");
    scheduled_member(shard, 3, "3", 6000);
    later(shard, 6000);
    stands(shard, 1, "New p");
    stands(shard, 3, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 2, "Waiting p");
    shard_apply(shard, "cancel", 2, 0, "");
    stands(shard, 3, "Waiting p");
}

static void a_canceled_one_lets_the_next_go(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 4; op++) {
        char number[8];

        snprintf(number, sizeof number, "%d", op);
        member(shard, op, number);
    }
    shard_apply(shard, "cancel", 2, 0, "");
    stands(shard, 1, "New p");
    shard_apply(shard, "cancel", 1, 0, "");
    stands(shard, 3, "Waiting p");
    shard_claim(shard, 3);
    shard_apply(shard, "cancel", 3, 1, "");
    stands(shard, 3, "Running lrc");
    stands(shard, 4, "Waiting ");
    shard_apply(shard, "error", 3, 1, "");
    stands(shard, 3, "Canceled D");
    stands(shard, 4, "Waiting p");
}

/* ---- a member fails for good ---- */

static void a_failed_one_holds_the_rest_until_it_is_redriven(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    stands(shard, 1, "Error eD");
    stands(shard, 2, "Waiting ");
    assert_string_equal(shard_field(shard, 1, "ExpiresAt"), "");
    later(shard, INT64_C(20) * 86400 * 1000);
    stands(shard, 1, "Error e"); /* it does not expire */
    shard_apply(shard, "redrive", 1, 1, "");
    hinted(shard, 1);
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 2, "");
    stands(shard, 2, "Waiting p");
}

static void a_failed_one_lets_the_rest_go_when_it_is_canceled(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    shard_apply(shard, "cancel", 1, 1, "never mind");
    hinted(shard, 2);
    assert_string_equal(shard_field(shard, 1, "Status"), "Canceled");
    assert_string_equal(shard_field(shard, 1, "Error"), "");
    stands(shard, 2, "Waiting p");
    later(shard, 3600 * 1000);
    assert_string_equal(shard_field(shard, 1, "Status"), "");
}

static void a_failed_one_expires_while_nothing_waits_behind_it(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    assert_string_not_equal(shard_field(shard, 1, "ExpiresAt"), "");
    member(shard, 2, "2");
    stands(shard, 2, "Waiting ");
    assert_string_equal(shard_field(shard, 1, "ExpiresAt"), "");
    later(shard, 7200 * 1000);
    stands(shard, 1, "Error e");
    shard_apply(shard, "cancel", 2, 0, ""); /* nothing waits any more */
    assert_int_equal(strtoll(shard_field(shard, 1, "ExpiresAt"), NULL, 10), shard->now_ms + 7200 * 1000);
    later(shard, 7200 * 1000);
    assert_string_equal(shard_field(shard, 1, "Status"), "");
    member(shard, 3, "3");
    stands(shard, 3, "New p");
}

static void a_lower_number_does_not_wait_for_a_failed_higher_one(void **state)
{
    struct shard *shard = *state;

    member(shard, 5, "5");
    shard_claim(shard, 5);
    shard_apply(shard, "permanent", 5, 1, "no");
    member(shard, 3, "3");
    member(shard, 7, "7");
    stands(shard, 3, "New p");
    shard_claim(shard, 3);
    shard_apply(shard, "permanent", 3, 1, "no");
    assert_string_equal(shard_field(shard, 3, "ExpiresAt"), "");
    assert_string_equal(shard_field(shard, 5, "ExpiresAt"), "");
    shard_apply(shard, "redrive", 5, 1, "");
    stands(shard, 5, "Waiting D");
    shard_apply(shard, "cancel", 3, 1, "");
    stands(shard, 5, "Waiting pD");
    stands(shard, 7, "Waiting ");
}

static void five_lost_leases_hold_too(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    shard_apply(shard, "lost", 1, 1, "lease lost 5 times");
    assert_string_equal(shard_field(shard, 1, "Status"), "Error");
    stands(shard, 2, "Waiting ");
}

static void skip_goes_on_without_the_failed_one(void **state)
{
    struct shard *shard = *state;

    policy(shard, "skip");
    member(shard, 1, "1");
    member(shard, 2, "2");
    member(shard, 3, "3");
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    assert_string_not_equal(shard_field(shard, 1, "ExpiresAt"), "");
    stands(shard, 2, "Waiting p");
    shard_claim(shard, 2);
    shard_apply(shard, "redrive", 1, 1, ""); /* runs next */
    stands(shard, 1, "Waiting D");
    shard_apply(shard, "ok", 2, 1, "");
    stands(shard, 1, "Waiting pD");
    stands(shard, 3, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 2, "");
    stands(shard, 3, "Waiting p");
}

static void fail_ends_all_behind_the_failed_one(void **state)
{
    struct shard *shard = *state;

    policy(shard, "fail");
    member(shard, 1, "1");
    member(shard, 2, "2");
    scheduled_member(shard, 3, "3", 100000);
    shard_claim(shard, 1);
    shard_submit(shard, 4, (struct shard_op){ .parent_key = "p", .sequence_group = "g", .sequence_number = "0" });
    shard_apply(shard, "permanent", 1, 1, "no");
    stands(shard, 4, "Waiting p"); /* it stood in front */
    stands(shard, 1, "Error eD");
    stands(shard, 2, "Error eD");
    stands(shard, 3, "Error eD");
    assert_string_equal(shard_field(shard, 2, "Error"), "sequence: 08P03000000001000A (number 1) failed before it");
    assert_string_equal(shard_field(shard, 2, "StartedAt"), "");
    member(shard, 5, "5");
    shard_claim(shard, 4);
    shard_apply(shard, "ok", 4, 1, "");
    stands(shard, 5, "Waiting p");
    shard_apply(shard, "redrive", 2, 0, "");
    stands(shard, 2, "Waiting pD");
    stands(shard, 5, "Waiting ");
}

static void fail_ends_many_in_slices(void **state)
{
    struct shard *shard = *state;
    int failed = 0;

    policy(shard, "fail");
    for (int op = 1; op <= 350; op++) {
        char number[8];

        snprintf(number, sizeof number, "%d", op);
        member(shard, op, number);
    }
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    failed = (int)shard_number(shard, "HGET " SHARD_PREFIX ":counts WebCart:Error");
    assert_true(failed > 1 && failed < 350);
    shard_check(shard);
    for (int i = 0; i < 10; i++)
        shard_tick(shard);
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts WebCart:Error"), 350);
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":seq_failing " SHARD_PREFIX ":seq:WebCart:p:g"), 0);
}

/* ---- after Redis went backwards ---- */

static void an_adopted_attempt_holds_its_group(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    stands(shard, 1, "New p");
    shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s %" PRIu64 " WebCart %" PRId64, shard_id(2),
               shard_token(shard, 1), shard->now_ms - 50);
    stands(shard, 2, "Running lr");
    stands(shard, 1, "Waiting "); /* never two at a time */
    not_granted(shard, 1);
    shard_apply(shard, "ok", 2, 1, "");
    stands(shard, 1, "Waiting p");
}

static void outcomes_of_a_member_are_applied_once(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "1");
    member(shard, 2, "2");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    shard_apply(shard, "error", 1, 1, "");
    stands(shard, 2, "Waiting p");
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 2, "Running lr");
}

static void a_group_without_a_number_is_refused(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .sequence_group = "g" });
    assert_memory_equal(shard->answer, "INVALID ", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(groups_do_not_meet_in_one_name),
        shard_test(members_run_one_after_the_other),
        shard_test(equal_numbers_run_in_the_order_of_ids),
        shard_test(other_groups_parents_and_types_do_not_wait),
        shard_test(a_lower_number_that_comes_before_the_claim_goes_first),
        shard_test(one_call_may_bring_them_in_any_order),
        shard_test(a_late_lower_number_runs_next),
        shard_test(a_late_lower_number_runs_between_the_attempts_of_a_higher_one),
        shard_test(retries_hold_what_is_behind),
        shard_test(a_lost_lease_and_a_crash_hold_what_is_behind),
        shard_test(a_scheduled_one_holds_higher_numbers_and_waits_for_lower_ones),
        shard_test(a_canceled_one_lets_the_next_go),
        shard_test(a_failed_one_holds_the_rest_until_it_is_redriven),
        shard_test(a_failed_one_lets_the_rest_go_when_it_is_canceled),
        shard_test(a_failed_one_expires_while_nothing_waits_behind_it),
        shard_test(a_lower_number_does_not_wait_for_a_failed_higher_one),
        shard_test(five_lost_leases_hold_too),
        shard_test(skip_goes_on_without_the_failed_one),
        shard_test(fail_ends_all_behind_the_failed_one),
        shard_test(fail_ends_many_in_slices),
        shard_test(an_adopted_attempt_holds_its_group),
        shard_test(outcomes_of_a_member_are_applied_once),
        shard_test(a_group_without_a_number_is_refused),
    };

    return shard_tests_run(tests);
}
