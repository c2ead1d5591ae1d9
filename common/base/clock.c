/* Dates by arithmetic on the proleptic Gregorian calendar, in years that begin on March 1st (so that the leap day is
 * the last of its year): no time zone database, no locale, no year 2038. */
#include "common/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/text.h"

#define DAY_MS             INT64_C(86400000)
#define YEAR_9999_END_MS   INT64_C(253402300799999)
#define ERA_DAYS           146097 /* 400 years */
#define MARCH_0000_TO_1970 719468 /* days from 0000-03-01 to 1970-01-01 */

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

int64_t clock_days(int year, int month, int day)
{
    int shifted = (month > 2 ? year : year - 1) + 400; /* one era more: nothing is negative */
    int era = shifted / 400;
    int year_of_era = shifted - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)(era - 1) * ERA_DAYS + day_of_era - MARCH_0000_TO_1970;
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

char *clock_format_part(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, enum clock_part part)
{
    enum { DATE_SIZE = 10, TIME_SIZE = 8 }; /* 2026-11-23, 10:00:00 */
    char whole[CLOCK_TEXT_SIZE];

    clock_format(whole, epoch_ms, "");
    if (part == CLOCK_DATE)
        snprintf(text, CLOCK_TEXT_SIZE, "%.*s", DATE_SIZE, whole);
    else if (part == CLOCK_TIME_OF_DAY)
        snprintf(text, CLOCK_TEXT_SIZE, "%.*sZ", TIME_SIZE, whole + DATE_SIZE + 1);
    else
        snprintf(text, CLOCK_TEXT_SIZE, "%.*sZ", DATE_SIZE + 1 + TIME_SIZE, whole);
    return text;
}

void clock_date(int64_t days, int *year, int *month, int *day)
{
    date_from_days(days, year, month, day);
}

char *clock_format_local(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, bool with_ms)
{
    enum { SECONDS_SIZE = 19 }; /* 2026-11-23T10:00:00 */
    time_t second = (time_t)(epoch_ms / 1000);
    char whole[CLOCK_TEXT_SIZE];
    struct tm local;
    long minutes;

    tzset();
    if (!localtime_r(&second, &local) || local.tm_gmtoff / 60 == 0)
        return with_ms ? clock_format(text, epoch_ms, "Z") : clock_format_part(text, epoch_ms, CLOCK_SECONDS);
    minutes = local.tm_gmtoff / 60;
    clock_format(whole, epoch_ms + minutes * 60000, "");
    if (!with_ms)
        whole[SECONDS_SIZE] = '\0';
    snprintf(text, CLOCK_TEXT_SIZE, "%.23s%c%02d:%02d", whole, minutes < 0 ? '-' : '+', abs((int)minutes) / 60 % 100,
             abs((int)minutes) % 60);
    return text;
}
