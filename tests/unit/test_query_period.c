/* Date literals: each one's period at a known moment, against a calendar that is not ours at many others, and what
 * comparisons with them mean. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/query/match.h"
#include "common/query/period.h"
#include "tests/simulation/random.h"

static int64_t at(const char *text)
{
    int64_t ms;

    if (!clock_parse(text, &ms))
        fail_msg("%s is no time", text);
    return ms;
}

static struct period period(const char *name, int64_t n, int64_t now_ms)
{
    const struct date_literal *literal = date_literal_find(name, strlen(name));

    if (literal == NULL)
        fail_msg("there is no literal %s", name);
    return period_of(&(struct query_value){ .kind = QUERY_PERIOD, .literal = literal, .number = n }, now_ms);
}

static void expect(const char *name, int n, int64_t now_ms, const char *from, const char *until)
{
    struct period got = period(name, n, now_ms);
    char a[CLOCK_TEXT_SIZE], b[CLOCK_TEXT_SIZE];

    if (got.from_ms != at(from) || got.until_ms != at(until))
        fail_msg("%s:%d is %s to %s, not %s to %s", name, n, clock_format(a, got.from_ms, "Z"),
                 clock_format(b, got.until_ms, "Z"), from, until);
}

#define DAY(date) date "T00:00:00Z"

/* A Saturday, late: the last day of its week. */
static void every_literal_has_its_period(void **state)
{
    static const struct {
        const char *name;
        int n;
        const char *from, *until;
    } cases[] = {
        { "YESTERDAY", 0, DAY("2026-11-27"), DAY("2026-11-28") },
        { "TODAY", 0, DAY("2026-11-28"), DAY("2026-11-29") },
        { "TOMORROW", 0, DAY("2026-11-29"), DAY("2026-11-30") },
        { "LAST_90_DAYS", 0, DAY("2026-08-30"), "2026-11-28T22:33:45Z" },
        { "NEXT_90_DAYS", 0, DAY("2026-11-29"), DAY("2027-02-27") },
        { "LAST_N_DAYS", 1, DAY("2026-11-27"), "2026-11-28T22:33:45Z" },
        { "LAST_N_DAYS", 365, DAY("2025-11-28"), "2026-11-28T22:33:45Z" },
        { "NEXT_N_DAYS", 1, DAY("2026-11-29"), DAY("2026-11-30") },
        { "NEXT_N_DAYS", 15, DAY("2026-11-29"), DAY("2026-12-14") },
        { "N_DAYS_AGO", 25, DAY("2026-11-03"), DAY("2026-11-04") },
        { "N_DAYS_AGO", 0, DAY("2026-11-28"), DAY("2026-11-29") },
        { "LAST_WEEK", 0, DAY("2026-11-15"), DAY("2026-11-22") },
        { "THIS_WEEK", 0, DAY("2026-11-22"), DAY("2026-11-29") },
        { "NEXT_WEEK", 0, DAY("2026-11-29"), DAY("2026-12-06") },
        { "LAST_N_WEEKS", 2, DAY("2026-11-08"), DAY("2026-11-22") },
        { "NEXT_N_WEEKS", 4, DAY("2026-11-29"), DAY("2026-12-27") },
        { "N_WEEKS_AGO", 3, DAY("2026-11-01"), DAY("2026-11-08") },
        { "LAST_MONTH", 0, DAY("2026-10-01"), DAY("2026-11-01") },
        { "THIS_MONTH", 0, DAY("2026-11-01"), DAY("2026-12-01") },
        { "NEXT_MONTH", 0, DAY("2026-12-01"), DAY("2027-01-01") },
        { "LAST_N_MONTHS", 12, DAY("2025-11-01"), DAY("2026-11-01") },
        { "NEXT_N_MONTHS", 2, DAY("2026-12-01"), DAY("2027-02-01") },
        { "N_MONTHS_AGO", 9, DAY("2026-02-01"), DAY("2026-03-01") },
        { "LAST_QUARTER", 0, DAY("2026-07-01"), DAY("2026-10-01") },
        { "THIS_QUARTER", 0, DAY("2026-10-01"), DAY("2027-01-01") },
        { "NEXT_QUARTER", 0, DAY("2027-01-01"), DAY("2027-04-01") },
        { "LAST_N_QUARTERS", 2, DAY("2026-04-01"), DAY("2026-10-01") },
        { "NEXT_N_QUARTERS", 2, DAY("2027-01-01"), DAY("2027-07-01") },
        { "N_QUARTERS_AGO", 3, DAY("2026-01-01"), DAY("2026-04-01") },
        { "LAST_YEAR", 0, DAY("2025-01-01"), DAY("2026-01-01") },
        { "THIS_YEAR", 0, DAY("2026-01-01"), DAY("2027-01-01") },
        { "NEXT_YEAR", 0, DAY("2027-01-01"), DAY("2028-01-01") },
        { "LAST_N_YEARS", 5, DAY("2021-01-01"), DAY("2026-01-01") },
        { "NEXT_N_YEARS", 5, DAY("2027-01-01"), DAY("2032-01-01") },
        { "N_YEARS_AGO", 2, DAY("2024-01-01"), DAY("2025-01-01") },
        { "LAST_N_HOURS", 2, "2026-11-28T20:33:45Z", "2026-11-28T22:33:45Z" },
        { "NEXT_N_HOURS", 2, "2026-11-28T22:33:45Z", "2026-11-29T00:33:45Z" },
        { "N_HOURS_AGO", 2, "2026-11-28T20:00:00Z", "2026-11-28T21:00:00Z" },
        { "N_HOURS_AGO", 0, "2026-11-28T22:00:00Z", "2026-11-28T23:00:00Z" },
        { "LAST_N_MINUTES", 90, "2026-11-28T21:03:45Z", "2026-11-28T22:33:45Z" },
        { "NEXT_N_MINUTES", 1, "2026-11-28T22:33:45Z", "2026-11-28T22:34:45Z" },
        { "N_MINUTES_AGO", 5, "2026-11-28T22:28:00Z", "2026-11-28T22:29:00Z" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect(cases[i].name, cases[i].n, at("2026-11-28T22:33:44.567Z"), cases[i].from, cases[i].until);
    for (size_t l = 0; l < date_literal_count; l++) {
        size_t i = 0;

        while (i < TEST_COUNT(cases) && strcmp(cases[i].name, date_literals[l].name) != 0)
            i++;
        if (i == TEST_COUNT(cases))
            fail_msg("%s has no case here", date_literals[l].name);
    }
}

static void calendars_have_edges(void **state)
{
    (void)state;
    expect("THIS_WEEK", 0, at("2026-11-29T00:00:00Z"), DAY("2026-11-29"), DAY("2026-12-06")); /* a Sunday begins it */
    expect("THIS_WEEK", 0, at("2026-11-28T23:59:59.999Z"), DAY("2026-11-22"), DAY("2026-11-29"));
    expect("LAST_MONTH", 0, at("2024-03-31T12:00:00Z"), DAY("2024-02-01"), DAY("2024-03-01"));
    expect("TOMORROW", 0, at("2024-02-28T12:00:00Z"), DAY("2024-02-29"), DAY("2024-03-01"));
    expect("TOMORROW", 0, at("2100-02-28T12:00:00Z"), DAY("2100-03-01"), DAY("2100-03-02"));
    expect("LAST_QUARTER", 0, at("2027-01-01T00:00:00Z"), DAY("2026-10-01"), DAY("2027-01-01"));
    expect("YESTERDAY", 0, at("2027-01-01T00:00:00Z"), DAY("2026-12-31"), DAY("2027-01-01"));
    expect("LAST_N_DAYS", 0, at("2026-11-28T00:00:00Z"), DAY("2026-11-28"), "2026-11-28T00:00:01Z");
    /* what lies before 1970 or behind year 9999 ends there */
    expect("LAST_N_YEARS", PERIOD_NUMBER_MAX, at("2026-11-28T00:00:00Z"), DAY("1970-01-01"), DAY("2026-01-01"));
    expect("N_DAYS_AGO", PERIOD_NUMBER_MAX, at("2026-11-28T00:00:00Z"), DAY("1970-01-01"), DAY("1970-01-01"));
    expect("LAST_N_HOURS", PERIOD_NUMBER_MAX, at("2026-11-28T00:00:00Z"), DAY("1970-01-01"), "2026-11-28T00:00:01Z");
    assert_true(period("NEXT_N_YEARS", PERIOD_NUMBER_MAX, at("2026-11-28T00:00:00Z")).until_ms ==
                at("9999-12-31T23:59:59.999Z") + 1);
    assert_true(period("NEXT_N_WEEKS", PERIOD_NUMBER_MAX, at("2026-11-28T00:00:00Z")).until_ms ==
                at("9999-12-31T23:59:59.999Z") + 1);
    expect("THIS_WEEK", 0, 0, DAY("1970-01-01"), DAY("1970-01-04")); /* began in 1969 */
}

/* The C library's calendar: so many days, months or years from the start of the present unit. */
static int64_t moved(int64_t now_ms, enum period_unit unit, int by)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    tm.tm_sec = 0;
    if (unit >= PERIOD_HOUR)
        tm.tm_min = 0;
    if (unit >= PERIOD_DAY)
        tm.tm_hour = 0;
    if (unit == PERIOD_WEEK)
        tm.tm_mday -= tm.tm_wday;
    if (unit >= PERIOD_MONTH)
        tm.tm_mday = 1;
    if (unit == PERIOD_QUARTER)
        tm.tm_mon -= tm.tm_mon % 3;
    if (unit == PERIOD_YEAR)
        tm.tm_mon = 0;
    tm.tm_min += unit == PERIOD_MINUTE ? by : 0;
    tm.tm_hour += unit == PERIOD_HOUR ? by : 0;
    tm.tm_mday += unit == PERIOD_DAY ? by : unit == PERIOD_WEEK ? 7 * by : 0;
    tm.tm_mon += unit == PERIOD_MONTH ? by : unit == PERIOD_QUARTER ? 3 * by : 0;
    tm.tm_year += unit == PERIOD_YEAR ? by : 0;
    return (int64_t)timegm(&tm) * 1000;
}

static void periods_are_those_of_another_calendar(void **state)
{
    struct random chance = { .state = 7 };

    (void)state;
    for (int round = 0; round < 20000; round++) {
        const struct date_literal *literal = &date_literals[random_below(&chance, (int)date_literal_count)];
        int64_t now_ms = at("2000-01-01T00:00:00Z") + (int64_t)random_below(&chance, 40000) * 86400000 +
                         random_below(&chance, 86400000);
        int n = random_between(&chance, 1, 28);
        struct period got = period(literal->name, n, now_ms);

        if (literal->kind == PERIOD_ROLLING)
            continue;
        assert_true(got.from_ms == moved(now_ms, literal->unit, literal->from + n * literal->from_n));
        if (literal->kind == PERIOD_CALENDAR)
            assert_true(got.until_ms == moved(now_ms, literal->unit, literal->until + n * literal->until_n));
        else
            assert_true(got.until_ms > now_ms && got.until_ms - now_ms <= 1000);
    }
}

/* ---- what comparisons mean ---- */
static bool met(const char *condition, const char *submitted)
{
    struct query_memory *memory = query_memory_new();
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition(condition, strlen(condition), NULL, &err);
    json_t *row = json_pack("{s:s?}", "SubmittedAt", submitted);
    struct query_condition *meant;
    bool result;

    if (query == NULL)
        fail_msg("%s: %s", condition, err.text);
    meant = condition_at(memory, query->where, at("2026-11-28T22:33:44.567Z"));
    result = condition_matches(meant, row);
    if (condition_matches(condition_normal(memory, meant), row) != result)
        fail_msg("the normal form of %s is %s", condition, result ? "false" : "true");
    json_decref(row);
    query_free(query);
    query_memory_free(memory);
    return result;
}

static void a_comparison_is_with_the_ends_of_the_period(void **state)
{
    static const char *const submitted[] = {
        "2026-11-27T23:59:59.999+0000",
        "2026-11-28T00:00:00.000+0000",
        "2026-11-28T23:59:59.999+0000",
        "2026-11-29T00:00:00.000+0000",
        NULL,
    };
    static const struct {
        const char *condition, *met; /* of each of these */
    } cases[] = {
        { "SubmittedAt = TODAY", "-++--" },
        { "SubmittedAt != TODAY", "+--++" },
        { "SubmittedAt <> today", "+--++" },
        { "SubmittedAt < TODAY", "+----" },
        { "SubmittedAt <= TODAY", "+++--" },
        { "SubmittedAt > TODAY", "---+-" },
        { "SubmittedAt >= TODAY", "-+++-" },
        { "SubmittedAt = 2026-11-28", "-++--" },
        { "SubmittedAt > 2026-11-28", "---+-" },
        { "SubmittedAt <= 2026-11-28", "+++--" },
        { "SubmittedAt != 2026-11-28", "+--++" },
        { "SubmittedAt IN (TODAY)", "-++--" },
        { "SubmittedAt IN (YESTERDAY, TOMORROW)", "+--+-" },
        { "SubmittedAt IN (YESTERDAY, null, 2026-11-28T00:00:00Z)", "++--+" },
        { "SubmittedAt NOT IN (YESTERDAY, TOMORROW)", "-++-+" },
        { "SubmittedAt NOT IN (YESTERDAY, null)", "-+++-" },
        { "NOT SubmittedAt = TODAY", "+--++" },
        { "NOT SubmittedAt > TODAY", "+++-+" },
        { "SubmittedAt >= YESTERDAY AND SubmittedAt < TODAY", "+----" },
        { "SubmittedAt = LAST_N_DAYS:1", "++---" },
        { "SubmittedAt = THIS_WEEK OR SubmittedAt = null", "+++-+" },
    };

    (void)state;
    for (size_t c = 0; c < TEST_COUNT(cases); c++) {
        for (size_t s = 0; s < TEST_COUNT(submitted); s++) {
            if (met(cases[c].condition, submitted[s]) != (cases[c].met[s] == '+'))
                fail_msg("%s of %s", cases[c].condition, submitted[s] ? submitted[s] : "null");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_literal_has_its_period),
        cmocka_unit_test(calendars_have_edges),
        cmocka_unit_test(periods_are_those_of_another_calendar),
        cmocka_unit_test(a_comparison_is_with_the_ends_of_the_period),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
