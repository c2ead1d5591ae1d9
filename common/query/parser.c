/* The clauses in their order; each has a function of its own in another file. */
#include "common/query/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"

void parser_start(struct parser *parser, struct query *query, const char *text, size_t size, struct err *err)
{
    *parser = (struct parser){ .text = text, .end = text + size, .query = query, .memory = query->memory, .err = err };
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

/* Clauses of SOQL that this grammar has not: better refused by name than as a word too many. */
static const char *const refused[] = {
    "HAVING", "USING", "WITH", "FOR", "ALL", "UPDATE", "TYPEOF", "JOIN", "UNION", "DISTINCT",
};

static bool is_refused(const struct token *token)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (token_is(token, refused[i]))
            return true;
    }
    return false;
}

static bool unexpected(struct parser *parser, const char *expected)
{
    char got[80];

    parser_got(parser, got);
    if (parser->token.kind == TOKEN_UNCLOSED)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "this text has no closing quote");
    if (is_refused(&parser->token))
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is not supported", got);
    return parser_fail(parser, NULL, "MALFORMED_QUERY", "expected %s, got %s", expected, got);
}

bool parser_need(struct parser *parser, const char *word)
{
    return parser_take(parser, word) || unexpected(parser, word);
}

bool parser_end(struct parser *parser)
{
    static const char *const clauses[] = { "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "OFFSET" };
    static const char *const words[] = { "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "AND", "OR" };
    const size_t word_count = sizeof words / sizeof *words;
    const char *nearest;
    char got[80];

    if (parser->token.kind == TOKEN_END)
        return true;
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
        size_t size = strcspn(clauses[i], " ");

        if (parser->token.kind == TOKEN_WORD && parser->token.size == size &&
            strncasecmp(parser->token.text, clauses[i], size) == 0)
            return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is out of place: %s", clauses[i],
                               parser->condition_alone
                                   ? "here a condition stands alone"
                                   : "the order is SELECT, FROM, WHERE, GROUP BY, ORDER BY, LIMIT, OFFSET");
    }
    if (is_refused(&parser->token) || parser->token.kind == TOKEN_UNCLOSED)
        return unexpected(parser, "the end");
    nearest = parser->token.kind == TOKEN_WORD ? text_nearest(parser_got(parser, got), words, word_count) : NULL;
    return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is more than the query needs%s%s%s",
                       parser_got(parser, got), nearest ? "; did you mean " : "", nearest ? nearest : "",
                       nearest ? "?" : "");
}
