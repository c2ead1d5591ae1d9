/* SELECT and FROM. Names mean something only once FROM is known: so the list is read first and looked up then; what a
 * row calls its members is settled once GROUP BY is known. */
#include "common/query/parser.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum query_function function;
} functions[] = {
    { "COUNT", QUERY_COUNT }, { "COUNT_DISTINCT", QUERY_COUNT_DISTINCT },
    { "MIN", QUERY_MIN },     { "MAX", QUERY_MAX },
    { "AVG", QUERY_AVG },     { "SUM", QUERY_SUM },
};

bool select_is_aggregate(const struct token *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (token_is(name, functions[i].name))
            return true;
    }
    return false;
}

/* ---- items as written ---- */
/* COUNT( * ) and COUNT(DISTINCT X) are SQL. */
static bool check_argument(struct parser *parser, const struct written *written)
{
    const char *name = written->path.words[0].text;
    int width = token_width(&written->path.words[0]);
    char got[80];

    if (parser->token.kind == TOKEN_STRAY && *parser->token.text == '*') {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%.*s(*) is no SOQL: write COUNT() or COUNT(Id)", width,
                           name);
    }
    if (token_is(&parser->token, "DISTINCT"))
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "DISTINCT can not stand here: write COUNT_DISTINCT(field)");
    return written->rows || parser->token.kind == TOKEN_WORD ||
           parser_fail(parser, NULL, "MALFORMED_QUERY", "expected a field, got %s", parser_got(parser, got));
}

bool written_read(struct parser *parser, struct written *written)
{
    *written = (struct written){ .function = QUERY_FIELD };
    if (refuse_word(parser, &parser->token, REFUSED_ELEMENT) || !path_read(parser, &written->path))
        return false;
    if (!token_is(&parser->token, "("))
        return true;
    for (size_t i = 0; written->path.count == 1 && i < sizeof functions / sizeof *functions; i++) {
        if (token_is(&written->path.words[0], functions[i].name))
            written->function = functions[i].function;
    }
    if (written->function == QUERY_FIELD)
        return refuse_function(parser, &written->path.words[0]);
    parser_step(parser);
    written->rows = written->function == QUERY_COUNT && token_is(&parser->token, ")");
    return check_argument(parser, written) && (written->rows || path_read(parser, &written->path)) &&
           parser_need(parser, ")");
}

static bool check_function(struct parser *parser, const struct written *written, struct query_field field)
{
    const struct record_field *of = &record_fields[field.index];
    bool numbers_only = written->function == QUERY_SUM || written->function == QUERY_AVG;

    if (of->type != FIELD_BOOLEAN && (!numbers_only || of->type == FIELD_INT))
        return true;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (functions[i].function == written->function) {
            return parser_fail(parser, &written->path.words[0], "MALFORMED_QUERY",
                               "field %s does not support the aggregate %s, being of type %s", of->name,
                               functions[i].name, field_type_name(of->type));
        }
    }
    return true;
}

bool written_item(struct parser *parser, const struct written *written, struct query_item *item)
{
    item->function = written->function;
    if (written->expanded) {
        item->field = (struct query_field){ written->index, false };
        return true;
    }
    if (written->rows) {
        item->field = (struct query_field){ FIELD_INDEX_ID, false };
        return true;
    }
    if (!path_field(parser, &written->path, &item->field))
        return false;
    return item->function == QUERY_FIELD || check_function(parser, written, item->field);
}

/* ---- the list ---- */
static struct written *written_new(struct parser *parser)
{
    parser->written = query_keep_more(parser->memory, parser->written, parser->written_count, sizeof *parser->written);
    return &parser->written[parser->written_count++];
}

/* FIELDS(ALL) and FIELDS(STANDARD): all fields, since none is custom. */
static bool read_fields(struct parser *parser, const struct token *name)
{
    bool all = token_is(&parser->token, "ALL");
    char got[80];

    if (token_is(&parser->token, "CUSTOM")) {
        return parser_fail(parser, name, "MALFORMED_QUERY",
                           "FIELDS(CUSTOM): BackgroundOperation has no custom fields; write FIELDS(ALL)");
    }
    if (!all && !token_is(&parser->token, "STANDARD")) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "FIELDS takes ALL or STANDARD, got %s",
                           parser_got(parser, got));
    }
    parser_step(parser);
    if (all)
        parser->fields_all = *name;
    for (int i = 0; i < FIELD_COUNT; i++) {
        *written_new(parser) = (struct written){ .expanded = true,
                                                 .index = (enum field_index)i,
                                                 .path = { .words = { *name }, .count = 1 } };
    }
    return parser_need(parser, ")");
}

/* What stands behind an element and is no comma: its alias. */
static bool read_alias(struct parser *parser, struct written *written)
{
    bool named = parser_take(parser, "AS");

    if (parser->token.kind != TOKEN_WORD || token_is(&parser->token, "FROM"))
        return !named || parser_need(parser, "an alias");
    written->alias = parser->token;
    parser_step(parser);
    if (token_is(&parser->token, ",") || token_is(&parser->token, "FROM"))
        return true;
    return parser_fail(parser, &written->alias, "MALFORMED_QUERY", "expected FROM, got %.*s", /* misspelt */
                       token_width(&written->alias), written->alias.text);
}

static bool read_element(struct parser *parser)
{
    struct token name = parser->token;
    struct written written;

    if (token_is(&name, "(")) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY",
                           "a query within SELECT is not supported: query the followers WHERE GroupLeaderId = '08P..'");
    }
    if (token_is(&name, "FIELDS")) {
        parser_step(parser);
        return parser_need(parser, "(") && read_fields(parser, &name);
    }
    if (!written_read(parser, &written) || !read_alias(parser, &written))
        return false;
    *written_new(parser) = written;
    return true;
}

static bool read_list(struct parser *parser)
{
    do {
        if (!read_element(parser))
            return false;
    } while (parser_take(parser, ","));
    return true;
}

/* A word behind the object is its alias, unless what follows shows that it is a misspelt clause. */
static bool read_object_alias(struct parser *parser)
{
    struct token after, *alias = &parser->object_alias;
    bool named = parser_take(parser, "AS");

    if (parser->token.kind != TOKEN_WORD || parser_at_clause(parser) || is_refused(&parser->token, REFUSED_CLAUSE))
        return !named || parser_need(parser, "an alias");
    after = token_next(parser->token.text + parser->token.size, parser->end);
    if (!named && after.kind != TOKEN_END && after.kind != TOKEN_SYMBOL) {
        struct parser ahead = *parser;

        parser_step(&ahead);
        if (!parser_at_clause(&ahead) && !is_refused(&after, REFUSED_CLAUSE))
            return parser_end(parser);
    }
    *alias = parser->token;
    parser_step(parser);
    return true;
}

static bool read_object(struct parser *parser)
{
    struct token object = parser->token;
    char got[80];

    if (object.kind != TOKEN_WORD) {
        return !refuse_token(parser) && parser_fail(parser, NULL, "MALFORMED_QUERY",
                                                    "expected BackgroundOperation, got %s", parser_got(parser, got));
    }
    if (!token_is(&object, "BackgroundOperation")) {
        err_set(parser->err, ST_INVALID, "INVALID_TYPE sObject type '%.*s' is not supported.", token_width(&object),
                object.text);
        return false;
    }
    parser_step(parser);
    if (!read_object_alias(parser))
        return false;
    return !token_is(&parser->token, ",") ||
           parser_fail(parser, NULL, "MALFORMED_QUERY",
                       "a query is of one object: of the leader of an execution group write GroupLeader.X");
}

static bool resolve(struct parser *parser)
{
    struct query *query = parser->query;

    query->items = query_keep(parser->memory, parser->written_count * sizeof *query->items);
    query->item_count = parser->written_count;
    for (size_t i = 0; i < query->item_count; i++) {
        if (!written_item(parser, &parser->written[i], &query->items[i]))
            return false;
        query->aggregate = query->aggregate || query->items[i].function != QUERY_FIELD;
    }
    return true;
}

bool select_read(struct parser *parser)
{
    return parser_need(parser, "SELECT") && read_list(parser) && parser_need(parser, "FROM") && read_object(parser) &&
           resolve(parser);
}

bool select_fields(struct parser *parser)
{
    return read_list(parser) && resolve(parser);
}

/* ---- what a row calls its members ---- */
static bool name_item(struct parser *parser, const struct written *written, struct query_item *item, int *unnamed)
{
    char name[32];

    if (written->alias.size) {
        if (!parser->query->aggregate) {
            return parser_fail(parser, &written->alias, "MALFORMED_QUERY",
                               "%.*s is one word too many: only aggregates and grouped fields have an alias",
                               token_width(&written->alias), written->alias.text);
        }
        item->name = query_keep_text(parser->memory, written->alias.text, written->alias.size);
    } else if (item->function != QUERY_FIELD) {
        snprintf(name, sizeof name, "expr%d", (*unnamed)++);
        item->name = query_keep_text(parser->memory, name, strlen(name));
    } else {
        item->name = record_fields[item->field.index].name;
    }
    return true;
}

/* No two members of a row have one name. GroupLeader.Id stands apart from Id, unless the row is a group's. */
static bool check_name(struct parser *parser, size_t index)
{
    const struct query_item *items = parser->query->items, *item = &items[index];
    const struct written *written = &parser->written[index];

    for (size_t i = 0; i < index; i++) {
        bool apart = !parser->query->aggregate && items[i].field.of_leader != item->field.of_leader;

        if (!apart && strcasecmp(items[i].name, item->name) == 0) {
            return parser_fail(parser, written->alias.size ? &written->alias : &written->path.words[0],
                               "MALFORMED_QUERY", "%s is selected twice%s", item->name,
                               parser->query->aggregate ? ": give it another alias" : "");
        }
    }
    return true;
}

bool select_grouped(const struct query *query, struct query_field field)
{
    for (size_t i = 0; i < query->group_count; i++) {
        if (query->groups[i].index == field.index && query->groups[i].of_leader == field.of_leader)
            return true;
    }
    return false;
}

static bool check_item(struct parser *parser, size_t index)
{
    const struct query *query = parser->query;
    const struct query_item *item = &query->items[index];

    if (!query->aggregate || item->function != QUERY_FIELD || select_grouped(query, item->field))
        return true;
    if (parser->written[index].expanded) {
        return parser_fail(parser, &parser->written[index].path.words[0], "MALFORMED_QUERY",
                           "FIELDS() can not stand in a query with GROUP BY or aggregates");
    }
    return parser_fail(parser, &parser->written[index].path.words[0], "MALFORMED_QUERY",
                       "field must be grouped or aggregated: %s%s", item->field.of_leader ? "GroupLeader." : "",
                       record_fields[item->field.index].name);
}

bool select_finish(struct parser *parser)
{
    struct query *query = parser->query;
    const struct written *first = parser->written;
    int unnamed = 0;

    query->aggregate = query->aggregate || query->group_count > 0;
    query->count_only = query->item_count == 1 && first->rows && !first->alias.size;
    if (query->count_only && query->group_count > 0) {
        return parser_fail(parser, &first->path.words[0], "MALFORMED_QUERY",
                           "COUNT() alone is one number: with GROUP BY select COUNT(Id)");
    }
    for (size_t i = 0; i < query->item_count; i++) {
        if (!name_item(parser, &parser->written[i], &query->items[i], &unnamed) || !check_name(parser, i) ||
            !check_item(parser, i))
            return false;
    }
    return true;
}
