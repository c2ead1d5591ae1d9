/* A plan: which parts of the condition go down, what leads to few records, what is read of each, and in which order. */
#include "common/query/plan.h"

#include <string.h>

#include "common/query/period.h"

static bool same_field(struct query_field a, struct query_field b)
{
    return a.index == b.index && a.of_leader == b.of_leader;
}

static void field_set_add(struct field_set *set, struct query_field field)
{
    for (size_t i = 0; i < set->count; i++) {
        if (same_field(set->fields[i], field))
            return;
    }
    set->fields[set->count++] = field;
}

/* ---- the whole condition ---- */
static bool is_choice_of(const struct query_condition *part, enum field_index index)
{
    if (part->node != QUERY_TEST || part->field.index != index || part->field.of_leader ||
        (part->relation != QUERY_EQUAL && part->relation != QUERY_IN))
        return false;
    for (size_t i = 0; i < part->value_count; i++) {
        if (part->values[i].kind == QUERY_NULL)
            return false;
    }
    return true;
}

static bool has_few_spellings(const struct query_condition *part, size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < part->value_count && count <= most; i++) {
        size_t more = spelling_count(part->values[i].text, part->values[i].size);

        count = more > most ? more : count + more;
    }
    return count <= most;
}

/* Ids lead to few records, a Name too, a ParentKey perhaps: of these the first that is asked for makes the runs. */
static void choose_runs(struct plan *plan, struct query_condition *const *parts, size_t count)
{
    static const struct {
        enum field_index index;
        size_t most;
    } spelled[] = {
        { FIELD_INDEX_NAME, PLAN_NAMES_MAX },
        { FIELD_INDEX_PARENT_KEY, PLAN_PARENT_KEYS_MAX },
    };

    for (size_t i = 0; i < count && !plan->ids; i++)
        plan->ids = is_choice_of(parts[i], FIELD_INDEX_ID) ? parts[i] : NULL;
    for (size_t s = 0; s < sizeof spelled / sizeof *spelled; s++) {
        for (size_t i = 0; i < count && !plan->ids && !plan->spelled; i++) {
            if (is_choice_of(parts[i], spelled[s].index) && has_few_spellings(parts[i], spelled[s].most))
                plan->spelled = parts[i];
        }
    }
}

static void keep_here(struct plan *plan, struct query_condition *part)
{
    struct query_condition *list = plan->rest;

    if (!list) {
        plan->rest = part;
        return;
    }
    if (list->node != QUERY_AND) {
        list = query_keep(plan->memory, sizeof *list);
        list->node = QUERY_AND;
        list->parts = query_keep_more(plan->memory, NULL, 0, sizeof(void *));
        list->parts[list->part_count++] = plan->rest;
        plan->rest = list;
    }
    list->parts = query_keep_more(plan->memory, list->parts, list->part_count, sizeof(void *));
    list->parts[list->part_count++] = part;
}

static size_t json_size(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT);
}

static void push_conditions(struct plan *plan)
{
    struct query_condition *all[1] = { plan->where }, **parts = all;
    size_t count = plan->where ? 1 : 0, bytes = 0;
    json_t *where = json_array();

    if (plan->where && plan->where->node == QUERY_AND) {
        parts = plan->where->parts;
        count = plan->where->part_count;
    }
    choose_runs(plan, parts, count);
    for (size_t i = 0; i < count; i++) {
        json_t *conditions;
        bool exact;

        if (parts[i] == plan->ids || parts[i] == plan->spelled)
            continue;
        conditions = condition_push(parts[i], &exact);
        if (json_array_size(where) + json_array_size(conditions) >= PLAN_CONDITIONS_MAX ||
            bytes + json_size(conditions) >= PLAN_FIND_BYTES_MAX) {
            json_array_clear(conditions);
            exact = false;
        }
        bytes += json_size(conditions);
        json_array_extend(where, conditions);
        if (!exact)
            keep_here(plan, parts[i]);
        json_decref(conditions);
    }
    json_object_set_new(plan->find, "where", where);
}

/* ---- what is looked at ---- */
struct seen {
    struct plan *plan;
    struct field_set own;
};

static void visit_early(void *arg, struct query_field field)
{
    struct seen *seen = arg;

    field_set_add(field.of_leader ? &seen->plan->leader_fields : &seen->own, field);
    seen->plan->leaders_early = seen->plan->leaders_early || field.of_leader;
}

static void visit_test(void *arg, const struct query_condition *test)
{
    visit_early(arg, test->field);
}

static void collect_fields(struct plan *plan)
{
    const struct query *query = plan->query;
    struct seen seen = { .plan = plan };
    json_t *fields = json_array();
    bool early;

    condition_tests(plan->rest, visit_test, &seen);
    condition_tests(plan->having, visit_test, &seen);
    for (size_t i = 0; i < query->group_count; i++)
        visit_early(&seen, query->groups[i]);
    for (size_t i = 0; i < query->order_count; i++)
        visit_early(&seen, query->orders[i].item.field);
    early = plan->leaders_early;
    for (size_t i = 0; i < query->item_count; i++)
        visit_early(&seen, query->items[i].field);
    if (!query->aggregate)
        plan->leaders_early = early;
    if (plan->leader_fields.count > 0)
        field_set_add(&seen.own, (struct query_field){ FIELD_INDEX_GROUP_LEADER_ID, false });
    for (size_t i = 0; i < seen.own.count; i++)
        json_array_append_new(fields, json_string(record_fields[seen.own.fields[i].index].name));
    json_object_set_new(plan->find, "fields", fields);
}

/* ---- order, and how much at once ---- */
static bool is_submission(const struct query_item *item)
{
    return item->function == QUERY_FIELD && !item->field.of_leader &&
           (item->field.index == FIELD_INDEX_SUBMITTED_AT || item->field.index == FIELD_INDEX_CREATED_DATE);
}

/* bgop_find walks back in the order of the last change. */
static bool is_last_change(const struct query_order *order)
{
    const struct query_item *item = &order->item;

    return !item->field.of_leader && order->descending &&
           (item->field.index == FIELD_INDEX_SYSTEM_MODSTAMP || item->field.index == FIELD_INDEX_LAST_MODIFIED_DATE);
}

/* It knows every other order too, but by a look at all candidates for each 200 rows: worth it where these are those of
 * a Status that has an index; else it is cheaper to order them here. */
static bool has_index_of_status(const struct plan *plan)
{
    static const enum op_status indexed[] = { OP_NEW, OP_SCHEDULED, OP_RUNNING, OP_ERROR };
    json_t *condition;
    size_t i;

    json_array_foreach(json_object_get(plan->find, "where"), i, condition)
    {
        const char *value = json_string_value(json_array_get(condition, 2));
        int status = value ? record_status_find(value) : -1;

        for (size_t s = 0; s < sizeof indexed / sizeof *indexed; s++) {
            if (status == (int)indexed[s] && strcmp(json_string_value(json_array_get(condition, 0)), "Status") == 0 &&
                strcmp(json_string_value(json_array_get(condition, 1)), "=") == 0)
                return true;
        }
    }
    return false;
}

/* bgop_find orders texts byte by byte, and knows one place for nulls: first when rising, last when falling. */
static bool orders_alike(const struct query_order *order)
{
    const struct record_field *field = &record_fields[order->item.field.index];
    bool plain = field->type == FIELD_INT || field->type == FIELD_DATETIME || field->type == FIELD_ID;

    return plain && !order->item.field.of_leader &&
           (!(field->properties & FIELD_N) || order->nulls_first != order->descending);
}

static bool few_are_wanted(const struct plan *plan)
{
    const struct query *query = plan->query;

    return !plan->rest && query->limit >= 0 && query->limit + query->offset <= PLAN_PAGE_ROWS;
}

static bool is_top_of_index(const struct plan *plan, const struct query_order *order)
{
    return few_are_wanted(plan) && !plan->ids && !plan->spelled &&
           (is_last_change(order) || (plan->by_status && orders_alike(order)));
}

static void choose_order(struct plan *plan)
{
    const struct query *query = plan->query;
    const struct query_order *first = query->orders;
    const char *field = "SubmittedAt";
    bool descending = true;

    plan->by_status = has_index_of_status(plan);
    if (!query->aggregate && query->order_count > 0) {
        plan->by_submission = is_submission(&first->item);
        plan->ordered = query->order_count == 1 && (plan->by_submission || is_top_of_index(plan, first));
    }
    if (plan->by_submission || plan->ordered)
        descending = first->descending;
    if (plan->ordered && !plan->by_submission)
        field = record_fields[first->item.field.index].name;
    plan->by_shard = query->aggregate || (query->order_count > 0 && !plan->by_submission && !plan->ordered);
    json_object_set_new(plan->find, "order", json_sprintf("%s%s", descending ? "-" : "", field));
}

static void choose_page(struct plan *plan)
{
    const struct query *query = plan->query;
    bool as_they_come = !query->aggregate && (query->order_count == 0 || plan->ordered);
    int64_t wanted = PLAN_PAGE_ROWS;

    if (as_they_come && few_are_wanted(plan) && query->limit > 0)
        wanted = query->limit + query->offset;
    json_object_set_new(plan->find, "limit", json_integer(wanted));
}

/* ---- counts instead of records ---- */
static bool is_counted(struct query_field field)
{
    return !field.of_leader && (field.index == FIELD_INDEX_TYPE || field.index == FIELD_INDEX_STATUS);
}

/* The counts tell it: a Type or Status, or how many there are. */
static bool item_is_counted(const struct query_item *item)
{
    bool never_null = !item->field.of_leader && !(record_fields[item->field.index].properties & FIELD_N);

    return is_counted(item->field) || (item->function == QUERY_COUNT && never_null);
}

static void visit_counted(void *arg, const struct query_condition *test)
{
    const struct query_item item = condition_item(test);
    bool *counted = arg;

    *counted = *counted && item_is_counted(&item);
}

/* `counts` knows how many records there are of each Type in each Status: changed in the same step as the records,
 * so as true as they are. It answers what looks at nothing else. */
static bool counts_suffice(const struct plan *plan)
{
    const struct query *query = plan->query;
    bool counted = query->aggregate;

    condition_tests(plan->where, visit_counted, &counted);
    condition_tests(plan->having, visit_counted, &counted);
    for (size_t i = 0; i < query->group_count; i++)
        counted = counted && is_counted(query->groups[i]);
    for (size_t i = 0; i < query->item_count; i++)
        counted = counted && item_is_counted(&query->items[i]);
    for (size_t i = 0; i < query->order_count; i++)
        counted = counted && item_is_counted(&query->orders[i].item);
    return counted;
}

void plan_make(struct plan *plan, const struct query *query, int64_t now_ms)
{
    *plan = (struct plan){ .query = query, .now_ms = now_ms, .memory = query_memory_new(), .find = json_object() };
    plan->where = condition_normal(plan->memory, condition_at(plan->memory, query->where, now_ms));
    plan->having = condition_at(plan->memory, query->having, now_ms);
    push_conditions(plan);
    collect_fields(plan);
    choose_order(plan);
    choose_page(plan);
    if (query->limit == 0 && !query->count_only)
        plan->way = PLAN_NOTHING;
    else if (counts_suffice(plan))
        plan->way = PLAN_COUNTS;
}

void plan_release(struct plan *plan)
{
    json_decref(plan->find);
    query_memory_free(plan->memory);
    *plan = (struct plan){ 0 };
}
