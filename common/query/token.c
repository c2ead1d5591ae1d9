/* A token is found by its first character; there is no state. */
#include "common/query/token.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *text_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        else if (*at == '\'')
            return at + 1;
    }
    return NULL;
}

static const char *literal_end(const char *at, const char *end)
{
    for (at++; at < end && (is_digit(*at) || is_letter(*at) || strchr(":.+-", *at)); at++) {
        if (!*at)
            break;
    }
    return at;
}

static size_t symbol_size(const char *at, const char *end)
{
    if (end - at >= 2 &&
        (memcmp(at, "!=", 2) == 0 || memcmp(at, "<>", 2) == 0 || memcmp(at, "<=", 2) == 0 || memcmp(at, ">=", 2) == 0))
        return 2;
    return *at && strchr("=<>(),.", *at) ? 1 : 0;
}

/* A whole character of UTF-8, so that an error does not show half of one. */
static size_t character_size(const char *at, const char *end)
{
    size_t size = 1;

    while (at + size < end && ((unsigned char)at[size] & 0xc0) == 0x80)
        size++;
    return size;
}

struct token token_next(const char *at, const char *end)
{
    const char *behind;

    while (at < end && is_blank(*at))
        at++;
    if (at == end)
        return (struct token){ TOKEN_END, at, 0 };
    if (is_letter(*at)) {
        for (behind = at; behind < end && (is_letter(*behind) || is_digit(*behind)); behind++)
            ;
        return (struct token){ TOKEN_WORD, at, (size_t)(behind - at) };
    }
    if (is_digit(*at) || ((*at == '-' || *at == '+') && at + 1 < end && is_digit(at[1])))
        return (struct token){ TOKEN_LITERAL, at, (size_t)(literal_end(at, end) - at) };
    if (*at == '\'') {
        behind = text_end(at, end);
        return behind ? (struct token){ TOKEN_TEXT, at, (size_t)(behind - at) }
                      : (struct token){ TOKEN_UNCLOSED, at, (size_t)(end - at) };
    }
    if (symbol_size(at, end))
        return (struct token){ TOKEN_SYMBOL, at, symbol_size(at, end) };
    return (struct token){ TOKEN_STRAY, at, character_size(at, end) };
}

bool token_is(const struct token *token, const char *word)
{
    return (token->kind == TOKEN_WORD || token->kind == TOKEN_SYMBOL) && strlen(word) == token->size &&
           strncasecmp(token->text, word, token->size) == 0;
}

int token_width(const struct token *token)
{
    return (int)(token->size < 80 ? token->size : 80);
}
