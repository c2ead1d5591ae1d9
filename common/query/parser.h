/* What the files of the parser share: the text, the token that is next, and the first error. Functions answer false
 * (or NULL) once there is an error. */
#ifndef BGOP_QUERY_PARSER_H
#define BGOP_QUERY_PARSER_H

#include "common/query/memory.h"
#include "common/query/query.h"
#include "common/query/token.h"

/* A field as written: Status or GroupLeader.Status, the alias or name of the object perhaps in front. */
struct path {
    struct token words[3];
    int count;
};

/* An element of SELECT or ORDER BY as written. */
struct written {
    enum query_function function;
    bool rows;     /* COUNT(), which has no path but its own name */
    bool expanded; /* one of FIELDS(ALL), which is the path; this field: */
    enum field_index index;
    struct path path;
    struct token alias; /* size 0: none */
};

struct parser {
    const char *text, *end;
    struct token token; /* the next one */
    struct query *query;
    struct query_memory *memory; /* the query's */
    int depth;
    bool condition_alone;      /* there are no clauses */
    bool in_having;            /* tests are of groups */
    struct token object_alias; /* of FROM; size 0: none */
    struct token fields_all;   /* FIELDS(ALL), whose LIMIT is checked; size 0: not there */
    struct written *written;   /* the elements of SELECT */
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
/* The next token begins a clause of the grammar. */
bool parser_at_clause(const struct parser *parser);
/* Nothing but ; may stand behind the query; a clause that is known but not of the grammar is refused by name. */
bool parser_end(struct parser *parser);

/* ---- what is not supported (refused.c) ---- */
enum refused_kind { REFUSED_CLAUSE, REFUSED_ELEMENT, REFUSED_OPERATOR, REFUSED_FUNCTION, REFUSED_VALUE };
/* The word is one of this kind that SOQL or SQL has and this grammar has not: then an error says what to write instead,
 * and the answer is true. */
bool refuse_word(struct parser *parser, const struct token *word, enum refused_kind kind);
bool is_refused(const struct token *word, enum refused_kind kind);
/* A function by its name, which is known or not. Always false. */
bool refuse_function(struct parser *parser, const struct token *name);
/* The next token in quotes that are none, a comment or text that has no end, a bind variable. */
bool refuse_token(struct parser *parser);

/* ---- names (names.c) ---- */
bool path_read(struct parser *parser, struct path *path);
/* The field of the record that it names. */
bool path_field(struct parser *parser, const struct path *path, struct query_field *field);
/* The field has all of these properties (FIELD_F ..), or an error that names field and property. */
bool field_require(struct parser *parser, const struct path *path, struct query_field field, unsigned property);
const char *field_type_name(enum field_type type);

/* ---- literals ---- */
/* A value for a field or aggregate in a comparison, of its type (literal.c). */
bool literal_read(struct parser *parser, const struct query_item *item, enum query_operator relation,
                  struct query_value *value);
/* A dateTime or period (literal_time.c). */
bool time_read(struct parser *parser, const struct query_item *item, struct query_value *value);
/* "X is compared with EXPECTED, not ..", or what the next token is instead. Always false. */
bool literal_mismatch(struct parser *parser, const struct query_item *item, const char *expected);
/* A number from 0, for LIMIT and OFFSET. */
bool literal_count(struct parser *parser, const char *of, int64_t *count);

/* ---- clauses ---- */
struct query_condition *condition_read(struct parser *parser); /* condition.c */
/* select.c: the list behind SELECT, and FROM; or fields alone. Once GROUP BY is read: select_finish. */
bool select_read(struct parser *parser);
bool select_fields(struct parser *parser);
bool select_finish(struct parser *parser);
bool select_is_aggregate(const struct token *name);
bool select_grouped(const struct query *query, struct query_field field);
bool written_read(struct parser *parser, struct written *written);
bool written_item(struct parser *parser, const struct written *written, struct query_item *item);
/* An element of ORDER BY or HAVING: a field, and of an aggregate query an aggregate, an alias or a grouped field.
 * clause: "ordering" or "HAVING", for errors; property: what a field must have. */
bool element_read(struct parser *parser, const char *clause, unsigned property, struct query_item *item);

#endif
