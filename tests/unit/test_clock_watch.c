/* What a coordinator tells bgop_clock, and what it makes of the answer. */
#include "coordinator/status/clock_watch.h"

#include "common/record/health.h"
#include "tests/support/test.h"

enum { SECOND = 1000, HOUR = 3600000, DOUBTED = HEALTH_CLOCK_DOUBTED_MS };

static const int64_t now = INT64_C(1700000000000);

static int64_t us(int64_t ms)
{
    return 1000000 + ms * 1000;
}

static enum clock_verdict take(struct shard_clock *clock, int64_t now_ms, int64_t ahead_ms, int64_t sent_ms,
                               int64_t received_ms)
{
    const struct clock_answer answer = { now_ms, ahead_ms };

    return shard_clock_take(clock, &answer, us(sent_ms), us(received_ms));
}

static void nothing_is_expected_before_anything_is_known(void **state)
{
    struct shard_clock clock = { 0 };

    (void)state;
    assert_int_equal(shard_clock_expected(&clock, us(0)), 0);
    assert_int_equal(take(&clock, now, 0, 0, 1), CLOCK_BELIEVED);
    assert_int_equal(shard_clock_expected(&clock, us(0)), now);
    assert_int_equal(shard_clock_expected(&clock, us(42 * SECOND)), now + 42 * SECOND);
}

static void an_answer_that_took_long_is_no_jump(void **state)
{
    struct shard_clock clock = { 0 };

    (void)state;
    take(&clock, now, 0, 0, 1);
    assert_int_equal(take(&clock, now + SECOND, 42 * SECOND, SECOND, 43 * SECOND), CLOCK_SLOW_ANSWER);
    assert_int_equal(clock.doubted_since_us, 0);
    assert_int_equal(take(&clock, now + 43 * SECOND, 0, 43 * SECOND, 43 * SECOND), CLOCK_BELIEVED);
}

static void a_clock_that_stays_ahead_is_believed(void **state)
{
    struct shard_clock clock = { 0 };

    (void)state;
    take(&clock, now, 0, 0, 1);
    assert_int_equal(take(&clock, now + SECOND, HOUR, SECOND, SECOND), CLOCK_AHEAD);
    assert_int_equal(shard_clock_expected(&clock, us(2 * SECOND)), now + 2 * SECOND);
    assert_int_equal(take(&clock, now + DOUBTED, HOUR, DOUBTED, DOUBTED), CLOCK_AHEAD);
    assert_false(clock.believe);
    assert_int_equal(take(&clock, now + DOUBTED + SECOND, HOUR, DOUBTED + SECOND, DOUBTED + SECOND), CLOCK_AHEAD);
    assert_true(shard_clock_expected(&clock, us(DOUBTED + SECOND)) > now + 1000 * (int64_t)HOUR);
    assert_int_equal(take(&clock, now + HOUR + DOUBTED, 0, DOUBTED + 2 * SECOND, DOUBTED + 2 * SECOND), CLOCK_BELIEVED);
    assert_int_equal(shard_clock_expected(&clock, us(DOUBTED + 2 * SECOND)), now + HOUR + DOUBTED);
}

static void who_finds_a_clock_ahead_doubts_it_for_long(void **state)
{
    struct shard_clock clock = { 0 };

    (void)state;
    assert_int_equal(take(&clock, now, HOUR, 0, 0), CLOCK_AHEAD);
    assert_int_equal(shard_clock_expected(&clock, us(SECOND)), now + SECOND);
    assert_int_equal(take(&clock, now + DOUBTED, HOUR, DOUBTED, DOUBTED), CLOCK_AHEAD);
    assert_true(clock.believe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_expected_before_anything_is_known),
        cmocka_unit_test(an_answer_that_took_long_is_no_jump),
        cmocka_unit_test(a_clock_that_stays_ahead_is_believed),
        cmocka_unit_test(who_finds_a_clock_ahead_doubts_it_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
