/* The clauses in their order; each has a function of its own in another file. */
#include "common/query/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

void parser_start(struct parser *parser, struct query *query, const char *text, size_t size, struct err *err)
{
    *parser = (struct parser){ .text = text, .end = text + size, .query = query, .memory = query->memory, .err = err };
    parser->object_alias.text = parser->fields_all.text = "";
    parser->token = token_next(text, parser->end);
}

void parser_step(struct parser *parser)
{
    parser->token = token_next(parser->token.text + parser->token.size, parser->end);
}

bool parser_take(struct parser *parser, const char *word)
{
    if (!token_is(&parser->token, word))
        return false;
    parser_step(parser);
    return true;
}

const char *parser_got(const struct parser *parser, char text[80])
{
    const struct token *token = &parser->token;
    int width = (int)(token->size < 60 ? token->size : 60);
    bool plain = token->size <= 60;

    for (size_t i = 0; plain && i < token->size; i++)
        plain = token->text[i] >= ' ' && token->text[i] <= '~';
    if (token->kind == TOKEN_END)
        snprintf(text, 80, "the end");
    else if (token->kind == TOKEN_WORD || (token->kind == TOKEN_TEXT && plain))
        snprintf(text, 80, "%.*s", width, token->text);
    else if (plain)
        snprintf(text, 80, "'%.*s'", width, token->text);
    else
        text_quote(text, 70, token->text, token->size);
    return text;
}

bool parser_fail(struct parser *parser, const struct token *at, const char *code, const char *format, ...)
{
    char text[700];
    const char *place = at ? at->text : parser->token.text;
    size_t before = (size_t)(place - parser->text), column = 1;
    va_list args;

    for (size_t i = 0; i < before; i++) /* characters, not bytes */
        column += ((unsigned char)parser->text[i] & 0xc0) != 0x80;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(parser->err, ST_INVALID, "%s column %zu: %s", code, column, text);
    return false;
}

/* What a clause begins with, and its words in full. */
static const struct {
    const char *word, *clause;
} clauses[] = {
    { "WHERE", "WHERE" },    { "GROUP", "GROUP BY" }, { "HAVING", "HAVING" },
    { "ORDER", "ORDER BY" }, { "LIMIT", "LIMIT" },    { "OFFSET", "OFFSET" },
};

static const char *clause_at(const struct parser *parser)
{
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
        if (token_is(&parser->token, clauses[i].word))
            return clauses[i].clause;
    }
    return NULL;
}

bool parser_at_clause(const struct parser *parser)
{
    return clause_at(parser) != NULL;
}

static bool unexpected(struct parser *parser, const char *expected)
{
    char got[80];

    if (refuse_token(parser) || refuse_word(parser, &parser->token, REFUSED_CLAUSE))
        return false;
    return parser_fail(parser, NULL, "MALFORMED_QUERY", "expected %s, got %s", expected, parser_got(parser, got));
}

bool parser_need(struct parser *parser, const char *word)
{
    return parser_take(parser, word) || unexpected(parser, word);
}

/* Operators of other languages. */
static const char *connective_for(const struct token *token)
{
    return token_is(token, "&&") ? "AND" : token_is(token, "||") ? "OR" : NULL;
}

static bool too_much(struct parser *parser)
{
    static const char *const words[] = { "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "AND", "OR" };
    const char *nearest = NULL, *connective = connective_for(&parser->token);
    char got[80];

    parser_got(parser, got);
    if (parser->token.kind == TOKEN_TEXT && parser->token.text > parser->text && parser->token.text[-1] == '\'')
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "a quote within a text is written \\': 'it\\'s'");
    if (connective)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is not supported: write %s", got, connective);
    if (parser->token.kind == TOKEN_WORD)
        nearest = text_nearest(got, words, sizeof words / sizeof *words);
    return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is more than the query needs%s%s%s", got,
                       nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

bool parser_end(struct parser *parser)
{
    bool finished = token_is(&parser->token, ";");
    const char *clause = clause_at(parser);

    while (parser_take(parser, ";"))
        ;
    if (parser->token.kind == TOKEN_END)
        return true;
    if (finished)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "one query at a time: nothing may stand behind its ;");
    if (clause) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is out of place: %s", clause,
                           parser->condition_alone
                               ? "here a condition stands alone"
                               : "the order is SELECT, FROM, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET");
    }
    return !refuse_token(parser) && !refuse_word(parser, &parser->token, REFUSED_CLAUSE) && too_much(parser);
}
