/* WHERE: OR binds less than AND, AND less than NOT. */
#include "common/query/parser.h"

#include <string.h>

#include "common/query/match.h"

static const struct {
    const char *symbol;
    enum query_operator relation;
} operators[] = {
    { "=", QUERY_EQUAL },     { "!=", QUERY_DIFFERENT }, { "<>", QUERY_DIFFERENT },
    { "<", QUERY_LESS },      { "<=", QUERY_AT_MOST },   { ">", QUERY_GREATER },
    { ">=", QUERY_AT_LEAST }, { "LIKE", QUERY_LIKE },    { "IN", QUERY_IN },
};

static struct query_condition *condition_new(struct parser *parser, enum query_node node)
{
    struct query_condition *condition = query_keep(parser->memory, sizeof *condition);

    condition->node = node;
    return condition;
}

static void condition_add(struct parser *parser, struct query_condition *condition, struct query_condition *part)
{
    condition->parts = query_keep_more(parser->memory, condition->parts, condition->part_count, sizeof(void *));
    condition->parts[condition->part_count++] = part;
}

/* ---- one comparison ---- */
static bool read_operator(struct parser *parser, enum query_operator *relation)
{
    char got[80];

    if (refuse_word(parser, &parser->token, REFUSED_OPERATOR))
        return false;
    if (parser_take(parser, "NOT")) {
        if (token_is(&parser->token, "LIKE")) {
            return parser_fail(parser, NULL, "MALFORMED_QUERY",
                               "NOT stands in front of the field: NOT Name LIKE 'x%%'");
        }
        *relation = QUERY_NOT_IN;
        return parser_need(parser, "IN");
    }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (parser_take(parser, operators[i].symbol)) {
            *relation = operators[i].relation;
            return true;
        }
    }
    return !refuse_token(parser) &&
           parser_fail(parser, NULL, "MALFORMED_QUERY", "expected one of = != < <= > >= LIKE IN, NOT IN, got %s",
                       parser_got(parser, got));
}

static bool check_operator(struct parser *parser, const struct token *at, const struct query_item *item,
                           enum query_operator relation)
{
    enum field_type type = query_item_type(item);
    char name[QUERY_ITEM_TEXT_SIZE];

    if (relation == QUERY_LIKE && type != FIELD_STRING && type != FIELD_PICKLIST) {
        return parser_fail(parser, at, "MALFORMED_QUERY", "LIKE is for texts, %s is of type %s", item_text(name, item),
                           field_type_name(type));
    }
    if (type == FIELD_BOOLEAN && relation != QUERY_EQUAL && relation != QUERY_DIFFERENT)
        return parser_fail(parser, at, "MALFORMED_QUERY", "%s is compared with = and != only", item_text(name, item));
    return true;
}

static bool read_values(struct parser *parser, struct query_condition *test, const struct query_item *item)
{
    struct query_value *values = NULL;
    bool list = test->relation == QUERY_IN || test->relation == QUERY_NOT_IN;

    if (list && !parser_need(parser, "("))
        return false;
    do {
        values = query_keep_more(parser->memory, values, test->value_count, sizeof *values);
        if (!literal_read(parser, item, test->relation, &values[test->value_count]))
            return false;
        test->value_count++;
        test->values = values;
    } while (list && parser_take(parser, ","));
    return !list || parser_need(parser, ")");
}

/* A function in WHERE. */
static bool no_function(struct parser *parser, const struct token *name)
{
    if (select_is_aggregate(name)) {
        return parser_fail(parser, name, "MALFORMED_QUERY",
                           "an aggregate can not stand in WHERE: conditions on groups stand behind HAVING");
    }
    return refuse_function(parser, name);
}

/* What WHERE compares: a field. */
static bool read_field(struct parser *parser, struct query_item *item)
{
    struct path path;

    if (!path_read(parser, &path))
        return false;
    if (token_is(&parser->token, "("))
        return no_function(parser, &path.words[0]);
    return path_field(parser, &path, &item->field) && field_require(parser, &path, item->field, FIELD_F);
}

static struct query_condition *read_test(struct parser *parser)
{
    struct query_condition *test = condition_new(parser, QUERY_TEST);
    struct query_item *item = query_keep(parser->memory, sizeof *item);
    struct token relation;

    if (!(parser->in_having ? element_read(parser, "HAVING", FIELD_F, item) : read_field(parser, item)))
        return NULL;
    test->field = item->field;
    test->aggregate = item->function == QUERY_FIELD ? NULL : item;
    relation = parser->token;
    if (!read_operator(parser, &test->relation) || !check_operator(parser, &relation, item, test->relation) ||
        !read_values(parser, test, item))
        return NULL;
    return test;
}

/* ---- and, or, not, parentheses ---- */
static struct query_condition *read_or(struct parser *parser);
static struct query_condition *read_not(struct parser *parser);

static struct query_condition *read_inner(struct parser *parser)
{
    struct query_condition *condition, *inner;

    if (parser_take(parser, "NOT")) {
        inner = read_not(parser);
        if (!inner)
            return NULL;
        condition = condition_new(parser, QUERY_NOT);
        condition_add(parser, condition, inner);
        return condition;
    }
    if (!parser_take(parser, "("))
        return read_test(parser);
    condition = read_or(parser);
    return condition && parser_need(parser, ")") ? condition : NULL;
}

/* NOT and ( go one level down; a hostile query must not exhaust the stack. */
static struct query_condition *read_not(struct parser *parser)
{
    bool deeper = token_is(&parser->token, "NOT") || token_is(&parser->token, "(");
    struct query_condition *condition;

    if (deeper && parser->depth == QUERY_DEPTH_MAX) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "more than %d parentheses and NOTs within each other",
                           QUERY_DEPTH_MAX),
               NULL;
    }
    parser->depth += deeper;
    condition = read_inner(parser);
    parser->depth -= deeper;
    return condition;
}

/* One or more parts between which `word` stands: alone it is itself, several are an AND or OR. */
static struct query_condition *read_list(struct parser *parser, const char *word, enum query_node node,
                                         struct query_condition *(*read_part)(struct parser *))
{
    struct query_condition *part = read_part(parser), *list;

    if (!part || !token_is(&parser->token, word))
        return part;
    list = condition_new(parser, node);
    condition_add(parser, list, part);
    while (parser_take(parser, word)) {
        part = read_part(parser);
        if (!part)
            return NULL;
        condition_add(parser, list, part);
    }
    return list;
}

static struct query_condition *read_and(struct parser *parser)
{
    return read_list(parser, "AND", QUERY_AND, read_not);
}

static struct query_condition *read_or(struct parser *parser)
{
    return read_list(parser, "OR", QUERY_OR, read_and);
}

struct query_condition *condition_read(struct parser *parser)
{
    return read_or(parser);
}
