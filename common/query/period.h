/* Date literals: TODAY, LAST_N_DAYS:7, 2026-11-28. Each is a period, from its first millisecond up to, not including,
 * `until`; a comparison with it is one with its ends: = within, != outside, < before, <= before its end, > behind it,
 * >= from its start. Most depend on the moment of the query, so they stay what they are until it runs. */
#ifndef BGOP_QUERY_PERIOD_H
#define BGOP_QUERY_PERIOD_H

#include "common/base/buf.h"
#include "common/query/memory.h"
#include "common/query/query.h"

/* Whole calendar units, in UTC, weeks from Sunday, by their distance from the present one: those from `from` + n times
 * from_n up to, not including, `until` + n times until_n.
 *   CALENDAR        just these
 *   TO_NOW          they end with the present second
 *   ROLLING         the moment, not the calendar, is where they are counted from: the end of the present second
 * A line's literals are of one unit, and stand so in the help text. */
/* clang-format off */
#define DATE_LITERALS_OF_DAYS(XX)                                                                                    \
    XX(YESTERDAY,        DAY,     -1, 0, 0, 0, CALENDAR) XX(TODAY,            DAY,     0, 0, 1, 0, CALENDAR)         \
    XX(TOMORROW,         DAY,     1, 0, 2, 0, CALENDAR)  XX(LAST_90_DAYS,     DAY,     -90, 0, 0, 0, TO_NOW)         \
    XX(NEXT_90_DAYS,     DAY,     1, 0, 91, 0, CALENDAR) XX(LAST_N_DAYS,      DAY,     0, -1, 0, 0, TO_NOW)          \
    XX(NEXT_N_DAYS,      DAY,     1, 0, 1, 1, CALENDAR)  XX(N_DAYS_AGO,       DAY,     0, -1, 1, -1, CALENDAR)
#define DATE_LITERALS_OF_CALENDAR(XX, ONE, MANY)                                                                     \
    XX(LAST_##ONE,       ONE,     -1, 0, 0, 0, CALENDAR) XX(THIS_##ONE,       ONE,     0, 0, 1, 0, CALENDAR)         \
    XX(NEXT_##ONE,       ONE,     1, 0, 2, 0, CALENDAR)  XX(LAST_N_##MANY,    ONE,     0, -1, 0, 0, CALENDAR)        \
    XX(NEXT_N_##MANY,    ONE,     1, 0, 1, 1, CALENDAR)  XX(N_##MANY##_AGO,   ONE,     0, -1, 1, -1, CALENDAR)
#define DATE_LITERALS_OF_WEEKS(XX)    DATE_LITERALS_OF_CALENDAR(XX, WEEK, WEEKS)
#define DATE_LITERALS_OF_MONTHS(XX)   DATE_LITERALS_OF_CALENDAR(XX, MONTH, MONTHS)
#define DATE_LITERALS_OF_QUARTERS(XX) DATE_LITERALS_OF_CALENDAR(XX, QUARTER, QUARTERS)
#define DATE_LITERALS_OF_YEARS(XX)    DATE_LITERALS_OF_CALENDAR(XX, YEAR, YEARS)
/* Salesforce has none of these. */
#define DATE_LITERALS_OF_HOURS(XX)                                                                                   \
    XX(LAST_N_HOURS,     HOUR,    0, -1, 0, 0, ROLLING)  XX(NEXT_N_HOURS,     HOUR,    0, 0, 0, 1, ROLLING)          \
    XX(N_HOURS_AGO,      HOUR,    0, -1, 1, -1, CALENDAR)                                                            \
    XX(LAST_N_MINUTES,   MINUTE,  0, -1, 0, 0, ROLLING)  XX(NEXT_N_MINUTES,   MINUTE,  0, 0, 0, 1, ROLLING)          \
    XX(N_MINUTES_AGO,    MINUTE,  0, -1, 1, -1, CALENDAR)
#define DATE_LITERALS(XX)                                                                                            \
    DATE_LITERALS_OF_DAYS(XX) DATE_LITERALS_OF_WEEKS(XX) DATE_LITERALS_OF_MONTHS(XX) DATE_LITERALS_OF_QUARTERS(XX)   \
    DATE_LITERALS_OF_YEARS(XX) DATE_LITERALS_OF_HOURS(XX)

/* Their names for a help text, a line for those of a unit. */
#define DATE_LITERAL_NAME(name, unit, from, from_n, until, until_n, kind) " " #name
#define DATE_LITERALS_HELP                                                                                           \
    " " DATE_LITERALS_OF_DAYS(DATE_LITERAL_NAME) "\n"                                                                \
    " " DATE_LITERALS_OF_WEEKS(DATE_LITERAL_NAME) "\n"                                                               \
    " " DATE_LITERALS_OF_MONTHS(DATE_LITERAL_NAME) "\n"                                                              \
    " " DATE_LITERALS_OF_QUARTERS(DATE_LITERAL_NAME) "\n"                                                            \
    " " DATE_LITERALS_OF_YEARS(DATE_LITERAL_NAME) "\n"                                                               \
    " " DATE_LITERALS_OF_HOURS(DATE_LITERAL_NAME) "\n"
/* clang-format on */

enum period_unit { PERIOD_MINUTE, PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_QUARTER, PERIOD_YEAR };
enum period_kind { PERIOD_CALENDAR, PERIOD_TO_NOW, PERIOD_ROLLING };
enum { PERIOD_NUMBER_MAX = 1000000 };

struct date_literal {
    const char *name;
    enum period_unit unit;
    int from, from_n, until, until_n;
    enum period_kind kind;
};
extern const struct date_literal date_literals[];
extern const size_t date_literal_count;

struct period {
    int64_t from_ms, until_ms;
};

/* NULL: there is none of this name, in any case of its letters. */
const struct date_literal *date_literal_find(const char *name, size_t size);
bool date_literal_takes_number(const struct date_literal *literal);
/* Of a value of kind QUERY_PERIOD. */
struct period period_of(const struct query_value *value, int64_t now_ms);
void period_write(struct buf *buf, const struct query_value *value);

/* The condition as it is meant at this moment: without periods. A copy where it had some; NULL stays NULL. */
struct query_condition *condition_at(struct query_memory *memory, struct query_condition *condition, int64_t now_ms);

#endif
