/* From the records that are found to the rows that are answered: each record goes through one of three ways, of which
 * the query needs one. Pure but for on_row and the leaders that are looked up for rows about to be answered. */
#ifndef BGOP_QUERY_ROWS_H
#define BGOP_QUERY_ROWS_H

#include "common/query/ask.h"
#include "common/query/plan.h"

/* ---- answering: OFFSET, LIMIT, the members of SELECT (answer.c) ---- */
struct answer {
    const struct plan *plan;
    struct ask *ask;
    query_on_row *on_row;
    void *arg;
    json_t *waiting;    /* records to be answered, until their leaders are looked up */
    int64_t skip, left; /* left -1: no LIMIT */
    int64_t total;
    bool stopped;    /* on_row wants no more */
    bool identified; /* as query_options has it */
};
void answer_start(struct answer *answer, const struct plan *plan, struct ask *ask, query_on_row *on_row, void *arg);
void answer_release(struct answer *answer);
bool answer_full(const struct answer *answer);
/* A record as bgop_find answers it, or a finished row of an aggregate; the reference is the answer's. */
enum status answer_add(struct answer *answer, json_t *row) MUST_CHECK;
enum status answer_flush(struct answer *answer) MUST_CHECK;

/* ---- ORDER BY: all rows, or the first OFFSET + LIMIT of them (sort.c) ---- */
struct sorted_row;
struct sort {
    const struct query_order *orders;
    size_t order_count;
    struct sorted_row **rows; /* a heap with the last of them on top, once `wanted` are there */
    size_t count, capacity, wanted, held_max;
    uint64_t number;
    struct err *err;
};
void sort_start(struct sort *sort, const struct plan *plan, int64_t held_max, struct err *err);
void sort_release(struct sort *sort);
/* values: an array with what each order compares, or NULL: the row's own fields. Both references are the sort's.
 * ST_INVALID: more than may be held. */
enum status sort_add(struct sort *sort, json_t *row, json_t *values) MUST_CHECK;
/* Records come in the order of the first key, and all from here on stand behind those that are kept. */
bool sort_settled(const struct sort *sort, const json_t *row);
/* Puts them in order, ready to be taken from the front. */
void sort_finish(struct sort *sort);
json_t *sort_take(struct sort *sort, size_t index);

/* ---- aggregates (group.c) ---- */
struct group;
struct groups {
    const struct query *query;
    const struct query_condition *having;
    const struct query_item **tallies; /* the aggregates of SELECT, HAVING and ORDER BY, each once */
    size_t tally_count;
    struct group **groups;
    size_t count, capacity;
    json_t *index;              /* key -> number of the group */
    json_t *distinct;           /* values that COUNT_DISTINCT has seen */
    struct query_order *orders; /* ORDER BY, or the grouped fields */
    size_t order_count;
    int64_t held_max;
    struct err *err;
};
void groups_start(struct groups *groups, const struct plan *plan, int64_t held_max, struct err *err);
void groups_release(struct groups *groups);
/* weight: how many records this row stands for. ST_INVALID: more groups or values than may be held. */
enum status groups_add(struct groups *groups, const json_t *row, int64_t weight) MUST_CHECK;
/* COUNT() of everything. */
int64_t groups_count(const struct groups *groups);
/* The groups that HAVING leaves as rows, and what they are ordered by. */
enum status groups_sort(const struct groups *groups, struct sort *sort) MUST_CHECK;

#endif
