/* Groups are found by a text made of their values; what was seen of each is a few numbers and values. */
#include "common/query/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

struct tally {
    int64_t count, sum;
    json_t *best; /* of MIN and MAX */
};
struct group {
    json_t **values; /* of the grouped fields, as the first row had them */
    struct tally tallies[];
};

static bool item_same(const struct query_item *a, const struct query_item *b)
{
    return a->function == b->function && a->field.index == b->field.index && a->field.of_leader == b->field.of_leader;
}

static void add_tally(struct groups *groups, const struct query_item *item)
{
    if (item->function == QUERY_FIELD)
        return;
    for (size_t i = 0; i < groups->tally_count; i++) {
        if (item_same(groups->tallies[i], item))
            return;
    }
    groups->tallies[groups->tally_count++] = item;
}

static struct group *group_new(struct groups *groups, const json_t *row)
{
    const struct query *query = groups->query;
    struct group *group = xcalloc(1, sizeof *group + groups->tally_count * sizeof *group->tallies);

    group->values = xcalloc(query->group_count + 1, sizeof *group->values);
    for (size_t i = 0; i < query->group_count; i++) {
        const json_t *value = row_json(row, query->groups[i]);

        group->values[i] = value ? json_incref((json_t *)(uintptr_t)value) : json_null();
    }
    GROW(groups->groups, groups->count, groups->capacity);
    groups->groups[groups->count++] = group;
    return group;
}

static void count_test(void *arg, const struct query_condition *test)
{
    (void)test;
    ++*(size_t *)arg;
}

static void add_test(void *arg, const struct query_condition *test)
{
    if (test->aggregate)
        add_tally(arg, test->aggregate);
}

void groups_start(struct groups *groups, const struct plan *plan, int64_t held_max, struct err *err)
{
    const struct query *query = plan->query;
    size_t most = query->item_count + query->order_count + 1;

    *groups = (struct groups){ .query = query,
                               .having = plan->having,
                               .held_max = held_max,
                               .err = err,
                               .index = json_object(),
                               .distinct = json_object() };
    condition_tests(plan->having, count_test, &most);
    groups->tallies = xcalloc(most, sizeof *groups->tallies);
    condition_tests(plan->having, add_test, groups);
    for (size_t i = 0; i < query->item_count; i++)
        add_tally(groups, &query->items[i]);
    for (size_t i = 0; i < query->order_count; i++)
        add_tally(groups, &query->orders[i].item);
    groups->order_count = query->order_count ? query->order_count : query->group_count;
    groups->orders = xcalloc(groups->order_count + 1, sizeof *groups->orders);
    for (size_t i = 0; i < groups->order_count; i++) {
        groups->orders[i] = query->order_count
                                ? query->orders[i]
                                : (struct query_order){ .item.field = query->groups[i], .nulls_first = true };
    }
    if (query->group_count == 0)
        group_new(groups, NULL); /* one row, also of nothing */
}

static void group_free(const struct groups *groups, struct group *group)
{
    for (size_t i = 0; i < groups->query->group_count; i++)
        json_decref(group->values[i]);
    for (size_t i = 0; i < groups->tally_count; i++)
        json_decref(group->tallies[i].best);
    free(group->values);
    free(group);
}

void groups_release(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        group_free(groups, groups->groups[i]);
    free(groups->groups);
    free(groups->tallies);
    free(groups->orders);
    json_decref(groups->index);
    json_decref(groups->distinct);
}

/* ---- adding a row ---- */
/* What values are equal by: texts without the case of ASCII letters, Ids as they are. */
static void write_key(struct buf *key, const struct query_value *value, enum field_type type)
{
    bool exact = type == FIELD_ID || type == FIELD_REFERENCE;

    if (value->kind == QUERY_NUMBER)
        buf_printf(key, "%" PRId64, value->number);
    if (value->kind == QUERY_TEXT)
        buf_printf(key, "%zu:", value->size);
    for (size_t i = 0; value->kind == QUERY_TEXT && i < value->size; i++)
        buf_append_char(key, exact ? value->text[i] : fold(value->text[i]));
    buf_append_char(key, value->kind == QUERY_NULL ? '-' : ';');
}

static enum status too_many(const struct groups *groups, const char *what)
{
    return err_set(groups->err, ST_INVALID,
                   "MALFORMED_QUERY more than %" PRId64 " %s are more than is allowed at once: give conditions that "
                   "leave fewer",
                   groups->held_max, what);
}

static enum status find_group(struct groups *groups, const json_t *row, size_t *number)
{
    const struct query *query = groups->query;
    enum status st = ST_OK;
    const json_t *known;
    struct buf key;

    *number = 0;
    if (query->group_count == 0)
        return ST_OK;
    buf_init(&key, SIZE_MAX);
    for (size_t i = 0; i < query->group_count; i++) {
        struct query_value value = row_value(row, query->groups[i]);

        write_key(&key, &value, record_fields[query->groups[i].index].type);
    }
    known = json_object_get(groups->index, key.data);
    if (known) {
        *number = (size_t)json_integer_value(known);
    } else if ((int64_t)groups->count >= groups->held_max) {
        st = too_many(groups, "groups");
    } else {
        *number = groups->count;
        json_object_set_new(groups->index, key.data, json_integer((json_int_t)groups->count));
        group_new(groups, row);
    }
    buf_release(&key);
    return st;
}

static enum status count_distinct(struct groups *groups, size_t group, size_t tally, const struct query_value *value,
                                  enum field_type type)
{
    enum status st = ST_OK;
    struct buf key;

    buf_init(&key, SIZE_MAX);
    buf_printf(&key, "%zu,%zu,", group, tally);
    write_key(&key, value, type);
    if (json_object_get(groups->distinct, key.data) == NULL) {
        if ((int64_t)json_object_size(groups->distinct) >= groups->held_max)
            st = too_many(groups, "distinct values");
        else
            groups->groups[group]->tallies[tally].count++;
        json_object_set_new(groups->distinct, key.data, json_true());
    }
    buf_release(&key);
    return st;
}

static void keep_best(struct tally *tally, const struct query_item *item, const json_t *json)
{
    enum field_type type = record_fields[item->field.index].type;
    struct query_value value = json_value(json, type), best = json_value(tally->best, type);
    int order = tally->best ? value_compare(&value, &best, type) : 0;

    if (tally->best && (item->function == QUERY_MIN ? order >= 0 : order <= 0))
        return;
    json_decref(tally->best);
    tally->best = json_incref((json_t *)(uintptr_t)json);
}

static enum status add_value(struct groups *groups, size_t group, size_t index, const json_t *row, int64_t weight)
{
    const struct query_item *item = groups->tallies[index];
    const struct record_field *field = &record_fields[item->field.index];
    struct tally *tally = &groups->groups[group]->tallies[index];
    struct query_value value = row_value(row, item->field);
    bool never_null = !item->field.of_leader && !(field->properties & FIELD_N);

    if (item->function == QUERY_COUNT && (never_null || value.kind != QUERY_NULL))
        tally->count += weight;
    if (item->function == QUERY_COUNT || value.kind == QUERY_NULL)
        return ST_OK;
    if (item->function == QUERY_COUNT_DISTINCT)
        return count_distinct(groups, group, index, &value, field->type);
    if (item->function == QUERY_MIN || item->function == QUERY_MAX) {
        keep_best(tally, item, row_json(row, item->field));
        return ST_OK;
    }
    tally->count += weight;
    tally->sum += weight * value.number;
    return ST_OK;
}

enum status groups_add(struct groups *groups, const json_t *row, int64_t weight)
{
    size_t group;
    enum status st = find_group(groups, row, &group);

    for (size_t i = 0; i < groups->tally_count && st == ST_OK; i++)
        st = add_value(groups, group, i, row, weight);
    return st;
}

/* ---- the end ---- */
static json_t *tally_json(const struct tally *tally, enum query_function function)
{
    if (function == QUERY_COUNT || function == QUERY_COUNT_DISTINCT)
        return json_integer(tally->count);
    if (function == QUERY_MIN || function == QUERY_MAX)
        return tally->best ? json_incref(tally->best) : json_null();
    if (tally->count == 0)
        return json_null();
    return function == QUERY_SUM ? json_integer(tally->sum) : json_real((double)tally->sum / (double)tally->count);
}

static json_t *item_json(const struct groups *groups, const struct group *group, const struct query_item *item)
{
    const struct query *query = groups->query;

    for (size_t i = 0; item->function == QUERY_FIELD && i < query->group_count; i++) {
        if (query->groups[i].index == item->field.index && query->groups[i].of_leader == item->field.of_leader)
            return json_incref(group->values[i]);
    }
    for (size_t i = 0; i < groups->tally_count; i++) {
        if (item_same(groups->tallies[i], item))
            return tally_json(&group->tallies[i], item->function);
    }
    return json_null();
}

int64_t groups_count(const struct groups *groups)
{
    return groups->groups[0]->tallies[0].count;
}

struct judged {
    const struct groups *groups;
    const struct group *group;
    json_t *values; /* what was compared, kept while it is */
};

static struct query_value value_of_group(void *arg, const struct query_condition *test)
{
    struct judged *judged = arg;
    const struct query_item item = condition_item(test);
    json_t *value = item_json(judged->groups, judged->group, &item);

    json_array_append_new(judged->values, value);
    return json_value(value, query_item_type(&item));
}

static bool is_left(const struct groups *groups, const struct group *group)
{
    struct judged judged = { .groups = groups, .group = group, .values = json_array() };
    bool left = condition_holds(groups->having, value_of_group, &judged);

    json_decref(judged.values);
    return left;
}

enum status groups_sort(const struct groups *groups, struct sort *sort)
{
    const struct query *query = groups->query;
    enum status st = ST_OK;

    sort->orders = groups->orders;
    sort->order_count = groups->order_count;
    for (size_t g = 0; g < groups->count && st == ST_OK; g++) {
        json_t *row, *values;

        if (!is_left(groups, groups->groups[g]))
            continue;
        row = json_object();
        values = json_array();
        for (size_t i = 0; i < query->item_count; i++)
            json_object_set_new(row, query->items[i].name, item_json(groups, groups->groups[g], &query->items[i]));
        for (size_t i = 0; i < groups->order_count; i++)
            json_array_append_new(values, item_json(groups, groups->groups[g], &groups->orders[i].item));
        st = sort_add(sort, row, values);
    }
    return st;
}
