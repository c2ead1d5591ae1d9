/* What the files of the parser share: the text, the token that is next, and the first error. Functions answer false
 * (or NULL) once there is an error. */
#ifndef BGOP_QUERY_PARSER_H
#define BGOP_QUERY_PARSER_H

#include "common/query/memory.h"
#include "common/query/query.h"
#include "common/query/token.h"

/* A field as written: Status or GroupLeader.Status. */
struct path {
    struct token words[2];
    int count;
};

/* An element of SELECT or ORDER BY as written. */
struct written {
    enum query_function function;
    bool rows;                      /* COUNT(), which has no path but its own name */
    struct path path;
    struct token alias;             /* size 0: none */
};

struct parser {
    const char *text, *end;
    struct token token;             /* the next one */
    struct query *query;
    struct query_memory *memory;    /* the query's */
    int depth;
    bool condition_alone;           /* there are no clauses */
    struct written *written;        /* the elements of SELECT */
    size_t written_count;
    struct err *err;
};

/* ---- tokens (parser.c) ---- */
void parser_start(struct parser *parser, struct query *query, const char *text, size_t size, struct err *err);
void parser_step(struct parser *parser);
/* Steps over the next token when it is this keyword or symbol. */
bool parser_take(struct parser *parser, const char *word);
/* The same, or an error: "expected X, got Y". */
bool parser_need(struct parser *parser, const char *word);
/* The next token, fit to stand in an error: 'FORM', the end. */
const char *parser_got(const struct parser *parser, char text[80]);
/* "CODE column N: text", N that of the token (NULL: the next one). Always false. */
bool parser_fail(struct parser *parser, const struct token *at, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Nothing may stand behind the query; a clause that is known but not of the grammar is refused by name. */
bool parser_end(struct parser *parser);

/* ---- names (names.c) ---- */
bool path_read(struct parser *parser, struct path *path);
/* The field of the record that it names. */
bool path_field(struct parser *parser, const struct path *path, struct query_field *field);
/* The field has all of these properties (FIELD_F ..), or an error that names field and property. */
bool field_require(struct parser *parser, const struct path *path, struct query_field field, unsigned property);
const char *field_type_name(enum field_type type);

/* ---- literals (literal.c) ---- */
/* A value for a field in a comparison, of the field's type. */
bool literal_read(struct parser *parser, struct query_field field, enum query_operator relation,
                  struct query_value *value);
/* A number from 0, for LIMIT and OFFSET. */
bool literal_count(struct parser *parser, const char *of, int64_t *count);

/* ---- clauses ---- */
struct query_condition *condition_read(struct parser *parser);      /* condition.c */
/* select.c: the list behind SELECT, and FROM; or fields alone. Once GROUP BY is read: select_finish. */
bool select_read(struct parser *parser);
bool select_fields(struct parser *parser);
bool select_finish(struct parser *parser);
bool select_grouped(const struct query *query, struct query_field field);
bool written_read(struct parser *parser, struct written *written);
bool written_item(struct parser *parser, const struct written *written, struct query_item *item);
bool group_read(struct parser *parser);                             /* clauses.c */
bool order_read(struct parser *parser);

#endif
