/* Query answers of which a client has seen only the first page. A locator keeps the Ids of the records behind it, so
 * pages neither repeat nor miss what was found; rows of aggregates, which have no Id, are kept as they are. Locators live
 * in this process: they are forgotten after LOCATOR_LIFE_MS without use, and the least used go when all of them together
 * need more than LOCATORS_MAX_BYTES. Times are handed in. Threads may call all of these side by side. */
#ifndef BGOP_COORDINATOR_HTTP_LOCATORS_H
#define BGOP_COORDINATOR_HTTP_LOCATORS_H

#include <pthread.h>
#include <sys/queue.h>

#include "common/base/buf.h"
#include "common/record/id.h"

enum {
    LOCATOR_KEY_SIZE = 21, /* 20 letters and digits that nobody guesses */
    LOCATOR_LIFE_MS = 15 * 60 * 1000,
    LOCATORS_MAX_BYTES = 64 * 1024 * 1024,
};

struct locator {
    TAILQ_ENTRY(locator) entry;
    char key[LOCATOR_KEY_SIZE];
    int64_t used_at_ms;
    size_t total;   /* rows, with those of the first page */
    size_t first;   /* rows that were on it: what is kept begins behind them */
    char *select;   /* of records: the query but for its Ids; NULL: rows are kept */
    struct buf ids; /* ID_LENGTH bytes each */
    char **rows;    /* JSON texts */
    size_t row_count, row_capacity, row_bytes;
};
TAILQ_HEAD(locator_list, locator);

struct locators {
    pthread_mutex_t lock;
    struct locator_list list; /* the least used first */
    size_t bytes;
};

void locators_init(struct locators *locators);
void locators_release(struct locators *locators);

/* select NULL: rows will be kept. */
struct locator *locator_new(const char *select);
void locator_free(struct locator *locator);
void locator_add_id(struct locator *locator, const char *id);
void locator_add_row(struct locator *locator, char *json); /* takes it over */
size_t locator_count(const struct locator *locator);       /* of what is kept */

/* Takes the locator over and writes its key. */
void locators_put(struct locators *locators, struct locator *locator, int64_t now_ms, char key[LOCATOR_KEY_SIZE]);

/* A page of one, to be released. */
struct locator_page {
    size_t total, count;
    char *select;    /* NULL: rows */
    struct buf ids;  /* ID_LENGTH bytes each */
    struct buf rows; /* JSON texts with commas between them */
};
/* Rows from offset on, max at most. false: no such locator, or not so many rows. */
bool locators_page(struct locators *locators, const char *key, size_t offset, size_t max, int64_t now_ms,
                   struct locator_page *page);
void locator_page_release(struct locator_page *page);

#endif
