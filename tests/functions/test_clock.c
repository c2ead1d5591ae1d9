/* Redis' clock is set forward, and back: the queue's time does not leap with it, unless who has measured says so. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/health.h"
#include "tests/support/shard.h"
#include "tests/support/test.h"

enum { HOUR = 3600000, SECOND = 1000 };

static int begin(void **state)
{
    if (shard_setup(state) != 0)
        return -1;
    shard_tick(*state);
    shard_doubt_clock(*state);
    return 0;
}

#define clock_test(test) cmocka_unit_test_setup_teardown(test, begin, shard_teardown)

static void later(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
}

/* The answer's `ahead`; its time, as shard_clock counts, is in *now. */
static int64_t settle(struct shard *shard, int64_t expected, int64_t *now)
{
    int64_t time = 0, ahead = 0;

    shard_call(shard, "bgop_clock", "%" PRId64, expected == 0 ? 0 : SHARD_T0 + expected);
    if (sscanf(shard->answer, "OK %" SCNd64 " %" SCNd64, &time, &ahead) != 2)
        fail_msg("bgop_clock: %s", shard->answer);
    *now = time - SHARD_T0;
    return ahead;
}

static void refused(const char *answer)
{
    if (strncmp(answer, "RECOVERING the clock of Redis", 29) != 0)
        fail_msg("expected a refusal, was: %s", answer);
}

/* ---- a clock that goes on by more than a gap ---- */

static void a_leap_is_refused_and_changes_nothing_until_it_is_settled(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    shard_submit(shard, 1, (struct shard_op){ .process_after = "1700003600000" });
    before = shard_digest(shard);
    later(shard, HOUR);
    refused(shard_tick(shard));
    refused(shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1"));
    refused(shard_submit(shard, 2, (struct shard_op){ 0 }));
    refused(shard_apply(shard, "COMPLETE", 1, 1, NULL));
    refused(shard_call(shard, "bgop_open", " "));
    later(shard, -HOUR);
    assert_true(before == shard_digest(shard));
}

static void a_gap_is_no_leap(void **state)
{
    struct shard *shard = *state;

    later(shard, HEALTH_CLOCK_GAP_MS);
    assert_memory_equal(shard_tick(shard), "OK ", 3);
    later(shard, HEALTH_CLOCK_GAP_MS + 1);
    refused(shard_tick(shard));
}

static void time_that_has_passed_is_believed_and_leases_get_theirs_again(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    later(shard, 42 * SECOND); /* the server stood still: more than a lease */
    assert_int_equal(settle(shard, start + 42 * SECOND, &now), 0);
    assert_int_equal(now, start + 42 * SECOND);
    assert_memory_equal(shard_tick(shard), "OK ", 3);
    assert_string_equal(shard_field(shard, 1, "Status"), "Running");
    for (int i = 0; i < 3; i++) { /* nobody renews it */
        later(shard, SHARD_LEASE_MS / 3 + 1);
        shard_tick(shard);
    }
    assert_string_equal(shard_field(shard, 1, "Status"), "Waiting");
}

static void who_has_measured_nothing_believes_the_clock(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    later(shard, HOUR);
    assert_int_equal(settle(shard, 0, &now), 0);
    assert_int_equal(now, start + HOUR);
}

/* ---- a clock that is ahead ---- */

static void a_clock_that_is_ahead_is_not_followed(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    shard_submit(shard, 1, (struct shard_op){ .process_after = "1700001800000" }); /* half an hour after SHARD_T0 */
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_claim(shard, 2);
    later(shard, HOUR);
    assert_int_equal(settle(shard, start + SECOND, &now), HOUR - SECOND);
    assert_int_equal(now, start + SECOND);
    assert_memory_equal(shard_tick(shard), "OK ", 3);
    assert_string_equal(shard_field(shard, 1, "Status"), "Scheduled");
    assert_string_equal(shard_field(shard, 2, "Status"), "Running");

    later(shard, 2 * SECOND); /* it goes on, from where it was */
    assert_int_equal(settle(shard, start + 3 * SECOND, &now), HOUR - SECOND);
    assert_int_equal(now, start + 3 * SECOND);
    shard_submit(shard, 3, (struct shard_op){ 0 });
    assert_int_equal(strtoll(shard_field(shard, 3, "SystemModstamp"), NULL, 10), SHARD_T0 + start + 3 * SECOND);
}

static void a_clock_that_comes_back_is_believed_again(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    later(shard, HOUR);
    settle(shard, start + SECOND, &now);
    later(shard, 5 * SECOND - HOUR);
    assert_memory_equal(shard_tick(shard), "OK ", 3); /* stands, for a moment */
    assert_int_equal(settle(shard, start + 5 * SECOND, &now), 0);
    assert_int_equal(now, start + 5 * SECOND);
    assert_memory_equal(shard_tick(shard), "OK ", 3);
}

static void a_clock_that_stays_ahead_is_believed_when_it_is_expected(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    later(shard, HOUR);
    settle(shard, start + SECOND, &now);
    assert_int_equal(settle(shard, 4 * INT64_C(1000000000000), &now), 0);
    assert_int_equal(now, start + HOUR);
    shard_tick(shard);
    assert_string_equal(shard_field(shard, 1, "Status"), "Running"); /* the floor */
}

static void another_who_has_measured_nothing_leaves_the_clock_ahead(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    later(shard, HOUR);
    settle(shard, start + SECOND, &now);
    later(shard, SECOND);
    assert_int_equal(settle(shard, 0, &now), HOUR - SECOND);
    assert_int_equal(now, start + 2 * SECOND);
}

/* ---- who may go on ---- */

static void a_lease_is_renewed_while_the_time_is_held(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    later(shard, HOUR);
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    assert_memory_equal(shard->answer, "OK ", 3);
    settle(shard, start + SECOND, &now);
    shard_tick(shard);
    assert_string_equal(shard_field(shard, 1, "Status"), "Running");
}

static void arming_under_a_clock_that_is_ahead_leaves_it_to_be_settled(void **state)
{
    struct shard *shard = *state;
    int64_t start = shard_now(shard), now;

    later(shard, HOUR);
    shard->generation++;
    shard_arm_only(shard, 0, 0);
    refused(shard_call(shard, "bgop_open", " "));
    assert_int_equal(settle(shard, start + SECOND, &now), HOUR - SECOND);
    assert_memory_equal(shard_call(shard, "bgop_open", " "), "OK ", 3);
}

static void bad_arguments_are_named(void **state)
{
    struct shard *shard = *state;

    assert_string_equal(shard_call(shard, "bgop_clock", "soon"), "INVALID expected: soon");
    assert_string_equal(shard_call(shard, "bgop_clock", " "), "INVALID expected: nil");
    shard->generation++;
    assert_string_equal(shard_call(shard, "bgop_clock", "0"), "FENCED 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        clock_test(a_leap_is_refused_and_changes_nothing_until_it_is_settled),
        clock_test(a_gap_is_no_leap),
        clock_test(time_that_has_passed_is_believed_and_leases_get_theirs_again),
        clock_test(who_has_measured_nothing_believes_the_clock),
        clock_test(a_clock_that_is_ahead_is_not_followed),
        clock_test(a_clock_that_comes_back_is_believed_again),
        clock_test(a_clock_that_stays_ahead_is_believed_when_it_is_expected),
        clock_test(another_who_has_measured_nothing_leaves_the_clock_ahead),
        clock_test(a_lease_is_renewed_while_the_time_is_held),
        clock_test(arming_under_a_clock_that_is_ahead_leaves_it_to_be_settled),
        clock_test(bad_arguments_are_named),
    };

    return cmocka_run_group_tests(tests, shard_server_start_aof, shard_server_stop);
}
