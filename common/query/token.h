/* The words of a query's text. */
#ifndef BGOP_QUERY_TOKEN_H
#define BGOP_QUERY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,     /* a keyword or a name */
    TOKEN_LITERAL,  /* begins with a digit, or a sign and a digit: a number or a dateTime */
    TOKEN_TEXT,     /* with its quotes */
    TOKEN_SYMBOL,   /* = != <> < <= > >= ( ) , . : ; and what other languages have: == && || */
    TOKEN_QUOTED,   /* in quotes that are none here: "..", `..` or typographic ones */
    TOKEN_UNCLOSED, /* a text without its closing quote: the rest of the query */
    TOKEN_COMMENT,  /* a comment without its end */
    TOKEN_STRAY,    /* a character that means nothing here */
};
struct token {
    enum token_kind kind;
    const char *text; /* within the query's text */
    size_t size;
};

/* The token at or behind `at`; end: behind the last byte of the text. Comments are blanks: -- and // to the end of the
 * line, and those of C. */
struct token token_next(const char *at, const char *end);
/* Is it this word (letters' case is free) or this symbol? */
bool token_is(const struct token *token, const char *word);
/* Both the same word, in whatever case. */
bool token_same(const struct token *a, const struct token *b);
/* Its size, for %.*s in an error. */
int token_width(const struct token *token);

#endif
