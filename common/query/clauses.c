/* The whole of a query: its clauses in their order. GROUP BY and ORDER BY are read here, the others have files. */
#include "common/query/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"

static bool group_function(struct parser *parser, const struct token *name)
{
    if (is_refused(name, REFUSED_FUNCTION))
        return refuse_function(parser, name);
    return parser_fail(parser, name, "MALFORMED_QUERY", "functions can not stand in GROUP BY");
}

static bool group_read(struct parser *parser)
{
    struct query *query = parser->query;
    struct path path;

    do {
        query->groups = query_keep_more(parser->memory, query->groups, query->group_count, sizeof *query->groups);
        if (!path_read(parser, &path))
            return false;
        if (token_is(&parser->token, "("))
            return group_function(parser, &path.words[0]);
        if (!path_field(parser, &path, &query->groups[query->group_count]) ||
            !field_require(parser, &path, query->groups[query->group_count], FIELD_G))
            return false;
        query->group_count++;
    } while (parser_take(parser, ","));
    return true;
}

/* ---- ORDER BY and HAVING ---- */
/* The element of SELECT that has this alias (or is this exprN). */
static const struct query_item *item_named(const struct query *query, const struct written *written)
{
    const struct token *word = &written->path.words[0];

    for (size_t i = 0;
         query->aggregate && written->function == QUERY_FIELD && written->path.count == 1 && i < query->item_count;
         i++) {
        if (token_is(word, query->items[i].name))
            return &query->items[i];
    }
    return NULL;
}

bool element_read(struct parser *parser, const char *clause, unsigned property, struct query_item *item)
{
    const struct query *query = parser->query;
    const struct query_item *named;
    struct written written;

    if (!written_read(parser, &written))
        return false;
    named = item_named(query, &written);
    if (named) {
        *item = *named;
        return true;
    }
    if (!written_item(parser, &written, item))
        return false;
    if (item->function != QUERY_FIELD) {
        return query->aggregate || parser_fail(parser, &written.path.words[0], "MALFORMED_QUERY",
                                               "an aggregate in ORDER BY needs GROUP BY");
    }
    if (query->aggregate && !select_grouped(query, item->field)) {
        return parser_fail(parser, &written.path.words[0], "MALFORMED_QUERY",
                           "%s field must be grouped or aggregated: %s", clause, record_fields[item->field.index].name);
    }
    return field_require(parser, &written.path, item->field, property);
}

static bool read_direction(struct parser *parser, struct query_order *order)
{
    order->descending = parser_take(parser, "DESC");
    if (!order->descending)
        parser_take(parser, "ASC");
    order->nulls_first = !order->descending;
    if (!parser_take(parser, "NULLS"))
        return true;
    order->nulls_first = parser_take(parser, "FIRST");
    return order->nulls_first || parser_need(parser, "LAST");
}

static bool order_read(struct parser *parser)
{
    struct query *query = parser->query;

    if (query->count_only)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "SELECT COUNT() is one number: there is nothing to order");
    do {
        struct query_order *order;

        query->orders = query_keep_more(parser->memory, query->orders, query->order_count, sizeof *order);
        order = &query->orders[query->order_count];
        if (!element_read(parser, "ordering", FIELD_S, &order->item) || !read_direction(parser, order))
            return false;
        query->order_count++;
    } while (parser_take(parser, ","));
    return true;
}

static bool having_read(struct parser *parser)
{
    struct query *query = parser->query;

    if (query->count_only) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY",
                           "SELECT COUNT() is one number: with HAVING select COUNT(Id)");
    }
    if (!query->aggregate) {
        return parser_fail(
            parser, NULL, "MALFORMED_QUERY",
            "HAVING is about groups and stands behind GROUP BY: conditions on operations stand behind WHERE");
    }
    parser->in_having = true;
    query->having = condition_read(parser);
    return query->having;
}

/* ---- the whole ---- */
static bool read_where(struct parser *parser)
{
    parser->query->where = condition_read(parser);
    return parser->query->where;
}

/* LIMIT of at most 200, or as many Ids: Salesforce's rule for FIELDS(ALL). */
static bool is_bounded(const struct query *query)
{
    const struct query_condition *where = query->where;
    size_t count = where && where->node == QUERY_AND ? where->part_count : 1;

    if (query->limit >= 0 && query->limit <= QUERY_FIELDS_ALL_MAX)
        return true;
    for (size_t i = 0; where && i < count; i++) {
        const struct query_condition *part = where->node == QUERY_AND ? where->parts[i] : where;

        if (part->node == QUERY_TEST && part->field.index == FIELD_INDEX_ID && !part->field.of_leader &&
            (part->relation == QUERY_EQUAL || part->relation == QUERY_IN) && part->value_count <= QUERY_FIELDS_ALL_MAX)
            return true;
    }
    return false;
}

static bool check_fields_all(struct parser *parser)
{
    return !parser->fields_all.size || is_bounded(parser->query) ||
           parser_fail(parser, &parser->fields_all, "MALFORMED_QUERY",
                       "FIELDS(ALL) needs a LIMIT of at most %d; FIELDS(STANDARD), the same fields here, needs none",
                       QUERY_FIELDS_ALL_MAX);
}

static bool read_query(struct parser *parser)
{
    struct query *query = parser->query;

    return select_read(parser) && (!parser_take(parser, "WHERE") || read_where(parser)) &&
           (!parser_take(parser, "GROUP") || (parser_need(parser, "BY") && group_read(parser))) &&
           select_finish(parser) && (!parser_take(parser, "HAVING") || having_read(parser)) &&
           (!parser_take(parser, "ORDER") || (parser_need(parser, "BY") && order_read(parser))) &&
           (!parser_take(parser, "LIMIT") || literal_count(parser, "LIMIT", &query->limit)) &&
           (!parser_take(parser, "OFFSET") || literal_count(parser, "OFFSET", &query->offset)) && parser_end(parser) &&
           check_fields_all(parser);
}

static bool start(struct parser *parser, struct query *query, const char *text, size_t size, struct err *err)
{
    if (size > QUERY_TEXT_MAX) {
        err_set(err, ST_INVALID, "MALFORMED_QUERY a query of %zu bytes is longer than %d", size, QUERY_TEXT_MAX);
        return false;
    }
    parser_start(parser, query, text, size, err);
    return true;
}

static struct query *query_new(void)
{
    struct query *query = xcalloc(1, sizeof *query);

    query->limit = -1;
    query->memory = query_memory_new();
    return query;
}

struct query *query_parse(const char *text, size_t size, struct err *err)
{
    struct query *query = query_new();
    struct parser parser;

    if (start(&parser, query, text, size, err) && read_query(&parser))
        return query;
    query_free(query);
    return NULL;
}

struct query *query_parse_condition(const char *text, size_t size, const char *fields, struct err *err)
{
    struct query *query = query_new();
    const char *names = fields ? fields : "Id";
    struct parser parser;

    if (start(&parser, query, names, strlen(names), err) && select_fields(&parser) && parser_end(&parser) &&
        select_finish(&parser) && start(&parser, query, text, size, err)) {
        parser.condition_alone = true;
        if (read_where(&parser) && parser_end(&parser))
            return query;
    }
    query_free(query);
    return NULL;
}

enum status query_narrow(struct query *query, const char *condition, struct err *err)
{
    struct parser parser;
    struct query_condition *both, *part;

    if (!start(&parser, query, condition, strlen(condition), err))
        return err->status;
    parser.condition_alone = true;
    part = condition_read(&parser);
    if (!part || !parser_end(&parser))
        return err->status;
    both = query_keep(query->memory, sizeof *both);
    both->node = QUERY_AND;
    both->parts = query_keep(query->memory, 2 * sizeof(void *));
    if (query->where)
        both->parts[both->part_count++] = query->where;
    both->parts[both->part_count++] = part;
    query->where = both;
    return ST_OK;
}

void query_free(struct query *query)
{
    if (!query)
        return;
    query_memory_free(query->memory);
    free(query);
}
