/* SOQL over HTTP: common/query does the work; here rows are dressed, counted and cut into pages. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "coordinator/http/columns.h"
#include "coordinator/http/surface.h"

enum {
    PAGE_ROWS_LEAST = 200,
    PAGE_ROWS_MOST = 2000,
    QUERY_ROWS_MAX = 1000000, /* of one answer, over all of its pages */
};

/* What a run of a query brings. */
struct collect {
    struct call *call;
    const struct query *query;
    size_t page_rows; /* so many rows are the first page */
    size_t total;
    struct buf page;         /* their JSON texts, with commas between */
    struct locator *locator; /* what is behind it; NULL: nothing */
    char *select;            /* for the locator of records */
};

/* ---- rows as they are answered ---- */

static void dress(const struct call *call, json_t *record)
{
    const char *id = json_string_value(json_object_get(record, QUERY_IDENTITY));

    json_object_set_new(record, QUERY_IDENTITY, call_attributes(call, id ? id : ""));
}

static json_t *dressed(const struct call *call, const struct query *query, const json_t *row)
{
    json_t *out, *leader;

    if (query->aggregate) {
        out = json_pack("{s:{s:s}}", QUERY_IDENTITY, "type", "AggregateResult");
        json_object_update(out, (json_t *)(uintptr_t)row);
        return out;
    }
    out = json_copy((json_t *)(uintptr_t)row);
    dress(call, out);
    leader = json_object_get(out, "GroupLeader");
    if (json_is_object(leader)) {
        leader = json_copy(leader);
        dress(call, leader);
        json_object_set_new(out, "GroupLeader", leader);
    }
    return out;
}

static void append_row(struct collect *collect, const json_t *row)
{
    json_t *out = dressed(collect->call, collect->query, row);

    buf_append_string(&collect->page, collect->page.size ? "," : "");
    http_append_json(&collect->page, out);
    json_decref(out);
}

static void keep_row(struct collect *collect, const json_t *row)
{
    json_t *out;

    if (!collect->locator)
        collect->locator = locator_new(collect->query->aggregate ? NULL : collect->select);
    if (!collect->query->aggregate) {
        locator_add_id(collect->locator, json_string_value(json_object_get(row, QUERY_IDENTITY)));
        return;
    }
    out = dressed(collect->call, collect->query, row);
    locator_add_row(collect->locator, json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(15)));
    json_decref(out);
}

static bool on_row(void *arg, const json_t *row)
{
    struct collect *collect = arg;

    if (collect->total < collect->page_rows)
        append_row(collect, row);
    else
        keep_row(collect, row);
    collect->total++;
    return collect->total <= QUERY_ROWS_MAX && !atomic_load(&collect->call->endpoint->stopping);
}

/* ---- a query ---- */

/* "SELECT Id, GroupLeader.Name FROM BackgroundOperation WHERE Id IN (": what a page of Ids is asked with. */
static char *select_of(const struct query *query)
{
    struct buf text;

    buf_init(&text, QUERY_TEXT_MAX);
    buf_append_string(&text, "SELECT ");
    for (size_t i = 0; i < query->item_count; i++) {
        const struct query_field *field = &query->items[i].field;

        buf_printf(&text, "%s%s%s", i ? ", " : "", field->of_leader ? "GroupLeader." : "",
                   record_fields[field->index].name);
    }
    buf_append_string(&text, " FROM " OBJECT_NAME " WHERE Id IN (");
    return buf_take(&text);
}

/* "Sforce-Query-Options: batchSize=500" */
static size_t page_rows_of(const struct http_request *request)
{
    const char *options = http_header(request, "Sforce-Query-Options");
    const char *size = options ? strcasestr(options, "batchSize=") : NULL;
    long long rows = size ? strtoll(size + strlen("batchSize="), NULL, 10) : PAGE_ROWS_MOST;

    return (size_t)(rows < PAGE_ROWS_LEAST ? PAGE_ROWS_LEAST : rows > PAGE_ROWS_MOST ? PAGE_ROWS_MOST : rows);
}

/* {"totalSize":5000,"done":false,"nextRecordsUrl":"...","records":[rows]}; key NULL: done. */
static void answer_rows(struct call *call, size_t total, const char *key, size_t next, const struct buf *rows)
{
    struct buf *body = &call->answer->body;

    buf_clear(body);
    buf_printf(body, "{\"totalSize\":%zu,\"done\":%s", total, key ? "false" : "true");
    if (key)
        buf_printf(body, ",\"nextRecordsUrl\":\"/services/data/v%d.0/query/%s-%zu\"", call->version, key, next);
    buf_append_string(body, ",\"records\":[");
    if (rows->size)
        buf_append(body, rows->data, rows->size);
    buf_append_string(body, "]}");
    body->overflow = body->overflow || rows->overflow;
    call->answer->content_type = "application/json;charset=UTF-8";
}

static enum status run(struct collect *collect)
{
    struct call *call = collect->call;
    const struct query_options options = { .identified = true };
    int64_t total = 0;
    enum status st = query_run(collect->query, call->ask.redis, &options, on_row, collect, &total, &call->err);

    if (st == ST_OK && collect->total > QUERY_ROWS_MAX) {
        st = err_set(&call->err, ST_INVALID, "EXCEEDED_ID_LIMIT more than %d rows: use LIMIT, or a narrower WHERE",
                     QUERY_ROWS_MAX);
    }
    if (st == ST_OK && atomic_load(&call->endpoint->stopping))
        st = err_set(&call->err, ST_AGAIN, "the coordinator ends");
    if (collect->query->count_only)
        collect->total = (size_t)total;
    return st;
}

static void answer_query(struct call *call, const struct query *query)
{
    struct collect collect = { .call = call, .query = query, .page_rows = page_rows_of(call->request) };
    char key[LOCATOR_KEY_SIZE];
    bool more;

    collect.select = select_of(query);
    buf_init(&collect.page, HTTP_ANSWER_MAX_BYTES);
    if (run(&collect) == ST_OK) {
        more = collect.locator != NULL;
        if (more) {
            collect.locator->total = collect.total;
            collect.locator->first = collect.page_rows;
            locators_put(&call->endpoint->locators, collect.locator, clock_boot_ms(), key);
            collect.locator = NULL;
        }
        answer_rows(call, collect.total, more ? key : NULL, collect.page_rows, &collect.page);
    } else {
        call_failed(call);
    }
    locator_free(collect.locator);
    buf_release(&collect.page);
    free(collect.select);
}

void show_query(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *text = http_query(request, "q"), *columns = http_query(request, "columns");
    struct query *query;
    struct call call;

    if (!call_begin(&call, arg, request, answer))
        return;
    query = query_parse(text ? text : "", text ? strlen(text) : 0, &call.err);
    if (!query)
        call_failed(&call);
    else if (columns && strcasecmp(columns, "true") == 0)
        call_answer(&call, 200, columns_json(query));
    else
        answer_query(&call, query);
    query_free(query);
}

/* ---- a further page ---- */

/* key-offset; false: no such thing. */
static bool read_locator(const char *text, char key[LOCATOR_KEY_SIZE], size_t *offset)
{
    int64_t number;

    if (strlen(text) < LOCATOR_KEY_SIZE || text[LOCATOR_KEY_SIZE - 1] != '-' ||
        !text_parse_int64(text + LOCATOR_KEY_SIZE, 0, QUERY_ROWS_MAX, &number))
        return false;
    memcpy(key, text, LOCATOR_KEY_SIZE - 1);
    key[LOCATOR_KEY_SIZE - 1] = '\0';
    *offset = (size_t)number;
    return true;
}

static bool put_by_id(void *arg, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, QUERY_IDENTITY));

    json_object_set(arg, id ? id : "", (json_t *)(uintptr_t)row);
    return true;
}

/* The rows of these Ids, by Id. */
static enum status fetch(struct call *call, const struct locator_page *page, struct query **query, json_t *by_id)
{
    const struct query_options options = { .identified = true };
    struct buf text;
    enum status st;

    buf_init(&text, QUERY_TEXT_MAX);
    buf_append_string(&text, page->select);
    for (size_t i = 0; i < page->count; i++)
        buf_printf(&text, "%s'%.*s'", i ? "," : "", ID_LENGTH, page->ids.data + i * ID_LENGTH);
    buf_append_char(&text, ')');
    *query = query_parse(text.data, text.size, &call->err);
    st = *query ? query_run(*query, call->ask.redis, &options, put_by_id, by_id, NULL, &call->err) : ST_INVALID;
    buf_release(&text);
    return st;
}

/* In the order of the Ids. What was removed since the query was asked is not there any more. */
static enum status append_fetched(struct collect *collect, const struct locator_page *page)
{
    json_t *by_id = json_object();
    struct query *query = NULL;
    enum status st = fetch(collect->call, page, &query, by_id);

    collect->query = query;
    for (size_t i = 0; i < page->count && st == ST_OK; i++) {
        const json_t *row = json_object_getn(by_id, page->ids.data + i * ID_LENGTH, ID_LENGTH);

        if (row)
            append_row(collect, row);
    }
    query_free(query);
    json_decref(by_id);
    return st;
}

static void answer_page(struct call *call, const char *key, size_t offset, const struct locator_page *page)
{
    struct collect collect = { .call = call };
    size_t next = offset + page->count;
    bool done = next >= page->total;

    buf_init(&collect.page, HTTP_ANSWER_MAX_BYTES);
    if (!page->select)
        answer_rows(call, page->total, done ? NULL : key, next, &page->rows);
    else if (append_fetched(&collect, page) == ST_OK)
        answer_rows(call, page->total, done ? NULL : key, next, &collect.page);
    else
        call_failed(call);
    buf_release(&collect.page);
}

void show_more(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct locator_page page;
    char key[LOCATOR_KEY_SIZE];
    struct call call;
    size_t offset;

    if (!call_begin(&call, arg, request, answer))
        return;
    if (read_locator(http_param(request, "locator"), key, &offset) &&
        locators_page(&call.endpoint->locators, key, offset, page_rows_of(request), clock_boot_ms(), &page)) {
        answer_page(&call, key, offset, &page);
        locator_page_release(&page);
        return;
    }
    answer_error(answer, 400, "INVALID_QUERY_LOCATOR", "invalid query locator");
}
