/* Two truth values: a comparison with null is false, and NOT turns that around (as SOQL answers it). */
#include "common/query/match.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"

char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- values ---- */
enum field_type query_item_type(const struct query_item *item)
{
    bool number = item->function != QUERY_FIELD && item->function != QUERY_MIN && item->function != QUERY_MAX;

    return number ? FIELD_INT : record_fields[item->field.index].type;
}

struct query_value json_value(const json_t *json, enum field_type type)
{
    struct query_value value = { .kind = QUERY_NULL };

    if (json_is_integer(json)) {
        value = (struct query_value){ .kind = QUERY_NUMBER, .number = json_integer_value(json) };
    } else if (json_is_boolean(json)) {
        value = (struct query_value){ .kind = QUERY_NUMBER, .number = json_is_true(json) };
    } else if (json_is_real(json)) {
        value = (struct query_value){ .kind = QUERY_DECIMAL, .decimal = json_real_value(json) };
    } else if (json_is_string(json) && type == FIELD_DATETIME) {
        if (clock_parse(json_string_value(json), &value.number))
            value.kind = QUERY_NUMBER;
    } else if (json_is_string(json)) {
        value = (struct query_value){ .kind = QUERY_TEXT,
                                      .text = json_string_value(json),
                                      .size = json_string_length(json) };
    }
    return value;
}

const json_t *row_json(const json_t *row, struct query_field field)
{
    const json_t *of = field.of_leader ? json_object_get(row, QUERY_LEADER) : row;

    return json_object_get(of, record_fields[field.index].name);
}

struct query_value row_value(const json_t *row, struct query_field field)
{
    return json_value(row_json(row, field), record_fields[field.index].type);
}

static int compare_texts(const struct query_value *a, const struct query_value *b, bool exact)
{
    size_t size = a->size < b->size ? a->size : b->size;

    for (size_t i = 0; i < size; i++) {
        unsigned char x = (unsigned char)(exact ? a->text[i] : fold(a->text[i]));
        unsigned char y = (unsigned char)(exact ? b->text[i] : fold(b->text[i]));

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a->size > b->size) - (a->size < b->size);
}

static double as_decimal(const struct query_value *value)
{
    return value->kind == QUERY_DECIMAL ? value->decimal : (double)value->number;
}

int value_compare(const struct query_value *a, const struct query_value *b, enum field_type type)
{
    if (a->kind == QUERY_NULL || b->kind == QUERY_NULL)
        return (a->kind != QUERY_NULL) - (b->kind != QUERY_NULL);
    if (a->kind == QUERY_TEXT && b->kind == QUERY_TEXT)
        return compare_texts(a, b, type == FIELD_ID || type == FIELD_REFERENCE);
    if (a->kind == QUERY_DECIMAL || b->kind == QUERY_DECIMAL)
        return (as_decimal(a) > as_decimal(b)) - (as_decimal(a) < as_decimal(b));
    return (a->number > b->number) - (a->number < b->number);
}

/* ---- LIKE ---- */
static size_t character_size(const char *text, size_t size)
{
    size_t length = text_utf8_cut(text, size, 1);

    return length > 0 ? length : 1;
}

struct piece {
    const char *text;
    size_t size, taken;
    bool any, one;
}; /* of a pattern: %, _ or a character */

static struct piece piece_at(const char *pattern, size_t size)
{
    struct piece piece = { .text = pattern };

    if (*pattern == '%' || *pattern == '_') {
        piece.any = *pattern == '%';
        piece.one = !piece.any;
        piece.taken = 1;
        return piece;
    }
    piece.taken = *pattern == '\\' && size > 1;
    piece.text += piece.taken;
    piece.size = character_size(piece.text, size - piece.taken);
    piece.taken += piece.size;
    return piece;
}

static bool same_character(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (fold(a[i]) != fold(b[i]))
            return false;
    }
    return true;
}

/* Goes back to the last % only: time is bounded by the product of the sizes, at worst. */
bool text_like(const char *text, size_t size, const char *pattern, size_t pattern_size)
{
    size_t t = 0, p = 0, back_t = 0, back_p = 0;
    bool back = false;

    while (t < size) {
        struct piece piece = p < pattern_size ? piece_at(pattern + p, pattern_size - p) : (struct piece){ 0 };
        size_t length = character_size(text + t, size - t);

        if (piece.any) {
            p += piece.taken;
            back = true;
            back_t = t;
            back_p = p;
        } else if (piece.taken &&
                   (piece.one || (piece.size == length && same_character(text + t, piece.text, length)))) {
            t += length;
            p += piece.taken;
        } else if (back) {
            back_t += character_size(text + back_t, size - back_t);
            t = back_t;
            p = back_p;
        } else {
            return false;
        }
    }
    while (p < pattern_size && pattern[p] == '%')
        p++;
    return p == pattern_size;
}

/* ---- conditions ---- */
static bool is_in(const struct query_condition *test, const struct query_value *value, enum field_type type)
{
    for (size_t i = 0; i < test->value_count; i++) {
        if (value_compare(value, &test->values[i], type) == 0)
            return true;
    }
    return false;
}

struct query_item condition_item(const struct query_condition *test)
{
    return test->aggregate ? *test->aggregate : (struct query_item){ .field = test->field };
}

static bool test_holds(const struct query_condition *test, struct query_value value)
{
    const struct query_value *wanted = test->values;
    const struct query_item item = condition_item(test);
    enum field_type type = query_item_type(&item);
    int order = value_compare(&value, wanted, type);

    switch (test->relation) {
    case QUERY_EQUAL: return order == 0;
    case QUERY_DIFFERENT: return order != 0;
    case QUERY_IN: return is_in(test, &value, type);
    case QUERY_NOT_IN: return !is_in(test, &value, type);
    default: break;
    }
    if (value.kind == QUERY_NULL || wanted->kind == QUERY_NULL)
        return false;
    switch (test->relation) {
    case QUERY_LESS: return order < 0;
    case QUERY_AT_MOST: return order <= 0;
    case QUERY_GREATER: return order > 0;
    case QUERY_AT_LEAST: return order >= 0;
    default: return text_like(value.text, value.size, wanted->text, wanted->size);
    }
}

bool condition_holds(const struct query_condition *condition, condition_value *value_of, void *arg)
{
    if (!condition)
        return true;
    if (condition->node == QUERY_TEST)
        return test_holds(condition, value_of(arg, condition));
    if (condition->node == QUERY_NOT)
        return !condition_holds(condition->parts[0], value_of, arg);
    for (size_t i = 0; i < condition->part_count; i++) {
        if (condition_holds(condition->parts[i], value_of, arg) == (condition->node == QUERY_OR))
            return condition->node == QUERY_OR;
    }
    return condition->node == QUERY_AND;
}

static struct query_value value_of_row(void *row, const struct query_condition *test)
{
    return row_value(row, test->field);
}

bool condition_matches(const struct query_condition *condition, const json_t *row)
{
    return condition_holds(condition, value_of_row, (json_t *)(uintptr_t)row);
}

void condition_tests(const struct query_condition *condition,
                     void (*visit)(void *arg, const struct query_condition *test), void *arg)
{
    if (!condition)
        return;
    if (condition->node == QUERY_TEST)
        visit(arg, condition);
    for (size_t i = 0; i < condition->part_count; i++)
        condition_tests(condition->parts[i], visit, arg);
}
