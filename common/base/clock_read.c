/* Reading times: ISO 8601 as producers of many kinds write it (Java leaves out the seconds at full minutes, PostgreSQL
 * the minutes of the zone and the T), and epoch milliseconds. read/times.lua is this file again in Lua. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

#define DAY_MS INT64_C(86400000)

static const char *const not_a_time = "is no time";
static const char *const beyond_9999 = "lies beyond the year 9999: epoch times are in milliseconds";

struct date {
    int year, month, day;
};

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly count digits; moves *at behind them. */
static bool parse_digits(const char **at, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!is_digit(**at))
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool parse_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static size_t digits_at(const char *text)
{
    return strspn(text, "0123456789");
}

/* ---- ISO 8601 ---- */

/* year-month-day, or the same without hyphens. */
static const char *read_date(const char **at, bool *extended, struct date *date)
{
    if (!parse_digits(at, 4, &date->year))
        return not_a_time;
    *extended = parse_char(at, '-');
    if (**at == 'W' || **at == 'w')
        return "is a week date: write year-month-day";
    if (digits_at(*at) == 3)
        return "is a date by the day of its year: write year-month-day";
    if (!parse_digits(at, 2, &date->month) || (*extended && !parse_char(at, '-')) || !parse_digits(at, 2, &date->day))
        return "has no whole date: write year-month-day";
    if (date->month < 1 || date->month > 12 || date->day < 1 || date->day > month_days(date->year, date->month))
        return "names a day that is not in the calendar";
    return NULL;
}

struct time_of_day {
    int hours, minutes, seconds, ms;
};

/* Any number of digits, of which milliseconds count. */
static bool read_fraction(const char **at, int *ms)
{
    size_t count;

    *ms = 0;
    if (!parse_char(at, '.') && !parse_char(at, ','))
        return true;
    count = digits_at(*at);
    for (size_t i = 0; i < 3; i++)
        *ms = *ms * 10 + (i < count ? (*at)[i] - '0' : 0);
    *at += count;
    return count > 0;
}

/* hh[:mm[:ss[.fraction]]], without colons behind a date without hyphens. */
static const char *read_time_of_day(const char **at, bool extended, struct time_of_day *time)
{
    *time = (struct time_of_day){ 0 };
    if (!parse_digits(at, 2, &time->hours))
        return not_a_time;
    if (extended ? parse_char(at, ':') : is_digit(**at)) {
        if (!parse_digits(at, 2, &time->minutes))
            return not_a_time;
        if (extended ? parse_char(at, ':') : is_digit(**at)) {
            if (!parse_digits(at, 2, &time->seconds) || !read_fraction(at, &time->ms))
                return not_a_time;
        }
    }
    if (**at == '.' || **at == ',')
        return "has a fraction that is not one of seconds";
    if (time->minutes > 59 || time->seconds > 60 || time->hours > 24 ||
        (time->hours == 24 && (time->minutes || time->seconds || time->ms)))
        return "names a time that is not in the day";
    return NULL;
}

/* Z, +hh, +hhmm or +hh:mm. A blank is the + of a URL that was decoded. */
static const char *read_zone(const char **at, int64_t *east_ms)
{
    int hours, minutes = 0, sign = **at == '+' || **at == ' ' ? 1 : **at == '-' ? -1 : 0;

    *east_ms = 0;
    if (parse_char(at, 'Z') || parse_char(at, 'z'))
        return NULL;
    if (**at == '\0')
        return "has no zone: end it with Z, or with an offset such as +02:00";
    if (sign == 0)
        return not_a_time;
    (*at)++;
    if (!parse_digits(at, 2, &hours) || ((parse_char(at, ':') || is_digit(**at)) && !parse_digits(at, 2, &minutes)) ||
        hours > 23 || minutes > 59)
        return "has a zone that is none: Z, or an offset such as +02:00";
    *east_ms = sign * (hours * 60 + minutes) * INT64_C(60000);
    return NULL;
}

static const char *read_iso(const char *text, int64_t *epoch_ms)
{
    const char *at = text, *wrong;
    bool extended;
    struct date date;
    struct time_of_day time = { 0 };
    int64_t east_ms = 0, value;

    wrong = read_date(&at, &extended, &date);
    if (!wrong && *at) {
        if (!parse_char(&at, 'T') && !parse_char(&at, 't') && !parse_char(&at, ' '))
            return not_a_time;
        wrong = read_time_of_day(&at, extended, &time);
        if (!wrong)
            wrong = read_zone(&at, &east_ms);
    }
    if (wrong)
        return wrong;
    if (*at)
        return not_a_time;
    value = clock_days(date.year, date.month, date.day) * DAY_MS +
            ((time.hours * 60 + time.minutes) * 60 + time.seconds) * INT64_C(1000) - east_ms;
    if (time.seconds == 60 && value % DAY_MS != 0)
        return "names a leap second that is not the last of a day";
    if (value + time.ms > CLOCK_MAX_MS)
        return "lies beyond the year 9999";
    *epoch_ms = value + time.ms;
    return NULL;
}

/* ---- epoch milliseconds ---- */

/* digits[.digits][e[+-]digits] behind an optional minus: how programs write numbers, 1.7e12 too. */
static bool is_number(const char *text)
{
    text += *text == '-';
    if (!is_digit(*text))
        return false;
    text += digits_at(text);
    if (*text == '.') {
        if (!is_digit(text[1]))
            return false;
        text += 1 + digits_at(text + 1);
    }
    if (*text == 'e' || *text == 'E') {
        text += text[1] == '+' || text[1] == '-' ? 2 : 1;
        if (!is_digit(*text))
            return false;
        text += digits_at(text);
    }
    return *text == '\0';
}

static int64_t floor_ms(double ms)
{
    int64_t whole = (int64_t)ms; /* every millisecond up to year 9999 is a double */

    return (double)whole > ms ? whole - 1 : whole;
}

const char *clock_read(const char *text, int64_t *epoch_ms)
{
    double ms;

    if (!is_number(text))
        return read_iso(text, epoch_ms);
    ms = strtod(text, NULL);
    if (!(ms < (double)CLOCK_MAX_MS + 1))
        return beyond_9999;
    if (!(ms >= -62167219200000.0))
        return "lies before the year 0";
    *epoch_ms = floor_ms(ms);
    return NULL;
}

const char *clock_check_recent(int64_t epoch_ms)
{
    if (epoch_ms > CLOCK_MAX_MS)
        return beyond_9999;
    return epoch_ms < CLOCK_2000_MS ? "lies before 2000-01-01: epoch times are in milliseconds, not in seconds" : NULL;
}

const char *clock_read_recent(const char *text, int64_t *epoch_ms)
{
    int64_t value;
    const char *wrong = clock_read(text, &value);

    if (!wrong)
        wrong = clock_check_recent(value);
    if (!wrong)
        *epoch_ms = value;
    return wrong;
}

bool clock_parse(const char *text, int64_t *epoch_ms)
{
    return clock_read(text, epoch_ms) == NULL;
}
