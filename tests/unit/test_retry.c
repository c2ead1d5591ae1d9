/* The oracle of the retry law: the record's own example, and the ends. */
#include "tests/support/retry_law.h"
#include "tests/support/test.h"

static void delays_are_0_3R_7R_15R(void **state)
{
    static const int64_t example[] = { 0, 3000, 7000, 15000, 31000 };

    (void)state;
    for (int k = 1; k <= 5; k++) {
        assert_int_equal(retry_delay_ms(k, 1000, 86400000), example[k - 1]);
        assert_int_equal(retry_delay_ms(k, 1, 86400000), example[k - 1] / 1000);
    }
}

static void delays_saturate_at_the_maximum(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(4, 1000, 15000), 15000);
    assert_int_equal(retry_delay_ms(4, 1000, 14999), 14999);
    assert_int_equal(retry_delay_ms(5, 1000, 15000), 15000);
    for (int k = 2; k < 2000; k++) {
        assert_int_equal(retry_delay_ms(k, 999999999, 86400000), 86400000);
        assert_true(retry_delay_ms(k, 1, INT64_MAX) >= retry_delay_ms(k > 2 ? k - 1 : 2, 1, INT64_MAX));
    }
    assert_true(retry_delay_ms(62, 1, INT64_MAX) == (INT64_C(1) << 62) - 1);
    assert_true(retry_delay_ms(62, 999999999, INT64_MAX) == INT64_MAX);
    assert_true(retry_delay_ms(999999999, 1, INT64_MAX) == INT64_MAX);
}

static void the_first_retry_and_a_backoff_of_zero_are_immediate(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(1, 999999999, 86400000), 0);
    for (int k = 1; k < 200; k++)
        assert_int_equal(retry_delay_ms(k, 0, 86400000), 0);
    assert_int_equal(retry_delay_ms(7, 1000, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_0_3R_7R_15R),
        cmocka_unit_test(delays_saturate_at_the_maximum),
        cmocka_unit_test(the_first_retry_and_a_backoff_of_zero_are_immediate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
