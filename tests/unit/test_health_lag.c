/* A partition lags when messages wait and its reader does not move: not while it moves, nor when nothing waits. */
#include "tests/support/test.h"

#include "coordinator/loop/health.h"

enum { START_MS = 1000000, LAG_MS = HEALTH_SOURCE_LAGGING_MS };

static void who_stands_still_before_messages_lags(void **state)
{
    struct health_progress progress = { 0 };

    (void)state;
    assert_false(health_lags(&progress, 5, 9, START_MS));
    assert_false(health_lags(&progress, 5, 9, START_MS + LAG_MS - 1));
    assert_true(health_lags(&progress, 5, 9, START_MS + LAG_MS));
    assert_true(health_lags(&progress, 5, 12, START_MS + 2 * LAG_MS));
    assert_false(health_lags(&progress, 6, 12, START_MS + 2 * LAG_MS + 1)); /* it moves again */
    assert_false(health_lags(&progress, 6, 12, START_MS + 3 * LAG_MS));
    assert_true(health_lags(&progress, 6, 12, START_MS + 3 * LAG_MS + 1));
}

static void who_moves_or_has_read_all_does_not(void **state)
{
    struct health_progress progress = { 0 };

    (void)state;
    for (int64_t turn = 0; turn < 100; turn++)
        assert_false(health_lags(&progress, turn, 1000, START_MS + turn * (LAG_MS - 1)));
    for (int64_t turn = 100; turn < 200; turn++)
        assert_false(health_lags(&progress, 1000, 1000, START_MS + turn * LAG_MS));
    assert_false(health_lags(&progress, 1000, 1001, START_MS + 200 * LAG_MS - 1)); /* time counts from the message on */
    for (int64_t turn = 200; turn < 300; turn++)
        assert_false(
            health_lags(&progress, -1, 1001, START_MS + turn * LAG_MS)); /* it is paused: that is told as waiting */
    assert_false(health_lags(&progress, 0, 0, START_MS + 300 * LAG_MS)); /* the end is not known yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stands_still_before_messages_lags),
        cmocka_unit_test(who_moves_or_has_read_all_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
