/* Times as text, against the C library for all of the calendar. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/support/test.h"

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
    assert_string_equal(clock_format(text, INT64_MAX, "Z"), "9999-12-31T23:59:59.999Z");
}

static void readable_times(void **state)
{
    static const struct { const char *text; int64_t ms; } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "2026-11-28T10:00:00.000Z", 1795860000000 },
        { "2026-11-28T10:00:00.000+0000", 1795860000000 },
        { "2026-11-28T11:30:00+01:30", 1795860000000 },
        { "2026-11-28T08:30:00.5-0130", 1795860000500 },
        { "2026-11-28T10:00:00.123456789Z", 1795860000123 },
        { "2024-02-29T00:00:00Z", 1709164800000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "9999-12-31T23:59:59.999Z", YEAR_9999_END_MS },
        { "0", 0 },
        { "1795860000000", 1795860000000 },
        { "253402300799999", YEAR_9999_END_MS },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        int64_t ms = -1;
        if (!clock_parse(cases[i].text, &ms) || ms != cases[i].ms)
            fail_msg("%s: %" PRId64 " instead of %" PRId64, cases[i].text, ms, cases[i].ms);
    }
}

static void unreadable_times(void **state)
{
    static const char *const cases[] = {
        "", " ", "now", "tomorrow", "-1", "+1", "1.5", "1e3", " 1", "1 ", "0x10",
        "253402300800000", "99999999999999999999", "2026-11-28", "2026-11-28T10:00:00", "2026-11-28T10:00Z",
        "2026-11-28 10:00:00Z", "2026-11-28t10:00:00Z", "2026-11-28T10:00:00z", "2026-11-28T10:00:00.Z",
        "2026-11-28T10:00:00.1234567890Z", "2026-11-28T10:00:00Zx", "2026-11-28T10:00:00+1", "2026-11-28T10:00:00+01",
        "2026-11-28T10:00:00+01:0", "2026-11-28T10:00:00+24:00", "2026-11-28T10:00:00+00:60", "2026-11-28T24:00:00Z",
        "2026-11-28T10:60:00Z", "2026-11-28T10:00:60Z", "2026-00-28T10:00:00Z", "2026-13-28T10:00:00Z",
        "2026-11-00T10:00:00Z", "2026-11-31T10:00:00Z", "2023-02-29T10:00:00Z", "1900-02-29T10:00:00Z",
        "1969-12-31T23:59:59Z", "1970-01-01T00:59:59+01:00", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z",
        "2026-1-28T10:00:00Z", "2026-11-28T1:00:00Z", "2026-11-28T10:00:00 Z", "2026-11-28T10:00:00,5Z",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        int64_t ms = 42;
        if (clock_parse(cases[i], &ms) || ms != 42)
            fail_msg("\"%s\" was taken for a time (%" PRId64 ")", cases[i], ms);
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
        cmocka_unit_test(readable_times),
        cmocka_unit_test(unreadable_times),
        cmocka_unit_test(clocks_do_not_go_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
