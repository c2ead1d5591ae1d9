/* A token is found by its first character; there is no state. */
#include "common/query/token.h"

#include <string.h>
#include <strings.h>

#include "common/base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool begins(const char *at, const char *end, const char *word)
{
    size_t size = strlen(word);

    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0;
}

/* ---- blanks and comments ---- */
/* Those of web pages and files too: a no-break space, a byte order mark. */
static size_t blank_size(const char *at, const char *end)
{
    if (*at && strchr(" \t\n\r\f\v", *at))
        return 1;
    return begins(at, end, "\xc2\xa0") ? 2 : begins(at, end, "\xef\xbb\xbf") ? 3 : 0;
}

/* Behind the comment that begins here; `at` itself: none does, or it has no end. */
static const char *comment_end(const char *at, const char *end)
{
    const char *behind;

    if (begins(at, end, "--") || begins(at, end, "//")) {
        behind = memchr(at, '\n', (size_t)(end - at));
        return behind ? behind + 1 : end;
    }
    if (!begins(at, end, "/*"))
        return at;
    behind = memmem(at + 2, (size_t)(end - at) - 2, "*/", 2);
    return behind ? behind + 2 : at;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end) {
        const char *behind = comment_end(at, end);

        if (behind == at)
            behind = at + blank_size(at, end);
        if (behind == at)
            break;
        at = behind;
    }
    return at;
}

/* ---- what words begin and end with ---- */
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
    for (at++; at < end && *at && (is_digit(*at) || is_letter(*at) || strchr(":.+-", *at)); at++) {
        if (begins(at, end, "--")) /* a comment */
            break;
    }
    return at;
}

static size_t symbol_size(const char *at, const char *end)
{
    static const char *const pairs[] = { "!=", "<>", "<=", ">=", "==", "&&", "||" };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (begins(at, end, pairs[i]))
            return 2;
    }
    return *at && strchr("=<>(),.:;", *at) ? 1 : 0;
}

/* What stands in quotes that mean nothing here, as one token: an error can then show all of it. */
static size_t quoted_size(const char *at, const char *end)
{
    static const struct {
        const char *open, *close;
    } quotes[] = {
        { "\"", "\"" },
        { "`", "`" },
        { "\xe2\x80\x98", "\xe2\x80\x99" }, /* left and right single */
        { "\xe2\x80\x99", "\xe2\x80\x99" },
        { "\xe2\x80\x9a", "\xe2\x80\x98" }, /* low and left single */
        { "\xe2\x80\x9c", "\xe2\x80\x9d" }, /* left and right double */
        { "\xe2\x80\x9e", "\xe2\x80\x9c" }, /* low and left double */
    };

    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        size_t open = strlen(quotes[i].open), close = strlen(quotes[i].close);
        const char *found;

        if (!begins(at, end, quotes[i].open))
            continue;
        found = memmem(at + open, (size_t)(end - at) - open, quotes[i].close, close);
        return found ? (size_t)(found - at) + close : open;
    }
    return 0;
}

/* A whole character of UTF-8, so that an error does not show half of one. */
static size_t character_size(const char *at, const char *end)
{
    size_t size = text_utf8_cut(at, (size_t)(end - at), 1);

    return size > 0 ? size : 1;
}

struct token token_next(const char *at, const char *end)
{
    const char *behind;

    at = skip_blanks(at, end);
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
    if (begins(at, end, "/*")) /* skip_blanks found no end of it */
        return (struct token){ TOKEN_COMMENT, at, (size_t)(end - at) };
    if (symbol_size(at, end))
        return (struct token){ TOKEN_SYMBOL, at, symbol_size(at, end) };
    if (quoted_size(at, end))
        return (struct token){ TOKEN_QUOTED, at, quoted_size(at, end) };
    return (struct token){ TOKEN_STRAY, at, character_size(at, end) };
}

bool token_is(const struct token *token, const char *word)
{
    return (token->kind == TOKEN_WORD || token->kind == TOKEN_SYMBOL) && strlen(word) == token->size &&
           strncasecmp(token->text, word, token->size) == 0;
}

bool token_same(const struct token *a, const struct token *b)
{
    return a->size == b->size && strncasecmp(a->text, b->text, a->size) == 0;
}

int token_width(const struct token *token)
{
    return (int)(token->size < 80 ? token->size : 80);
}
