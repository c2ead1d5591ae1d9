/* A unit of the calendar has a number: minutes, hours, days and weeks since 1970, months, quarters and years of our era.
 * So a literal is two numbers, and each a time. */
#include "common/query/period.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    INT64_C(86400000)
#define END_MS    INT64_C(253402300800000) /* of year 9999 */
enum { WEEKDAY_1970 = 4 };                 /* January 1st was a Thursday; weeks begin on Sunday */

const struct date_literal date_literals[] = {
#define XX(name, unit, from, from_n, until, until_n, kind) \
    { #name, PERIOD_##unit, from, from_n, until, until_n, PERIOD_##kind },
    DATE_LITERALS(XX)
#undef XX
};
const size_t date_literal_count = sizeof date_literals / sizeof *date_literals;

const struct date_literal *date_literal_find(const char *name, size_t size)
{
    for (size_t i = 0; i < date_literal_count; i++) {
        if (strlen(date_literals[i].name) == size && strncasecmp(date_literals[i].name, name, size) == 0)
            return &date_literals[i];
    }
    return NULL;
}

bool date_literal_takes_number(const struct date_literal *literal)
{
    return literal->from_n != 0 || literal->until_n != 0;
}

/* ---- units ---- */
static const struct {
    int64_t ms; /* of those that are all alike; 0: so many months */
    int months;
} units[] = {
    [PERIOD_MINUTE] = { MINUTE_MS, 0 }, [PERIOD_HOUR] = { 60 * MINUTE_MS, 0 },
    [PERIOD_DAY] = { DAY_MS, 0 },       [PERIOD_WEEK] = { 7 * DAY_MS, 0 },
    [PERIOD_MONTH] = { 0, 1 },          [PERIOD_QUARTER] = { 0, 3 },
    [PERIOD_YEAR] = { 0, 12 },
};

static int64_t first_ms(enum period_unit unit)
{
    return unit == PERIOD_WEEK ? -WEEKDAY_1970 * DAY_MS : 0;
}

static int64_t within_bounds(int64_t ms)
{
    return ms < 0 ? 0 : ms > END_MS ? END_MS : ms;
}

static int64_t unit_at(enum period_unit unit, int64_t ms)
{
    int year, month, day;

    if (units[unit].ms)
        return (ms - first_ms(unit)) / units[unit].ms;
    clock_date(ms / DAY_MS, &year, &month, &day);
    return (year * 12 + month - 1) / units[unit].months;
}

static int64_t unit_start(enum period_unit unit, int64_t number)
{
    int64_t month = number * units[unit].months;

    if (units[unit].ms)
        return within_bounds(first_ms(unit) + number * units[unit].ms);
    if (month < 1970 * 12)
        return 0;
    return month >= 10000 * 12 ? END_MS : clock_days((int)(month / 12), (int)(month % 12) + 1, 1) * DAY_MS;
}

/* ---- periods ---- */
struct period period_of(const struct query_value *value, int64_t now_ms)
{
    const struct date_literal *literal = value->literal;
    int64_t n = value->number, now = within_bounds(now_ms), second_end = (now / 1000 + 1) * 1000, present;
    struct period period;

    if (!literal) /* a date: the number is its start */
        return (struct period){ n, n + DAY_MS };
    int64_t from = literal->from + n * literal->from_n, until = literal->until + n * literal->until_n;
    if (literal->kind == PERIOD_ROLLING) {
        return (struct period){ within_bounds(second_end + from * units[literal->unit].ms),
                                within_bounds(second_end + until * units[literal->unit].ms) };
    }
    present = unit_at(literal->unit, now);
    period = (struct period){ unit_start(literal->unit, present + from), unit_start(literal->unit, present + until) };
    if (literal->kind == PERIOD_TO_NOW)
        period.until_ms = second_end;
    return period;
}

void period_write(struct buf *buf, const struct query_value *value)
{
    char time[CLOCK_TEXT_SIZE];

    if (!value->literal)
        buf_append_string(buf, clock_format_part(time, value->number, CLOCK_DATE));
    else if (date_literal_takes_number(value->literal))
        buf_printf(buf, "%s:%" PRId64, value->literal->name, value->number);
    else
        buf_append_string(buf, value->literal->name);
}

/* ---- comparisons with them ---- */
static struct query_condition *list_new(struct query_memory *memory, enum query_node node)
{
    struct query_condition *list = query_keep(memory, sizeof *list);

    list->node = node;
    return list;
}

static struct query_condition *list_add(struct query_memory *memory, struct query_condition *list,
                                        struct query_condition *part)
{
    list->parts = query_keep_more(memory, list->parts, list->part_count, sizeof(void *));
    list->parts[list->part_count++] = part;
    return list;
}

static struct query_condition *compared(struct query_memory *memory, const struct query_condition *test,
                                        enum query_operator relation, const struct query_value *value)
{
    struct query_condition *copy = query_keep(memory, sizeof *copy);
    struct query_value *own = query_keep(memory, sizeof *own);

    *own = *value;
    *copy = *test;
    copy->relation = relation;
    copy->values = own;
    copy->value_count = 1;
    return copy;
}

static struct query_condition *compared_time(struct query_memory *memory, const struct query_condition *test,
                                             enum query_operator relation, int64_t ms)
{
    return compared(memory, test, relation, &(struct query_value){ .kind = QUERY_NUMBER, .number = ms });
}

static struct query_condition *is_within(struct query_memory *memory, const struct query_condition *test,
                                         const struct query_value *value, int64_t now_ms)
{
    struct period period = period_of(value, now_ms);
    struct query_condition *both = list_new(memory, QUERY_AND);

    if (value->kind != QUERY_PERIOD)
        return compared(memory, test, QUERY_EQUAL, value);
    list_add(memory, both, compared_time(memory, test, QUERY_AT_LEAST, period.from_ms));
    return list_add(memory, both, compared_time(memory, test, QUERY_LESS, period.until_ms));
}

/* NOT of "within" is true of null, as != and NOT IN are. */
static struct query_condition *test_at(struct query_memory *memory, const struct query_condition *test, int64_t now_ms)
{
    struct query_condition *any = list_new(memory, QUERY_OR);
    struct period period = period_of(&test->values[0], now_ms);

    switch (test->relation) {
    case QUERY_LESS: return compared_time(memory, test, QUERY_LESS, period.from_ms);
    case QUERY_AT_LEAST: return compared_time(memory, test, QUERY_AT_LEAST, period.from_ms);
    case QUERY_AT_MOST: return compared_time(memory, test, QUERY_LESS, period.until_ms);
    case QUERY_GREATER: return compared_time(memory, test, QUERY_AT_LEAST, period.until_ms);
    default: break;
    }
    for (size_t i = 0; i < test->value_count; i++)
        list_add(memory, any, is_within(memory, test, &test->values[i], now_ms));
    if (any->part_count == 1)
        any = any->parts[0];
    if (test->relation == QUERY_EQUAL || test->relation == QUERY_IN)
        return any;
    return list_add(memory, list_new(memory, QUERY_NOT), any);
}

static bool has_period(const struct query_condition *test)
{
    for (size_t i = 0; i < test->value_count; i++) {
        if (test->values[i].kind == QUERY_PERIOD)
            return true;
    }
    return false;
}

struct query_condition *condition_at(struct query_memory *memory, struct query_condition *condition, int64_t now_ms)
{
    struct query_condition *copy;

    if (!condition)
        return NULL;
    if (condition->node == QUERY_TEST)
        return has_period(condition) ? test_at(memory, condition, now_ms) : condition;
    copy = list_new(memory, condition->node);
    for (size_t i = 0; i < condition->part_count; i++)
        list_add(memory, copy, condition_at(memory, condition->parts[i], now_ms));
    return copy;
}
