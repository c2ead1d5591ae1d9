/* The normal form of a condition, and conditions as texts. */
#include "common/query/match.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/query/period.h"

/* Into a list of its own: the query's may be in use elsewhere. */
static void take_values(struct query_memory *memory, struct query_condition *into, const struct query_condition *from)
{
    for (size_t i = 0; i < from->value_count; i++) {
        struct query_value *values = query_keep_more(memory, into->values, into->value_count, sizeof *values);

        values[into->value_count++] = from->values[i];
        into->values = values;
    }
}

/* ---- NOT goes inwards ---- */
static struct query_condition *wrapped(struct query_memory *memory, struct query_condition *inner)
{
    struct query_condition *condition = query_keep(memory, sizeof *condition);

    condition->node = QUERY_NOT;
    condition->parts = query_keep(memory, sizeof(void *));
    condition->parts[condition->part_count++] = inner;
    return condition;
}

static struct query_condition *normal_test(struct query_memory *memory, const struct query_condition *test,
                                           bool negated)
{
    static const struct {
        enum query_operator relation, opposite;
    } opposites[] = {
        { QUERY_EQUAL, QUERY_DIFFERENT },
        { QUERY_DIFFERENT, QUERY_EQUAL },
        { QUERY_IN, QUERY_NOT_IN },
        { QUERY_NOT_IN, QUERY_IN },
    };
    struct query_condition *copy = query_keep(memory, sizeof *copy);

    *copy = *test;
    copy->values = NULL;
    copy->value_count = 0;
    take_values(memory, copy, test);
    if (!negated)
        return copy;
    for (size_t i = 0; i < sizeof opposites / sizeof *opposites; i++) {
        if (test->relation == opposites[i].relation) {
            copy->relation = opposites[i].opposite;
            return copy;
        }
    }
    return wrapped(memory, copy); /* of null, both < and >= are false */
}

static void add(struct query_memory *memory, struct query_condition *list, struct query_condition *part)
{
    list->parts = query_keep_more(memory, list->parts, list->part_count, sizeof(void *));
    list->parts[list->part_count++] = part;
}

/* ---- OR of equalities becomes IN ---- */
static bool is_choice(const struct query_condition *part)
{
    return part->node == QUERY_TEST && (part->relation == QUERY_EQUAL || part->relation == QUERY_IN);
}

static void add_choice(struct query_memory *memory, struct query_condition *list, struct query_condition *part)
{
    for (size_t i = 0; is_choice(part) && i < list->part_count; i++) {
        struct query_condition *other = list->parts[i];

        if (is_choice(other) && other->field.index == part->field.index &&
            other->field.of_leader == part->field.of_leader) {
            take_values(memory, other, part);
            other->relation = QUERY_IN;
            return;
        }
    }
    add(memory, list, part);
}

static void add_part(struct query_memory *memory, struct query_condition *list, struct query_condition *part)
{
    if (part->node == list->node) {
        for (size_t i = 0; i < part->part_count; i++)
            add_part(memory, list, part->parts[i]);
    } else if (list->node == QUERY_OR) {
        add_choice(memory, list, part);
    } else {
        add(memory, list, part);
    }
}

static struct query_condition *normal(struct query_memory *memory, const struct query_condition *condition,
                                      bool negated)
{
    struct query_condition *list;

    if (condition->node == QUERY_TEST)
        return normal_test(memory, condition, negated);
    if (condition->node == QUERY_NOT)
        return normal(memory, condition->parts[0], !negated);
    list = query_keep(memory, sizeof *list);
    list->node = (condition->node == QUERY_AND) != negated ? QUERY_AND : QUERY_OR;
    for (size_t i = 0; i < condition->part_count; i++)
        add_part(memory, list, normal(memory, condition->parts[i], negated));
    return list->part_count == 1 ? list->parts[0] : list;
}

struct query_condition *condition_normal(struct query_memory *memory, const struct query_condition *condition)
{
    return condition ? normal(memory, condition, false) : NULL;
}

/* ---- as a text ---- */
void field_write(struct buf *buf, struct query_field field)
{
    buf_printf(buf, "%s%s", field.of_leader ? QUERY_LEADER "." : "", record_fields[field.index].name);
}

void item_write(struct buf *buf, const struct query_item *item)
{
    static const char *const names[] = {
        [QUERY_COUNT] = "COUNT", [QUERY_COUNT_DISTINCT] = "COUNT_DISTINCT",
        [QUERY_MIN] = "MIN",     [QUERY_MAX] = "MAX",
        [QUERY_AVG] = "AVG",     [QUERY_SUM] = "SUM",
    };

    if (item->function != QUERY_FIELD)
        buf_printf(buf, "%s(", names[item->function]);
    field_write(buf, item->field);
    if (item->function != QUERY_FIELD)
        buf_append_char(buf, ')');
}

char *item_text(char text[QUERY_ITEM_TEXT_SIZE], const struct query_item *item)
{
    struct buf buf;

    buf_init(&buf, QUERY_ITEM_TEXT_SIZE);
    item_write(&buf, item);
    text_copy(text, QUERY_ITEM_TEXT_SIZE, buf.data, buf.size);
    buf_release(&buf);
    return text;
}

static void write_text(struct buf *buf, const struct query_value *value, bool pattern)
{
    buf_append_char(buf, '\'');
    for (size_t i = 0; i < value->size; i++) {
        char c = value->text[i];

        if (pattern && c == '\\' && i + 1 < value->size) { /* an escape of the pattern stays one */
            buf_append(buf, value->text + i, 2);
            i++;
        } else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
            buf_printf(buf, "\\%c", "btn_fr"[c - '\b']);
        } else {
            if (c == '\'' || c == '\\')
                buf_append_char(buf, '\\');
            buf_append_char(buf, c);
        }
    }
    buf_append_char(buf, '\'');
}

static void write_value(struct buf *buf, const struct query_condition *test, const struct query_value *value)
{
    char time[CLOCK_TEXT_SIZE];
    const struct query_item item = condition_item(test);

    if (value->kind == QUERY_NULL)
        buf_append_string(buf, "null");
    else if (value->kind == QUERY_PERIOD)
        period_write(buf, value);
    else if (value->kind == QUERY_DECIMAL)
        buf_printf(buf, "%.15g", value->decimal);
    else if (value->kind == QUERY_TEXT)
        write_text(buf, value, test->relation == QUERY_LIKE);
    else if (query_item_type(&item) == FIELD_DATETIME)
        buf_append_string(buf, clock_format(time, value->number, "Z"));
    else if (query_item_type(&item) == FIELD_BOOLEAN)
        buf_append_string(buf, value->number ? "true" : "false");
    else
        buf_printf(buf, "%" PRId64, value->number);
}

static void write_test(struct buf *buf, const struct query_condition *test)
{
    static const char *const operators[] = {
        [QUERY_EQUAL] = "=",    [QUERY_DIFFERENT] = "!=", [QUERY_LESS] = "<",
        [QUERY_AT_MOST] = "<=", [QUERY_GREATER] = ">",    [QUERY_AT_LEAST] = ">=",
        [QUERY_LIKE] = "LIKE",  [QUERY_IN] = "IN",        [QUERY_NOT_IN] = "NOT IN",
    };
    bool list = test->relation == QUERY_IN || test->relation == QUERY_NOT_IN;

    const struct query_item item = condition_item(test);

    item_write(buf, &item);
    buf_printf(buf, " %s %s", operators[test->relation], list ? "(" : "");
    for (size_t i = 0; i < test->value_count; i++) {
        if (i > 0)
            buf_append_string(buf, ", ");
        write_value(buf, test, &test->values[i]);
    }
    if (list)
        buf_append_char(buf, ')');
}

static void write_part(struct buf *buf, const struct query_condition *part)
{
    bool list = part->node == QUERY_AND || part->node == QUERY_OR;

    if (list)
        buf_append_char(buf, '(');
    condition_write(buf, part);
    if (list)
        buf_append_char(buf, ')');
}

void condition_write(struct buf *buf, const struct query_condition *condition)
{
    if (condition->node == QUERY_TEST) {
        write_test(buf, condition);
        return;
    }
    if (condition->node == QUERY_NOT)
        buf_append_string(buf, "NOT ");
    for (size_t i = 0; i < condition->part_count; i++) {
        if (i > 0)
            buf_append_string(buf, condition->node == QUERY_AND ? " AND " : " OR ");
        write_part(buf, condition->parts[i]);
    }
}
