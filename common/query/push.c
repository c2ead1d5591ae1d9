/* Single comparisons as bgop_find takes them. It compares texts byte by byte, but LIKE without the case of ASCII
 * letters: so `=` of a text goes down as a pattern without wildcards. Statuses have one spelling, which is known. */
#include "common/query/plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum field_type type_of(struct query_field field)
{
    return record_fields[field.index].type;
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
            count = count > PLAN_PARENT_KEYS_MAX ? SIZE_MAX : 2 * count;
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
    [QUERY_EQUAL] = "=",   [QUERY_DIFFERENT] = "!=", [QUERY_LESS] = "<",    [QUERY_AT_MOST] = "<=",
    [QUERY_GREATER] = ">", [QUERY_AT_LEAST] = ">=",  [QUERY_LIKE] = "like", [QUERY_IN] = "in",
};

static json_t *condition_json(const char *field, const char *relation, json_t *value)
{
    return json_pack("[s,s,o]", field, relation, value);
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
                            enum query_operator relation)
{
    const char *field = record_fields[test->field.index].name;
    bool order = relation >= QUERY_LESS && relation <= QUERY_AT_LEAST;
    json_t *value;

    if (wanted->kind == QUERY_NULL)
        return order ? NULL : condition_json(field, symbols[relation], json_null());
    if (relation == QUERY_LIKE)
        return condition_json(field, "like", json_stringn(wanted->text, wanted->size));
    if (order && (type_of(test->field) == FIELD_STRING || type_of(test->field) == FIELD_PICKLIST))
        return NULL;
    value = exact_value(test->field, wanted);
    if (value)
        return condition_json(field, symbols[relation], value);
    return relation == QUERY_EQUAL ? condition_json(field, "like", text_pattern(wanted)) : NULL;
}

/* A list of conditions of bgop_find that mean the same; NULL: it can not be asked for this. */
static json_t *pushed(const struct query_condition *test)
{
    bool several = test->relation == QUERY_NOT_IN; /* differs from each */
    json_t *list, *condition;

    if (test->node != QUERY_TEST || test->field.of_leader || (several && test->value_count > PLAN_CONDITIONS_MAX / 2))
        return NULL;
    list = json_array();
    for (size_t i = 0; i < (several ? test->value_count : 1); i++) {
        condition = test->relation == QUERY_IN
                        ? pushed_list(test)
                        : pushed_value(test, &test->values[i], several ? QUERY_DIFFERENT : test->relation);
        if (!condition) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, condition);
    }
    return list;
}

/* True only of what has a leader: so records without one need not come here. */
static bool needs_leader(const struct query_condition *part)
{
    bool null_wanted = false;

    if (part->node != QUERY_TEST || !part->field.of_leader || part->relation == QUERY_NOT_IN)
        return false;
    for (size_t i = 0; i < part->value_count; i++)
        null_wanted = null_wanted || part->values[i].kind == QUERY_NULL;
    return part->relation == QUERY_DIFFERENT ? null_wanted : !null_wanted;
}

json_t *condition_push(const struct query_condition *part, bool *exact)
{
    json_t *conditions = pushed(part);

    *exact = conditions;
    if (!conditions)
        conditions = needs_leader(part) ? json_pack("[[s,s,n]]", "GroupLeaderId", "!=") : json_array();
    return conditions;
}
