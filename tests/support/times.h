/* Times as callers write them, and what they mean: the C reader (common/base/clock_read.c) and the Lua one
 * (common/functions/read/times.lua) are held against the same cases. */
#ifndef TESTS_SUPPORT_TIMES_H
#define TESTS_SUPPORT_TIMES_H

#include <stdint.h>
#include <stddef.h>

struct time_case {
    const char *text;
    int64_t ms;
    const char *wrong;
};

#define AT_TEN INT64_C(1795860000000) /* 2026-11-28T10:00:00Z */
static const struct time_case time_cases[] = {
    { "2026-11-28T10:00:00Z", AT_TEN, NULL },
    { "2026-11-28T10:00:00.000+0000", AT_TEN, NULL },
    /* as programs leave parts out */
    { "2026-11-28T10:00Z", AT_TEN, NULL }, /* Java's Instant-like types at full minutes */
    { "2026-11-28T10Z", AT_TEN, NULL },
    { "2026-11-28T10+00", AT_TEN, NULL },
    { "2026-11-28 10:00:00+00", AT_TEN, NULL }, /* PostgreSQL */
    { "2026-11-28 10:00:00.5+00", AT_TEN + 500, NULL },
    { "2026-11-28 11:30+01:30", AT_TEN, NULL },
    { "2026-11-28", AT_TEN - 36000000, NULL },
    { "20261128T100000Z", AT_TEN, NULL },
    { "20261128T1000Z", AT_TEN, NULL },
    { "20261128T113000.25+0130", AT_TEN + 250, NULL },
    { "20261128T10Z", AT_TEN, NULL },
    /* letters, fractions, zones */
    { "2026-11-28t10:00:00z", AT_TEN, NULL },
    { "2026-11-28T10:00:00,5Z", AT_TEN + 500, NULL },
    { "2026-11-28T10:00:00.1Z", AT_TEN + 100, NULL },
    { "2026-11-28T10:00:00.12Z", AT_TEN + 120, NULL },
    { "2026-11-28T10:00:00.0019Z", AT_TEN + 1, NULL },
    { "2026-11-28T10:00:00.999999999Z", AT_TEN + 999, NULL },
    { "2026-11-28T10:00:00.12345678901234567890Z", AT_TEN + 123, NULL },
    { "2026-11-28T12:00:00+02", AT_TEN, NULL },
    { "2026-11-28T12:00:00+0200", AT_TEN, NULL },
    { "2026-11-28T12:00:00+02:00", AT_TEN, NULL },
    { "2026-11-28T08:30:00.5-0130", AT_TEN + 500, NULL },
    { "2026-11-28T07:00:00-03", AT_TEN, NULL },
    { "2026-11-28T10:00:00-00:00", AT_TEN, NULL },
    { "2026-11-28T12:00:00 02:00", AT_TEN, NULL }, /* the + of a URL, decoded */
    { "2026-11-29T00:00:00+14:00", AT_TEN, NULL },
    /* ends of days and years */
    { "2026-11-28T24:00:00Z", AT_TEN + 50400000, NULL },
    { "2026-11-28T24:00Z", AT_TEN + 50400000, NULL },
    { "2026-11-28T24:00:00.000Z", AT_TEN + 50400000, NULL },
    { "2016-12-31T23:59:60Z", INT64_C(1483228800000), NULL },
    { "2016-12-31T23:59:60.5Z", INT64_C(1483228800500), NULL },
    { "2017-01-01T08:59:60+09:00", INT64_C(1483228800000), NULL },
    { "2024-02-29T00:00:00Z", INT64_C(1709164800000), NULL },
    { "2000-02-29T00:00:00Z", INT64_C(951782400000), NULL },
    { "2000-01-01T00:00:00Z", INT64_C(946684800000), NULL },
    { "2000-01-01T01:00:00+01:00", INT64_C(946684800000), NULL },
    { "9999-12-31T23:59:59.999Z", INT64_C(253402300799999), NULL },
    /* before 2000: readable, and refused where a time of now is meant */
    { "1999-12-31T23:59:59.999Z", INT64_C(946684799999), NULL },
    { "1970-01-01T00:00:00.001Z", 1, NULL },
    { "1970-01-01", 0, NULL },
    { "1969-12-31T23:59:59Z", -1000, NULL },
    { "0000-01-01T00:00:00Z", INT64_C(-62167219200000), NULL },
    { "0", 0, NULL },
    { "1795860000", 1795860000, NULL },
    { "1795860000.25", 1795860000, NULL },
    { "-1", -1, NULL },
    { "-1.5", -2, NULL },
    { "946684799999", INT64_C(946684799999), NULL },
    { "20261128", 20261128, NULL },
    /* epoch milliseconds */
    { "946684800000", INT64_C(946684800000), NULL },
    { "1795860000000", AT_TEN, NULL },
    { "1795860000000.0", AT_TEN, NULL },
    { "1795860000000.75", AT_TEN, NULL },
    { "1.79586e12", AT_TEN, NULL },
    { "1.79586E+12", AT_TEN, NULL },
    { "01795860000000", AT_TEN, NULL },
    { "253402300799999", INT64_C(253402300799999), NULL },
    { "253402300800000", 0, "milliseconds" },
    { "1795860000000000", 0, "milliseconds" },    /* microseconds */
    { "1795860000000000000", 0, "milliseconds" }, /* nanoseconds */
    { "99999999999999999999999", 0, "milliseconds" },
    { "1e400", 0, "milliseconds" },
    { "-99999999999999999999", 0, "year 0" },
    /* what is in no calendar */
    { "2026-02-30T10:00:00Z", 0, "not in the calendar" },
    { "2023-02-29T10:00:00Z", 0, "not in the calendar" },
    { "1900-02-29T10:00:00Z", 0, "not in the calendar" },
    { "2026-11-31", 0, "not in the calendar" },
    { "2026-00-28T10:00:00Z", 0, "not in the calendar" },
    { "2026-13-28T10:00:00Z", 0, "not in the calendar" },
    { "2026-11-00T10:00:00Z", 0, "not in the calendar" },
    { "2026-11-28T25:00:00Z", 0, "not in the day" },
    { "2026-11-28T24:00:01Z", 0, "not in the day" },
    { "2026-11-28T24:00:00.001Z", 0, "not in the day" },
    { "2026-11-28T10:60:00Z", 0, "not in the day" },
    { "2026-11-28T10:00:61Z", 0, "not in the day" },
    { "2026-11-28T10:00:60Z", 0, "leap second" },
    { "9999-12-31T23:59:59-00:01", 0, "year 9999" },
    { "9999-12-31T24:00:00Z", 0, "year 9999" },
    /* other forms */
    { "2026-W48-6T10:00:00Z", 0, "week date" },
    { "2026W486", 0, "week date" },
    { "2026-332T10:00:00Z", 0, "day of its year" },
    { "2026-11T10:00:00Z", 0, "year-month-day" },
    { "2026-11", 0, "year-month-day" },
    { "2026-1-28T10:00:00Z", 0, "year-month-day" },
    { "2026-1128T10:00:00Z", 0, "year-month-day" },
    { "2026-11-28T10:00:00", 0, "no zone" },
    { "2026-11-28 10:00", 0, "no zone" },
    { "2026-11-28T10:00:00+1", 0, "a zone that is none" },
    { "2026-11-28T10:00:00+01:0", 0, "a zone that is none" },
    { "2026-11-28T10:00:00+01:", 0, "a zone that is none" },
    { "2026-11-28T10:00:00+010", 0, "a zone that is none" },
    { "2026-11-28T10:00:00+24:00", 0, "a zone that is none" },
    { "2026-11-28T10:00:00+00:60", 0, "a zone that is none" },
    { "2026-11-28T10:00:00 Z", 0, "a zone that is none" },
    { "2026-11-28T10.5Z", 0, "fraction" },
    { "2026-11-28T10:30.5Z", 0, "fraction" },
    { "2026-11-28T10:00:00.Z", 0, "no time" },
    { "2026-11-28T10:00:00Zx", 0, "no time" },
    { "2026-11-28T10:00:00+02:00x", 0, "no time" },
    { "2026-11-28T1:00:00Z", 0, "no time" },
    { "2026-11-28T1000Z", 0, "no time" },
    { "2026-11-28Z", 0, "no time" },
    { "10000-01-01T00:00:00Z", 0, "year-month-day" },
    { "+12026-01-01T00:00:00Z", 0, "no time" },
    { "-0001-01-01T00:00:00Z", 0, "no time" },
    { "Sat, 28 Nov 2026 10:00:00 GMT", 0, "no time" },
    { "11/28/2026", 0, "no time" },
    { "", 0, "no time" },
    { " ", 0, "no time" },
    { "now", 0, "no time" },
    { "+1", 0, "no time" },
    { " 1", 0, "no time" },
    { "1 ", 0, "no time" },
    { "0x10", 0, "no time" },
    { "1e", 0, "no time" },
    { "1.", 0, "no time" },
    { ".5", 0, "no time" },
    { "-", 0, "no time" },
    { "NaN", 0, "no time" },
    { "inf", 0, "no time" },
    { "1e+", 0, "no time" },
    { "1.5.5", 0, "no time" },
};
#define TIME_CASES     (sizeof time_cases / sizeof *time_cases)
#define TIME_CASE_2000 INT64_C(946684800000) /* nothing before it is a time of now */

#endif
