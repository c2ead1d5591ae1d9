/* Times as text, against the C library for all of the calendar. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/support/test.h"
#include "tests/support/times.h"

#define YEAR_9999_END_MS INT64_C(253402300799999)

static void times_are_formatted_as_the_c_library_would(void **state)
{
    char text[CLOCK_TEXT_SIZE], expected[64];

    (void)state;
    for (int64_t ms = 0; ms <= YEAR_9999_END_MS; ms += INT64_C(86400000) * 13 + 12345678) {
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        size_t used = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + used, sizeof expected - used, ".%03dZ", (int)(ms % 1000));
        assert_string_equal(clock_format(text, ms, "Z"), expected);
        int64_t back;
        assert_true(clock_parse(text, &back));
        assert_int_equal(back, ms);
    }
}

static void zones_and_ends_of_the_range(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    assert_string_equal(clock_format(text, 1795860000000, "+0000"), "2026-11-28T10:00:00.000+0000");
    assert_string_equal(clock_format(text, 0, "Z"), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format(text, YEAR_9999_END_MS, "Z"), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_format(text, -1, "Z"), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format_part(text, 1795860000999, CLOCK_SECONDS), "2026-11-28T10:00:00Z");
    assert_string_equal(clock_format_part(text, 1795860000999, CLOCK_DATE), "2026-11-28");
    assert_string_equal(clock_format_part(text, 1795860000999, CLOCK_TIME_OF_DAY), "10:00:00Z");
    assert_string_equal(clock_format(text, INT64_MAX, "Z"), "9999-12-31T23:59:59.999Z");
}

static void times_are_read_or_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIME_CASES; i++) {
        const struct time_case *it = &time_cases[i];
        int64_t ms = 42;
        const char *wrong = clock_read(it->text, &ms);

        if (!it->wrong && (wrong || ms != it->ms))
            fail_msg("%s: %" PRId64 " (%s) instead of %" PRId64, it->text, ms, wrong ? wrong : "", it->ms);
        if (it->wrong && (!wrong || !strstr(wrong, it->wrong) || ms != 42))
            fail_msg("\"%s\": \"%s\" instead of \"%s\"", it->text, wrong ? wrong : "read", it->wrong);
    }
}

static void what_lies_before_2000_is_not_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIME_CASES; i++) {
        const struct time_case *it = &time_cases[i];
        int64_t ms = 42;
        const char *wrong = clock_read_recent(it->text, &ms);
        bool early = !it->wrong && it->ms < TIME_CASE_2000;

        if (early && (!wrong || !strstr(wrong, "before 2000") || !strstr(wrong, "milliseconds") || ms != 42))
            fail_msg("%s: \"%s\"", it->text, wrong ? wrong : "read");
        if (!early && !it->wrong && (wrong || ms != it->ms))
            fail_msg("%s: %s", it->text, wrong ? wrong : "read otherwise");
    }
}

static void clocks_do_not_go_backwards(void **state)
{
    int64_t us = clock_boot_us(), ms = clock_boot_ms();

    (void)state;
    assert_true(ms >= us / 1000);
    assert_true(clock_boot_us() >= us);
    assert_true(clock_wall_ms() > 1600000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_formatted_as_the_c_library_would),
        cmocka_unit_test(zones_and_ends_of_the_range),
        cmocka_unit_test(times_are_read_or_refused_with_the_reason),
        cmocka_unit_test(what_lies_before_2000_is_not_meant),
        cmocka_unit_test(clocks_do_not_go_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
