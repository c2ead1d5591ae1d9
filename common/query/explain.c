/* A plan as people read it. */
#include "common/query/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/query/period.h"

static json_t *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *text_of(const char *format, ...)
{
    struct buf buf;
    va_list args;
    json_t *json;

    buf_init(&buf, SIZE_MAX);
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    json = json_stringn(buf.data, buf.size);
    buf_release(&buf);
    return json;
}

static json_t *condition_text(const struct query_condition *condition)
{
    struct buf buf;
    json_t *json;

    if (!condition)
        return json_null();
    buf_init(&buf, SIZE_MAX);
    condition_write(&buf, condition);
    json = json_stringn(buf.data, buf.size);
    buf_release(&buf);
    return json;
}

static bool asks_for(const struct plan *plan, const char *field, const char *signs)
{
    json_t *condition;
    size_t i;

    json_array_foreach(json_object_get(plan->find, "where"), i, condition)
    {
        if (strcmp(json_string_value(json_array_get(condition, 0)), field) == 0 &&
            strchr(signs, *json_string_value(json_array_get(condition, 1))))
            return true;
    }
    return false;
}

static const char *index_of(const struct plan *plan)
{
    if (plan->way == PLAN_NOTHING)
        return "none: LIMIT 0";
    if (plan->way == PLAN_COUNTS)
        return "the numbers of records by Type and Status; no record is read";
    if (plan->ids)
        return "the Ids themselves, in lots of 500";
    if (plan->spelled && plan->spelled->field.index == FIELD_INDEX_NAME)
        return "Names, in every spelling that is in the queue";
    if (plan->spelled)
        return "the operations of a ParentKey, in every spelling that is in the queue";
    if (plan->by_status && plan->ordered && !plan->by_submission)
        return "those of a Status";
    if (plan->by_status)
        return "those of a Status where they are few, else the queue in order of submission";
    if (plan->ordered && !plan->by_submission)
        return "the log of changes as far as it reaches, then the queue";
    if (asks_for(plan, "SubmittedAt", "=<>") || asks_for(plan, "CreatedDate", "=<>"))
        return "the queue in order of submission, only the times asked for";
    return plan->by_shard ? "the queue in order of submission, one shard after the other"
                          : "the queue in order of submission";
}

static json_t *leaders_text(const struct plan *plan)
{
    if (plan->leader_fields.count == 0)
        return json_null();
    return text_of("looked up page by page, %s",
                   plan->leaders_early ? "before rows are tested" : "only of the rows that are answered");
}

static json_t *order_text(const struct plan *plan, int64_t held_max)
{
    const struct query *query = plan->query;
    bool several = plan->ids ? plan->ids->value_count > PLAN_VALUES_MAX : plan->spelled != NULL;
    int64_t wanted = query->limit + query->offset;

    if (query->count_only)
        return json_null();
    if (query->aggregate)
        return text_of("groups, at most %" PRId64 ", ordered here", held_max);
    if (query->order_count == 0)
        return text_of("as they come");
    if (plan->ordered) {
        return text_of("as they come, by %s%s", record_fields[query->orders[0].item.field.index].name,
                       several ? "; ordered here if several runs are needed" : "");
    }
    if (query->limit >= 0 && wanted <= held_max) {
        return text_of("here, the first %" PRId64 " are held%s", wanted,
                       plan->by_submission ? "; the rest is not read once SubmittedAt settles it" : "");
    }
    return text_of("here, all are held, at most %" PRId64, held_max);
}

/* ---- periods ---- */
struct times {
    struct buf text;
    int64_t now_ms;
};

static void write_periods(void *arg, const struct query_condition *test)
{
    struct times *times = arg;
    char from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    struct buf name;

    buf_init(&name, 100);
    for (size_t i = 0; i < test->value_count; i++) {
        struct period period = period_of(&test->values[i], times->now_ms);

        if (test->values[i].kind != QUERY_PERIOD)
            continue;
        buf_clear(&name);
        period_write(&name, &test->values[i]);
        buf_printf(&times->text, "%s%s is from %s, before %s", times->text.size ? "; " : "", name.data,
                   clock_format(from, period.from_ms, "Z"), clock_format(until, period.until_ms, "Z"));
    }
    buf_release(&name);
}

static json_t *times_text(const struct query *query, int64_t now_ms)
{
    struct times times = { .now_ms = now_ms };
    json_t *json;

    buf_init(&times.text, SIZE_MAX);
    condition_tests(query->where, write_periods, &times);
    condition_tests(query->having, write_periods, &times);
    json = times.text.size ? json_stringn(times.text.data, times.text.size) : json_null();
    buf_release(&times.text);
    return json;
}

struct ahead {
    int64_t now_ms;
    char *text;
};

static void visit_ahead(void *arg, const struct query_condition *test)
{
    const struct query_value *value = &test->values[0];
    struct ahead *ahead = arg;
    struct buf buf;

    if (ahead->text || test->relation != QUERY_GREATER || value->kind != QUERY_PERIOD || !value->literal ||
        period_of(value, ahead->now_ms).until_ms <= ahead->now_ms ||
        period_of(value, ahead->now_ms).from_ms > ahead->now_ms)
        return;
    buf_init(&buf, 100);
    period_write(&buf, value);
    ahead->text = xstrdup(buf.data);
    buf_release(&buf);
}

char *query_looks_ahead(const struct query *query)
{
    struct ahead ahead = { .now_ms = clock_wall_ms() };

    condition_tests(query->where, visit_ahead, &ahead);
    condition_tests(query->having, visit_ahead, &ahead);
    return ahead.text;
}

json_t *query_explain(const struct query *query, const struct query_options *options)
{
    int64_t held_max = options && options->rows_held_max > 0 ? options->rows_held_max : QUERY_ROWS_HELD_MAX;
    int64_t now_ms = options && options->now_ms > 0 ? options->now_ms : clock_wall_ms();
    json_t *out = json_object();
    struct plan plan;

    plan_make(&plan, query, now_ms);
    json_object_set_new(out, "index", text_of("%s", index_of(&plan)));
    json_object_set_new(out, "runs", condition_text(plan.ids ? plan.ids : plan.spelled));
    if (plan.way == PLAN_FIND)
        json_object_set(out, "bgop_find", plan.find);
    json_object_set_new(out, "tested here", condition_text(plan.way == PLAN_COUNTS ? plan.where : plan.rest));
    json_object_set_new(out, "times", times_text(query, now_ms));
    json_object_set_new(out, "HAVING", condition_text(plan.having));
    json_object_set_new(out, "GroupLeader", leaders_text(&plan));
    json_object_set_new(out, "order", order_text(&plan, held_max));
    plan_release(&plan);
    return out;
}
