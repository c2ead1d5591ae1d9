#include "tests/support/test.h"

#include "common/base/pace.h"

static void nothing_gathers_where_little_comes(void **state)
{
    struct pace pace = { 0 };

    (void)state;
    assert_int_equal(pace_gather_ms(&pace, 1000), 0);
    for (int64_t now = 1000; now < 2000; now += 2) { /* 500 a second */
        pace_count(&pace, 1, now);
        assert_int_equal(pace_gather_ms(&pace, now), 0);
    }
}

static void the_more_comes_the_longer_it_gathers(void **state)
{
    struct pace pace = { 0 };

    (void)state;
    pace_count(&pace, 200, 1000);                     /* 4,000 a second */
    assert_int_equal(pace_gather_ms(&pace, 1000), 0); /* not before its window is over */
    assert_int_equal(pace_gather_ms(&pace, 1000 + PACE_WINDOW_MS), 5);
    pace_count(&pace, 500, 1000 + PACE_WINDOW_MS);
    assert_int_equal(pace_gather_ms(&pace, 1000 + 2 * PACE_WINDOW_MS), 20);
    assert_int_equal(pace_gather_ms(&pace, 1000 + 3 * PACE_WINDOW_MS), 0);
}

static void a_window_long_ago_says_nothing(void **state)
{
    struct pace pace = { 0 };

    (void)state;
    pace_count(&pace, 5000, 1000);
    assert_int_equal(pace_gather_ms(&pace, 1000 + 2 * PACE_WINDOW_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gathers_where_little_comes),
        cmocka_unit_test(the_more_comes_the_longer_it_gathers),
        cmocka_unit_test(a_window_long_ago_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
