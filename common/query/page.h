/* One page of the records that meet a condition, in bounded time whatever the queue holds: for those who look at a list
 * and go on when they want more. Where query_run goes through all that there is, a page stops after some calls of
 * bgop_find, with what it has found and a cursor. So a page may be short, or empty, while there is a cursor. */
#ifndef BGOP_QUERY_PAGE_H
#define BGOP_QUERY_PAGE_H

#include "common/query/query.h"

enum { QUERY_PAGE_ROWS_MAX = 200, QUERY_PAGE_ROWS = 50 };

struct query_page {
    int limit;          /* rows, 1 to QUERY_PAGE_ROWS_MAX */
    int calls_max;      /* of bgop_find, each of some milliseconds */
    int ms_max;         /* after so long no further call is made */
    const char *order;  /* one of query_page_orders; NULL: "-SubmittedAt" */
    const char *cursor; /* of the page before; NULL: the first */
};
/* What bgop_find can go through in pages: NULL behind the last. */
extern const char *const query_page_orders[];

/* The rows go to on_row as in query_run, with what is selected and what the condition looks at; the query has neither
 * aggregates nor clauses behind WHERE. *next: the cursor of the next page, freed by the caller; NULL: this was the last.
 * Pages neither repeat nor lose a record that is there, and meets the condition, all the while. Spellings of a Name or
 * ParentKey come one after the other, and Ids beyond 500 in lots: the order is that of each. */
enum status query_page(const struct query *query, struct redis *redis, const struct query_page *page,
                       query_on_row *on_row, void *arg, char **next, struct err *err) MUST_CHECK;

#endif
