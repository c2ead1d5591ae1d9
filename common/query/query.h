/* SOQL over the records of the queue: a text becomes a checked query (query_parse), the query a plan of calls of
 * bgop_find (plan.h), and its answers the rows that are asked for (query_run). The grammar:
 *
 *   SELECT fields or aggregates FROM BackgroundOperation [[AS] alias] [WHERE condition] [GROUP BY field, ..]
 *   [HAVING condition] [ORDER BY field [ASC|DESC] [NULLS FIRST|LAST], ..] [LIMIT n] [OFFSET n] [;]
 *
 * FIELDS(ALL) stands for all fields. A time is compared with a dateTime or a period (period.h: TODAY, LAST_N_DAYS:7,
 * 2026-11-28). Comments are -- and // to the end of the line, and those of C. What SOQL has elsewhere and not here is
 * refused by its name, with what to write instead (refused.c).
 *
 * A condition alone (what stands behind WHERE) is a query too: that is how `--where COND` works:
 *
 *   struct query *query = query_parse_condition("Status = 'Error' AND Type = 'WebCart'", size, "Id, Status", &err);
 *   if (!query) ...                          // wrong usage: err.text is a code word, where, and what is wrong
 *   st = query_run(query, redis, NULL, on_row, &mine, &total, &err);
 *   query_free(query);
 *
 * on_row gets {"Id":"08P...","Status":"Error"} for each operation, as the pages come: the first row does not wait for
 * the last. What is changed meanwhile (by on_row too) neither repeats nor hides a row that matches all the while. Every
 * row has been tested against its record as it was a moment ago, no more: who acts on it lets the state machine judge.
 *
 * Meaning. Keywords, names and texts are compared without regard to the case of ASCII letters; Ids by 15 or 18
 * characters, of 18 in any case. A comparison with a field that is null is false, but != and NOT IN are true of it; NOT turns
 * true and false around. '' is null, as in Salesforce. Errors: err.text begins with the code word (MALFORMED_QUERY,
 * INVALID_FIELD, INVALID_TYPE, MALFORMED_ID), as errors of the Redis Functions do. */
#ifndef BGOP_QUERY_QUERY_H
#define BGOP_QUERY_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/record/tables.h"
#include "common/redis/redis.h"

enum {
    QUERY_TEXT_MAX = 100000,     /* bytes of a query's text */
    QUERY_DEPTH_MAX = 50,        /* parentheses and NOTs within each other */
    QUERY_FIELDS_ALL_MAX = 200,  /* rows of FIELDS(ALL) */
    QUERY_ROWS_HELD_MAX = 50000, /* rows, groups and distinct values held at once, unless options say otherwise */
};

/* ---- a value: a literal of the query, or what a row has in a field ---- */
enum query_value_kind { QUERY_NULL, QUERY_NUMBER, QUERY_DECIMAL, QUERY_TEXT, QUERY_PERIOD };
struct date_literal;
struct query_value {
    enum query_value_kind kind;
    int64_t number;                     /* an int, a dateTime in epoch ms, a boolean as 0 or 1; of a period its n */
    const struct date_literal *literal; /* of a period; NULL: a date, whose number is its first ms */
    double decimal;                     /* an average */
    const char *text;                   /* NUL-terminated; Ids in 18 characters; of LIKE a pattern in which \ escapes */
    size_t size;
};

/* A field of the operation, or of its group leader (GroupLeader.Status). */
struct query_field {
    enum field_index index;
    bool of_leader;
};

/* ---- a condition ---- */
enum query_node { QUERY_AND, QUERY_OR, QUERY_NOT, QUERY_TEST };
enum query_operator {
    QUERY_EQUAL,
    QUERY_DIFFERENT,
    QUERY_LESS,
    QUERY_AT_MOST,
    QUERY_GREATER,
    QUERY_AT_LEAST,
    QUERY_LIKE,
    QUERY_IN,
    QUERY_NOT_IN,
};
struct query_condition {
    enum query_node node;
    struct query_condition **parts; /* of AND and OR any number (none: true, false), of NOT one */
    size_t part_count;
    struct query_field field;           /* the rest of a TEST */
    const struct query_item *aggregate; /* of that field; NULL: the field itself. Only behind HAVING */
    enum query_operator relation;
    const struct query_value *values; /* one, but of IN and NOT IN */
    size_t value_count;
};

/* ---- what is selected ---- */
enum query_function {
    QUERY_FIELD,
    QUERY_COUNT,
    QUERY_COUNT_DISTINCT,
    QUERY_MIN,
    QUERY_MAX,
    QUERY_AVG,
    QUERY_SUM,
};
struct query_item {
    enum query_function function;
    struct query_field field; /* COUNT(): Id, which is never null */
    const char *name;         /* what a row calls it: alias, expr0 .., or the field's name */
};
struct query_order {
    struct query_item item; /* a field or, of an aggregate query, also an aggregate */
    bool descending, nulls_first;
};

struct query_memory;
struct query {
    struct query_item *items;
    size_t item_count;
    bool count_only;               /* SELECT COUNT(): a number, no rows */
    bool aggregate;                /* rows are groups, or the one of an aggregate without GROUP BY */
    struct query_condition *where; /* NULL: all */
    struct query_field *groups;
    size_t group_count;
    struct query_condition *having; /* of groups; NULL: all */
    struct query_order *orders;
    size_t order_count;
    int64_t limit; /* -1: none */
    int64_t offset;
    bool relative;               /* to the moment: a condition has a period such as TODAY */
    struct query_memory *memory; /* everything above */
};

/* NULL: ST_INVALID, err says what is wrong and where. */
struct query *query_parse(const char *text, size_t size, struct err *err) MUST_CHECK;
/* The condition that stands behind WHERE alone; fields: "Id, Error" as behind SELECT, NULL: Id. */
struct query *query_parse_condition(const char *text, size_t size, const char *fields, struct err *err) MUST_CHECK;
/* Only what meets this condition, too. */
enum status query_narrow(struct query *query, const char *condition, struct err *err) MUST_CHECK;
void query_free(struct query *query);
/* What values of it are: of COUNT, AVG, .. numbers. */
enum field_type query_item_type(const struct query_item *item);

/* ---- running it ---- */
struct query_options {
    int64_t rows_held_max; /* 0: QUERY_ROWS_HELD_MAX */
    int64_t recovering_ms; /* how long a shard that replays its log is waited for; 0: not at all */
    int64_t now_ms;        /* the moment that TODAY is of; 0: that of Redis, as times of records are */
    bool identified;       /* rows that are records, and leaders in them, begin with a member QUERY_IDENTITY: the Id,
                              whether or not it is selected */
    /* Between two pages, also when nothing was found on them; the connection is free for other calls. false: no more, please
     * (query_run then answers ST_OK). NULL: nobody is told. */
    bool (*on_page)(void *arg);
    void *page_arg;
};
#define QUERY_IDENTITY "attributes"
/* One row, its members in the order of SELECT: texts, numbers, booleans, null, times as "2026-11-23T10:00:00.000+0000",
 * "GroupLeader": an object or null. Borrowed. false: no more rows, please (query_run then answers ST_OK). The
 * connection is free for other calls meanwhile. */
typedef bool query_on_row(void *arg, const json_t *row);
/* options may be NULL. *total (may be NULL): rows given to on_row; of SELECT COUNT() the number, and no row is
 * given. */
enum status query_run(const struct query *query, struct redis *redis, const struct query_options *options,
                      query_on_row *on_row, void *arg, int64_t *total, struct err *err) MUST_CHECK;

/* The query asks for times behind (>) a period that has not ended yet, such as TODAY: of what has happened there is
 * none. The period as written, or NULL; the caller frees it. */
char *query_looks_ahead(const struct query *query);

/* How query_run would go about it, for people: one JSON object of texts and what bgop_find is asked. No server is
 * needed: without options->now_ms the moment is this machine's. The caller decrefs it. */
json_t *query_explain(const struct query *query, const struct query_options *options);

#endif
