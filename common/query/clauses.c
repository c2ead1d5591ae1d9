/* The whole of a query: its clauses in their order. GROUP BY and ORDER BY are read here, the others have files. */
#include "common/query/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"

bool group_read(struct parser *parser)
{
    struct query *query = parser->query;
    struct path path;

    do {
        query->groups = query_keep_more(parser->memory, query->groups, query->group_count, sizeof *query->groups);
        if (!path_read(parser, &path))
            return false;
        if (token_is(&parser->token, "("))
            return parser_fail(parser, &path.words[0], "MALFORMED_QUERY", "functions can not stand in GROUP BY");
        if (!path_field(parser, &path, &query->groups[query->group_count]) ||
            !field_require(parser, &path, query->groups[query->group_count], FIELD_G))
            return false;
        query->group_count++;
    } while (parser_take(parser, ","));
    return true;
}

/* ---- ORDER BY ---- */
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

static bool read_key(struct parser *parser, struct query_item *item)
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
    if (item->function != QUERY_FIELD)
        return query->aggregate || parser_fail(parser, &written.path.words[0], "MALFORMED_QUERY",
                                               "an aggregate in ORDER BY needs GROUP BY");
    if (query->aggregate && !select_grouped(query, item->field))
        return parser_fail(parser, &written.path.words[0], "MALFORMED_QUERY",
                           "ordering field must be grouped or aggregated: %s", record_fields[item->field.index].name);
    return field_require(parser, &written.path, item->field, FIELD_S);
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

bool order_read(struct parser *parser)
{
    struct query *query = parser->query;

    if (query->count_only)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "SELECT COUNT() is one number: there is nothing to order");
    do {
        struct query_order *order;

        query->orders = query_keep_more(parser->memory, query->orders, query->order_count, sizeof *order);
        order = &query->orders[query->order_count];
        if (!read_key(parser, &order->item) || !read_direction(parser, order))
            return false;
        query->order_count++;
    } while (parser_take(parser, ","));
    return true;
}

/* ---- the whole ---- */
static bool read_where(struct parser *parser)
{
    parser->query->where = condition_read(parser);
    return parser->query->where;
}

static bool read_query(struct parser *parser)
{
    struct query *query = parser->query;

    return select_read(parser) && (!parser_take(parser, "WHERE") || read_where(parser)) &&
           (!parser_take(parser, "GROUP") || (parser_need(parser, "BY") && group_read(parser))) &&
           select_finish(parser) &&
           (!parser_take(parser, "ORDER") || (parser_need(parser, "BY") && order_read(parser))) &&
           (!parser_take(parser, "LIMIT") || literal_count(parser, "LIMIT", &query->limit)) &&
           (!parser_take(parser, "OFFSET") || literal_count(parser, "OFFSET", &query->offset)) && parser_end(parser);
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

void query_free(struct query *query)
{
    if (!query)
        return;
    query_memory_free(query->memory);
    free(query);
}
