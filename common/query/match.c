/* Two truth values: a comparison with null is false, and NOT turns that around (as SOQL answers it). */
#include "common/query/match.h"

#include <string.h>

#include "common/base/clock.h"

char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- values ---- */
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
    size_t length = 1;

    while (length < size && ((unsigned char)text[length] & 0xc0) == 0x80)
        length++;
    return length;
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

static bool test_matches(const struct query_condition *test, const json_t *row)
{
    struct query_value value = row_value(row, test->field);
    const struct query_value *wanted = test->values;
    enum field_type type = record_fields[test->field.index].type;
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

bool condition_matches(const struct query_condition *condition, const json_t *row)
{
    if (!condition)
        return true;
    if (condition->node == QUERY_TEST)
        return test_matches(condition, row);
    if (condition->node == QUERY_NOT)
        return !condition_matches(condition->parts[0], row);
    for (size_t i = 0; i < condition->part_count; i++) {
        if (condition_matches(condition->parts[i], row) == (condition->node == QUERY_OR))
            return condition->node == QUERY_OR;
    }
    return condition->node == QUERY_AND;
}

void condition_fields(const struct query_condition *condition, void (*see)(void *arg, struct query_field field),
                      void *arg)
{
    if (!condition)
        return;
    if (condition->node == QUERY_TEST)
        see(arg, condition->field);
    for (size_t i = 0; i < condition->part_count; i++)
        condition_fields(condition->parts[i], see, arg);
}
