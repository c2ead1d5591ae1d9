/* Which parts of the condition bgop_find answers as they are meant here: it compares texts byte by byte, but LIKE
 * without the case of ASCII letters; so `=` of a text goes down as a pattern without wildcards. Statuses have one
 * spelling, which is known. */
#include "common/query/plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum field_type type_of(struct query_field field)
{
    return record_fields[field.index].type;
}

static bool same_field(struct query_field a, struct query_field b)
{
    return a.index == b.index && a.of_leader == b.of_leader;
}

void field_set_add(struct field_set *set, struct query_field field)
{
    for (size_t i = 0; i < set->count; i++) {
        if (same_field(set->fields[i], field))
            return;
    }
    set->fields[set->count++] = field;
}

/* ---- spellings ---- */
static bool is_letter(char c)
{
    return fold(c) >= 'a' && fold(c) <= 'z';
}

size_t spelling_count(const char *text, size_t size)
{
    size_t count = 1;

    for (size_t i = 0; i < size && count != SIZE_MAX; i++) {
        if (is_letter(text[i]))
            count = count > PLAN_SPELLINGS_MAX ? SIZE_MAX : 2 * count;
    }
    return count;
}

void spelling_write(char *to, const char *text, size_t size, size_t number)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = fold(text[i]);
        if (!is_letter(text[i]))
            continue;
        if (number & 1)
            to[i] = (char)(to[i] - 'a' + 'A');
        number >>= 1;
    }
    to[size] = '\0';
}

/* ---- one comparison as bgop_find takes it ---- */
static const char *const symbols[] = {
    [QUERY_EQUAL] = "=", [QUERY_DIFFERENT] = "!=", [QUERY_LESS] = "<", [QUERY_AT_MOST] = "<=",
    [QUERY_GREATER] = ">", [QUERY_AT_LEAST] = ">=", [QUERY_LIKE] = "like", [QUERY_IN] = "in",
};

static json_t *condition_json(const char *field, const char *operator, json_t *value)
{
    return json_pack("[s,s,o]", field, operator, value);
}

/* A pattern that only this text meets. */
static json_t *text_pattern(const struct query_value *value)
{
    char *pattern = malloc(2 * value->size + 1), *to = pattern;
    json_t *json;

    for (size_t i = 0; pattern && i < value->size; i++) {
        if (strchr("%_\\", value->text[i]))
            *to++ = '\\';
        *to++ = value->text[i];
    }
    json = pattern ? json_stringn(pattern, (size_t)(to - pattern)) : NULL;
    free(pattern);
    return json;
}

static const char *status_spelled(const struct query_value *value)
{
    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        if (strcasecmp(record_statuses[i].name, value->text) == 0)
            return record_statuses[i].name;
    }
    return value->text;
}

/* The value in the one form it has in records, or NULL when it may have several. */
static json_t *exact_value(struct query_field field, const struct query_value *value)
{
    if (value->kind == QUERY_NUMBER)
        return type_of(field) == FIELD_BOOLEAN ? json_boolean(value->number != 0) : json_integer(value->number);
    if (type_of(field) == FIELD_ID || type_of(field) == FIELD_REFERENCE)
        return json_string(value->text);
    if (field.index == FIELD_INDEX_STATUS)
        return json_string(status_spelled(value));
    return spelling_count(value->text, value->size) == 1 ? json_string(value->text) : NULL;
}

static json_t *pushed_list(const struct query_condition *test)
{
    json_t *list = json_array(), *value;

    for (size_t i = 0; i < test->value_count && test->value_count <= PLAN_VALUES_MAX; i++) {
        value = test->values[i].kind == QUERY_NULL ? NULL : exact_value(test->field, &test->values[i]);
        if (!value)
            break;
        json_array_append_new(list, value);
    }
    if (json_array_size(list) == test->value_count)
        return condition_json(record_fields[test->field.index].name, "in", list);
    json_decref(list);
    return NULL;
}

static json_t *pushed_value(const struct query_condition *test, const struct query_value *wanted,
                            enum query_operator operator)
{
    const char *field = record_fields[test->field.index].name;
    bool order = operator >= QUERY_LESS && operator <= QUERY_AT_LEAST;
    json_t *value;

    if (wanted->kind == QUERY_NULL)
        return order ? NULL : condition_json(field, symbols[operator], json_null());
    if (operator == QUERY_LIKE)
        return condition_json(field, "like", json_stringn(wanted->text, wanted->size));
    if (order && (type_of(test->field) == FIELD_STRING || type_of(test->field) == FIELD_PICKLIST))
        return NULL;
    value = exact_value(test->field, wanted);
    if (value)
        return condition_json(field, symbols[operator], value);
    return operator == QUERY_EQUAL ? condition_json(field, "like", text_pattern(wanted)) : NULL;
}

/* A list of conditions of bgop_find that mean the same; NULL: it can not be asked for this. */
static json_t *pushed(const struct query_condition *test)
{
    bool several = test->operator == QUERY_NOT_IN;      /* differs from each */
    json_t *list, *condition;

    if (test->node != QUERY_TEST || test->field.of_leader || (several && test->value_count > PLAN_CONDITIONS_MAX / 2))
        return NULL;
    list = json_array();
    for (size_t i = 0; i < (several ? test->value_count : 1); i++) {
        condition = test->operator == QUERY_IN
                        ? pushed_list(test)
                        : pushed_value(test, &test->values[i], several ? QUERY_DIFFERENT : test->operator);
        if (!condition) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, condition);
    }
    return list;
}

/* ---- the whole condition ---- */
static bool is_choice_of(const struct query_condition *part, enum field_index index)
{
    if (part->node != QUERY_TEST || part->field.index != index || part->field.of_leader ||
        (part->operator != QUERY_EQUAL && part->operator != QUERY_IN))
        return false;
    for (size_t i = 0; i < part->value_count; i++) {
        if (part->values[i].kind == QUERY_NULL)
            return false;
    }
    return true;
}

static bool has_few_spellings(const struct query_condition *part)
{
    size_t count = 0;

    for (size_t i = 0; i < part->value_count && count <= PLAN_SPELLINGS_MAX; i++) {
        size_t more = spelling_count(part->values[i].text, part->values[i].size);

        count = more > PLAN_SPELLINGS_MAX ? more : count + more;
    }
    return count <= PLAN_SPELLINGS_MAX;
}

/* Ids lead to few records, a Name too, a ParentKey perhaps: of these the first that is asked for makes the runs. */
static void choose_runs(struct plan *plan, struct query_condition *const *parts, size_t count)
{
    for (size_t i = 0; i < count && !plan->ids; i++)
        plan->ids = is_choice_of(parts[i], FIELD_INDEX_ID) ? parts[i] : NULL;
    for (size_t i = 0; i < count && !plan->ids && !plan->spelled; i++)
        plan->spelled = is_choice_of(parts[i], FIELD_INDEX_NAME) && has_few_spellings(parts[i]) ? parts[i] : NULL;
    for (size_t i = 0; i < count && !plan->ids && !plan->spelled; i++)
        plan->spelled = is_choice_of(parts[i], FIELD_INDEX_PARENT_KEY) && has_few_spellings(parts[i]) ? parts[i] : NULL;
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

/* True only of what has a leader: so records without one need not come here. */
static bool needs_leader(const struct query_condition *part)
{
    bool null_wanted = false;

    if (part->node != QUERY_TEST || !part->field.of_leader || part->operator == QUERY_NOT_IN)
        return false;
    for (size_t i = 0; i < part->value_count; i++)
        null_wanted = null_wanted || part->values[i].kind == QUERY_NULL;
    return part->operator == QUERY_DIFFERENT ? null_wanted : !null_wanted;
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

        if (parts[i] == plan->ids || parts[i] == plan->spelled)
            continue;
        conditions = needs_leader(parts[i]) ? json_pack("[[s,s,n]]", "GroupLeaderId", "!=") : pushed(parts[i]);
        if (conditions && json_array_size(where) + json_array_size(conditions) < PLAN_CONDITIONS_MAX &&
            bytes + json_size(conditions) < PLAN_FIND_BYTES_MAX) {
            bytes += json_size(conditions);
            json_array_extend(where, conditions);
        } else {
            json_decref(conditions);
            conditions = NULL;
        }
        if (!conditions || needs_leader(parts[i]))
            keep_here(plan, parts[i]);
        json_decref(conditions);
    }
    json_object_set_new(plan->find, "where", where);
}

/* ---- what is looked at ---- */
struct seen { struct plan *plan; struct field_set own; };

static void see_early(void *arg, struct query_field field)
{
    struct seen *seen = arg;

    field_set_add(field.of_leader ? &seen->plan->leader_fields : &seen->own, field);
    seen->plan->leaders_early = seen->plan->leaders_early || field.of_leader;
}

static void see_fields(struct plan *plan)
{
    const struct query *query = plan->query;
    struct seen seen = { .plan = plan };
    json_t *fields = json_array();
    bool early;

    condition_fields(plan->rest, see_early, &seen);
    for (size_t i = 0; i < query->group_count; i++)
        see_early(&seen, query->groups[i]);
    for (size_t i = 0; i < query->order_count; i++)
        see_early(&seen, query->orders[i].item.field);
    early = plan->leaders_early;
    for (size_t i = 0; i < query->item_count; i++)
        see_early(&seen, query->items[i].field);
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

static void choose_order(struct plan *plan)
{
    const struct query *query = plan->query;

    plan->by_submission = !query->aggregate && query->order_count > 0 && is_submission(&query->orders[0].item);
    plan->only_by_submission = plan->by_submission && query->order_count == 1;
    json_object_set_new(plan->find, "order", json_string(plan->by_submission && !query->orders[0].descending
                                                             ? "SubmittedAt" : "-SubmittedAt"));
}

static void choose_page(struct plan *plan)
{
    const struct query *query = plan->query;
    int64_t wanted = PLAN_PAGE_ROWS;
    bool as_they_come = !query->aggregate && (query->order_count == 0 || plan->only_by_submission);

    if (as_they_come && !plan->rest && query->limit > 0 && query->limit < PLAN_PAGE_ROWS &&
        query->limit + query->offset < PLAN_PAGE_ROWS)
        wanted = query->limit + query->offset;
    json_object_set_new(plan->find, "limit", json_integer(wanted));
}

/* ---- counts instead of records ---- */
static bool is_counted(struct query_field field)
{
    return !field.of_leader && (field.index == FIELD_INDEX_TYPE || field.index == FIELD_INDEX_STATUS);
}

static void see_counted(void *arg, struct query_field field)
{
    bool *counted = arg;

    *counted = *counted && is_counted(field);
}

/* bgop_stats knows how many records there are of each Type in each Status: changed in the same step as the records,
 * so as true as they are. It answers what looks at nothing else. */
static bool counts_suffice(const struct plan *plan)
{
    const struct query *query = plan->query;
    bool counted = query->aggregate;

    condition_fields(plan->where, see_counted, &counted);
    for (size_t i = 0; i < query->group_count; i++)
        see_counted(&counted, query->groups[i]);
    for (size_t i = 0; i < query->item_count + query->order_count; i++) {
        const struct query_item *item =
            i < query->item_count ? &query->items[i] : &query->orders[i - query->item_count].item;
        bool never_null = !item->field.of_leader && !(record_fields[item->field.index].properties & FIELD_N);

        counted = counted && (is_counted(item->field) || (item->function == QUERY_COUNT && never_null));
    }
    return counted;
}

void plan_make(struct plan *plan, const struct query *query)
{
    *plan = (struct plan){ .query = query, .memory = query_memory_new(), .find = json_object() };
    plan->where = condition_normal(plan->memory, query->where);
    push_conditions(plan);
    see_fields(plan);
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
