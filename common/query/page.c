/* The cursor is a JSON array: which part of the query's plan (a spelling, a lot of Ids; "" when it has one), and the
 * cursor of bgop_find in it. */
#include "common/query/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/query/ask.h"

const char *const query_page_orders[] = { "-SubmittedAt", "SubmittedAt", "-LastModifiedDate", NULL };

struct paging {
    const struct query_page *page;
    const struct plan *plan;
    struct ask ask;
    query_on_row *on_row;
    void *arg;
    char **parts; /* in order; owned */
    size_t part_count, part;
    json_t *cursor; /* of bgop_find in that part; NULL: its beginning */
    int rows, calls;
    bool stopped; /* on_row wants no more */
};

/* ---- parts ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each once. */
static void sort_parts(struct paging *paging)
{
    size_t kept = 0;

    if (paging->part_count > 0)
        qsort(paging->parts, paging->part_count, sizeof *paging->parts, compare_texts);
    for (size_t i = 0; i < paging->part_count; i++) {
        if (kept > 0 && strcmp(paging->parts[kept - 1], paging->parts[i]) == 0)
            free(paging->parts[i]);
        else
            paging->parts[kept++] = paging->parts[i];
    }
    paging->part_count = kept;
}

static enum status list_spellings(struct paging *paging)
{
    json_t *spellings = NULL, *spelling;
    enum status st = ask_spellings(&paging->ask, &spellings, paging->plan->spelled);
    size_t i;

    paging->parts = xcalloc(json_array_size(spellings) + 1, sizeof *paging->parts);
    json_array_foreach(spellings, i, spelling) paging->parts[paging->part_count++] =
        xstrdup(json_string_value(spelling));
    json_decref(spellings);
    sort_parts(paging);
    return st;
}

static void list_ids(struct paging *paging)
{
    const struct query_condition *ids = paging->plan->ids;

    paging->parts = xcalloc(ids->value_count + 1, sizeof *paging->parts);
    for (size_t i = 0; i < ids->value_count; i++)
        paging->parts[paging->part_count++] = xstrdup(ids->values[i].text);
    sort_parts(paging);
}

static enum status list_parts(struct paging *paging)
{
    if (paging->plan->spelled)
        return list_spellings(paging);
    if (paging->plan->ids) {
        list_ids(paging);
        return ST_OK;
    }
    paging->parts = xcalloc(1, sizeof *paging->parts);
    paging->parts[paging->part_count++] = xstrdup("");
    return ST_OK;
}

/* Ids go in lots, anything else one by one. */
static size_t part_end(const struct paging *paging)
{
    size_t size = paging->plan->ids ? PLAN_VALUES_MAX : 1, left = paging->part_count - paging->part;

    return paging->part + (left < size ? left : size);
}

/* The one more condition of this part; NULL: none. */
static json_t *part_condition(const struct paging *paging)
{
    json_t *lot;

    if (paging->plan->spelled) {
        return json_pack("[s,s,s]", record_fields[paging->plan->spelled->field.index].name, "=",
                         paging->parts[paging->part]);
    }
    if (!paging->plan->ids)
        return NULL;
    lot = json_array();
    for (size_t i = paging->part; i < part_end(paging); i++)
        json_array_append_new(lot, json_string(paging->parts[i]));
    return json_pack("[s,s,o]", "Id", "in", lot);
}

/* ---- cursors ---- */

static enum status begin_at(struct paging *paging, const char *cursor)
{
    json_t *given = cursor ? json_loads(cursor, 0, NULL) : NULL, *inside = json_array_get(given, 1);
    const char *part = json_string_value(json_array_get(given, 0));

    if (!cursor)
        return ST_OK;
    if (!part || json_array_size(given) != 2 || !(json_is_string(inside) || json_is_null(inside))) {
        json_decref(given);
        return err_set(paging->ask.err, ST_INVALID, "MALFORMED_QUERY the cursor does not belong to this query");
    }
    while (paging->part < paging->part_count && strcmp(paging->parts[paging->part], part) < 0)
        paging->part++;
    if (paging->part < paging->part_count && strcmp(paging->parts[paging->part], part) == 0 && json_is_string(inside))
        paging->cursor = json_incref(inside);
    json_decref(given);
    return ST_OK;
}

static char *cursor_text(const struct paging *paging)
{
    json_t *cursor;
    char *text;

    if (paging->part >= paging->part_count)
        return NULL;
    cursor = json_pack("[s,O]", paging->parts[paging->part], paging->cursor ? paging->cursor : json_null());
    text = json_dumps(cursor, JSON_COMPACT);
    json_decref(cursor);
    return text;
}

/* ---- a call ---- */

static json_t *find_of(const struct paging *paging)
{
    json_t *find = json_deep_copy(paging->plan->find), *condition = part_condition(paging);
    const char *order = paging->page->order ? paging->page->order : query_page_orders[0];

    if (condition)
        json_array_append_new(json_object_get(find, "where"), condition);
    json_object_set_new(find, "order", json_string(order));
    json_object_set_new(find, "limit", json_integer(paging->page->limit - paging->rows));
    if (paging->cursor)
        json_object_set(find, "cursor", paging->cursor);
    return find;
}

static enum status take_rows(struct paging *paging, json_t *rows)
{
    enum status st = ST_OK;
    json_t *row;
    size_t i;

    if (paging->plan->leader_fields.count > 0 && json_array_size(rows) > 0)
        st = ask_leaders(&paging->ask, rows, &paging->plan->leader_fields);
    json_array_foreach(rows, i, row)
    {
        if (st == ST_OK && !paging->stopped && condition_matches(paging->plan->rest, row)) {
            paging->rows++;
            paging->stopped = !paging->on_row(paging->arg, row);
        }
    }
    return st;
}

static void go_on(struct paging *paging, const json_t *cursor)
{
    json_decref(paging->cursor);
    paging->cursor = NULL;
    if (json_is_string(cursor))
        paging->cursor = json_incref((json_t *)(uintptr_t)cursor);
    else
        paging->part = part_end(paging);
}

static enum status call(struct paging *paging)
{
    json_t *find = find_of(paging), *answer = NULL;
    char *text = json_dumps(find, JSON_COMPACT);
    enum status st = ask_function(&paging->ask, &answer, ASK_ALL_SHARDS, "bgop_find", (const char *[]){ text }, 1);

    paging->calls++;
    if (st == ST_OK)
        st = take_rows(paging, json_object_get(answer, "rows"));
    if (st == ST_OK)
        go_on(paging, json_object_get(answer, "cursor"));
    free(text);
    json_decref(answer);
    json_decref(find);
    return st;
}

/* ---- the page ---- */

static enum status check(const struct query *query, const struct query_page *page, struct err *err)
{
    const char *const *order = query_page_orders;

    BGOP_ASSERT(!query->aggregate && page->limit > 0 && page->limit <= QUERY_PAGE_ROWS_MAX && page->calls_max > 0);
    while (page->order && *order && strcmp(*order, page->order) != 0)
        order++;
    if (!*order) {
        return err_set(err, ST_INVALID,
                       "INVALID_FIELD pages come in the order -SubmittedAt, SubmittedAt or "
                       "-LastModifiedDate, not %.60s",
                       page->order);
    }
    return ST_OK;
}

static enum status run(struct paging *paging)
{
    int64_t end_ms = clock_boot_ms() + paging->page->ms_max;
    enum status st = list_parts(paging);

    if (st == ST_OK)
        st = begin_at(paging, paging->page->cursor);
    while (st == ST_OK && paging->part < paging->part_count && paging->rows < paging->page->limit &&
           paging->calls < paging->page->calls_max && !paging->stopped &&
           (paging->calls == 0 || clock_boot_ms() < end_ms))
        st = call(paging);
    return st;
}

enum status query_page(const struct query *query, struct redis *redis, const struct query_page *page,
                       query_on_row *on_row, void *arg, char **next, struct err *err)
{
    struct paging paging = { .page = page, .ask = { redis, 0, err }, .on_row = on_row, .arg = arg };
    enum status st = check(query, page, err);
    struct plan plan;
    int64_t now_ms = 0;

    *next = NULL;
    if (st == ST_OK && query->relative)
        st = ask_now(&paging.ask, &now_ms);
    if (st != ST_OK)
        return st;
    plan_make(&plan, query, now_ms);
    paging.plan = &plan;
    st = run(&paging);
    if (st == ST_OK)
        *next = cursor_text(&paging);
    for (size_t i = 0; i < paging.part_count; i++)
        free(paging.parts[i]);
    free(paging.parts);
    json_decref(paging.cursor);
    plan_release(&plan);
    return st;
}
