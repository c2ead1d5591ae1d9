/* What a query asks of Redis and what it does itself. Pure: a plan is made from the query alone; what depends on the
 * queue (how a ParentKey is spelled in it) is marked and looked up when it runs. */
#ifndef BGOP_QUERY_PLAN_H
#define BGOP_QUERY_PLAN_H

#include "common/query/match.h"
#include "common/query/query.h"

enum {
    PLAN_PAGE_ROWS = 200,     /* rows of one bgop_find, rows of one bgop_retrieve */
    PLAN_CONDITIONS_MAX = 50, /* of one bgop_find, and values of one "in" */
    PLAN_VALUES_MAX = 500,
    PLAN_FIND_BYTES_MAX = 48000, /* of its argument */
    PLAN_NAMES_MAX = 1 << 14,    /* ways to write the Names, and the ParentKeys, of one condition in large and small */
    PLAN_PARENT_KEYS_MAX = 1 << 18, /* letters; these are looked for before the queue is asked */
};

/* Fields in the order they were first seen, each once. */
struct field_set {
    struct query_field fields[2 * FIELD_COUNT];
    size_t count;
};

enum plan_way {
    PLAN_FIND,    /* pages of bgop_find */
    PLAN_COUNTS,  /* the numbers of records, by Type and Status */
    PLAN_NOTHING, /* no record can meet the condition, or LIMIT 0 */
};
struct plan {
    const struct query *query;
    enum plan_way way;
    int64_t now_ms;                 /* the moment of its periods */
    struct query_condition *where;  /* in normal form, as all conditions here without periods; NULL: all */
    struct query_condition *having; /* NULL: all groups */
    json_t *find;                   /* {"where":[...],"order":..,"fields":[..],"limit":..} */
    /* Runs of bgop_find, one after the other, each with one more condition: Ids in lots of 500; or the spellings of a
     * Name or ParentKey that are in the queue, known only when it runs. Neither: one run. */
    struct query_condition *ids, *spelled;
    struct query_condition *rest;   /* what rows are tested for here; NULL: nothing is left */
    struct field_set leader_fields; /* GroupLeader.X, of any clause */
    bool leaders_early;             /* they are needed before it is known which rows are answered */
    bool by_submission;             /* the first key of ORDER BY is SubmittedAt: so bgop_find is asked */
    bool ordered;                   /* one run of bgop_find answers in the order of the whole ORDER BY */
    bool by_status;                 /* a Status with an index is asked for */
    bool by_shard;                  /* the order of records means nothing: shards are asked one after the other */
    struct query_memory *memory;
};

void plan_make(struct plan *plan, const struct query *query, int64_t now_ms);
void plan_release(struct plan *plan);
/* ---- push.c ---- */
/* Conditions of bgop_find that hold wherever this part of the condition holds: a list, none of them if there are none.
 * exact: and only there. The caller decrefs it. */
json_t *condition_push(const struct query_condition *part, bool *exact);
/* Ways to write a text: 2 to the number of its ASCII letters, or SIZE_MAX. */
size_t spelling_count(const char *text, size_t size);
/* Writes the number-th of them into to (size bytes and a NUL). */
void spelling_write(char *to, const char *text, size_t size, size_t number);

#endif
