/* Dates by arithmetic on the proleptic Gregorian calendar, in years that begin on March 1st (so that the leap day is
 * the last of its year): no time zone database, no locale, no year 2038. */
#include "common/base/clock.h"

#include <string.h>
#include <time.h>

#include "common/base/text.h"

#define DAY_MS INT64_C(86400000)
#define YEAR_9999_END_MS INT64_C(253402300799999)
#define ERA_DAYS 146097             /* 400 years */
#define MARCH_0000_TO_1970 719468   /* days from 0000-03-01 to 1970-01-01 */

static int64_t clock_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_boot_ms(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

static int64_t days_from_date(int year, int month, int day)
{
    int shifted = month > 2 ? year : year - 1;
    int era = shifted / 400;
    int year_of_era = shifted - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * ERA_DAYS + day_of_era - MARCH_0000_TO_1970;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int from_march_0000 = (int)days + MARCH_0000_TO_1970;
    int era = from_march_0000 / ERA_DAYS;
    int day_of_era = from_march_0000 - era * ERA_DAYS;
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* By hand: a time is written for every line of the log and every dateTime of an answer. */
static char *put_digits(char *to, int value, int count, char behind)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    to[count] = behind;
    return to + count + 1;
}

char *clock_format(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, const char *zone)
{
    int year, month, day;
    int64_t at_ms = epoch_ms < 0 ? 0 : epoch_ms > YEAR_9999_END_MS ? YEAR_9999_END_MS : epoch_ms;
    int of_day = (int)(at_ms % DAY_MS);
    char *at = text;

    date_from_days(at_ms / DAY_MS, &year, &month, &day);
    at = put_digits(at, year, 4, '-');
    at = put_digits(at, month, 2, '-');
    at = put_digits(at, day, 2, 'T');
    at = put_digits(at, of_day / 3600000, 2, ':');
    at = put_digits(at, of_day / 60000 % 60, 2, ':');
    at = put_digits(at, of_day / 1000 % 60, 2, '.');
    at = put_digits(at, of_day % 1000, 3, '\0') - 1;
    text_copy(at, CLOCK_TEXT_SIZE - (size_t)(at - text), zone, strlen(zone));
    return text;
}

/* Exactly count digits; moves *at behind them. */
static bool parse_digits(const char **at, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
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

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_date(const char **at, int64_t *days)
{
    int year, month, day;

    if (!parse_digits(at, 4, &year) || !parse_char(at, '-') || !parse_digits(at, 2, &month) || !parse_char(at, '-') ||
        !parse_digits(at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *days = days_from_date(year, month, day);
    return true;
}

/* hh:mm:ss and up to 9 digits of fraction, of which milliseconds count. */
static bool parse_time_of_day(const char **at, int64_t *of_day_ms)
{
    int hours, minutes, seconds, ms = 0, digits = 0;

    if (!parse_digits(at, 2, &hours) || !parse_char(at, ':') || !parse_digits(at, 2, &minutes) ||
        !parse_char(at, ':') || !parse_digits(at, 2, &seconds))
        return false;
    if (hours > 23 || minutes > 59 || seconds > 59)
        return false;
    if (parse_char(at, '.')) {
        for (; **at >= '0' && **at <= '9' && digits < 9; (*at)++, digits++)
            if (digits < 3)
                ms = ms * 10 + (**at - '0');
        if (digits == 0)
            return false;
        for (; digits < 3; digits++)
            ms *= 10;
    }
    *of_day_ms = ((hours * 60 + minutes) * 60 + seconds) * INT64_C(1000) + ms;
    return true;
}

static bool parse_zone(const char **at, int64_t *east_ms)
{
    int hours, minutes;
    int sign;

    *east_ms = 0;
    if (parse_char(at, 'Z'))
        return true;
    sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
    if (sign == 0)
        return false;
    (*at)++;
    if (!parse_digits(at, 2, &hours))
        return false;
    if (**at == ':')
        (*at)++;
    if (!parse_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *east_ms = sign * (hours * 60 + minutes) * INT64_C(60000);
    return true;
}

bool clock_parse(const char *text, int64_t *epoch_ms)
{
    const char *at = text;
    int64_t days, of_day_ms, east_ms;

    if (text[0] >= '0' && text[0] <= '9' && text[strspn(text, "0123456789")] == '\0')
        return text_parse_int64(text, 0, YEAR_9999_END_MS, epoch_ms);
    if (!parse_date(&at, &days) || !parse_char(&at, 'T') || !parse_time_of_day(&at, &of_day_ms) ||
        !parse_zone(&at, &east_ms) || *at != '\0')
        return false;
    int64_t value = days * DAY_MS + of_day_ms - east_ms;
    if (value < 0 || value > YEAR_9999_END_MS)
        return false;
    *epoch_ms = value;
    return true;
}
