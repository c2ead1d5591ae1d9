/* Operations as the page lists them, by a condition as SOQL has it, and one of them with all that is known of it. */
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/query/page.h"
#include "common/view/view.h"
#include "coordinator/http/surface.h"

/* A page looks at some thousand records at most, each call of it takes some milliseconds of Redis. */
enum { PAGE_CALLS_MAX = 10, PAGE_MS_MAX = 60, TEXT_MAX_BYTES = 64 * 1024 };

#define LIST_FIELDS                                                                                           \
    "Id, Name, Type, Status, ParentKey, SubmittedAt, StartedAt, FinishedAt, ProcessAfter, LastModifiedDate, " \
    "RetryCount, RetryLimit, Error, SequenceGroup, SequenceNumber, WorkerUri"

/* ---- the list ---- */

static struct query *parse(struct call *call, const char *where)
{
    static const char all[] = "SELECT " LIST_FIELDS " FROM " OBJECT_NAME;

    return where && where[strspn(where, " \t\r\n")]
               ? query_parse_condition(where, strlen(where), LIST_FIELDS, &call->err)
               : query_parse(all, strlen(all), &call->err);
}

/* How many there are, where the numbers by Type and Status tell it; else null: counting would mean to look at all. */
static json_t *count(struct call *call, const struct query *query)
{
    struct query counting = *query;
    struct query_item item = { .function = QUERY_COUNT, .field = { FIELD_INDEX_ID, false }, .name = "expr0" };
    struct err err = ERR_INIT;
    int64_t total = -1;
    struct plan plan;
    bool counted;

    counting.items = &item;
    counting.item_count = 1;
    counting.count_only = counting.aggregate = true;
    plan_make(&plan, &counting, 0);
    counted = plan.way == PLAN_COUNTS;
    plan_release(&plan);
    if (!counted || query_run(&counting, call->ask.redis, NULL, NULL, NULL, &total, &err) != ST_OK)
        return json_null();
    return json_integer((json_int_t)total);
}

static bool add_row(void *arg, const json_t *row)
{
    json_array_append(arg, (json_t *)(uintptr_t)row);
    return true;
}

static bool read_limit(struct call *call, int *limit)
{
    const char *text = http_query(call->request, "limit");
    int64_t number = QUERY_PAGE_ROWS;

    if (text && !text_parse_int64(text, 1, QUERY_PAGE_ROWS_MAX, &number)) {
        answer_error(call->answer, 400, "MALFORMED_QUERY", "limit is a number from 1 to %d", QUERY_PAGE_ROWS_MAX);
        return false;
    }
    *limit = (int)number;
    return true;
}

/* {"rows":[..],"cursor":"..","total":n}: cursor null on the last page, total null where nobody counts. */
static void answer_list(struct call *call, const struct query *query, const struct query_page *page)
{
    json_t *rows = json_array();
    char *next = NULL;

    if (query_page(query, call->ask.redis, page, add_row, rows, &next, &call->err) == ST_OK) {
        call_answer(call, 200,
                    json_pack("{s:O, s:s?, s:o}", "rows", rows, "cursor", next, "total",
                              page->cursor ? json_null() : count(call, query)));
    } else {
        call_failed(call);
    }
    free(next);
    json_decref(rows);
}

void show_operations(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct query_page page = { .calls_max = PAGE_CALLS_MAX, .ms_max = PAGE_MS_MAX };
    struct query *query;
    struct call call;

    call_begin_own(&call, arg, request, answer);
    page.order = http_query(request, "order");
    page.cursor = http_query(request, "cursor");
    if (!read_limit(&call, &page.limit))
        return;
    query = parse(&call, http_query(request, "where"));
    if (query)
        answer_list(&call, query, &page);
    else
        call_failed(&call);
    query_free(query);
}

/* ---- one ---- */

static enum status read_history(struct call *call, const char *id, const json_t *record, json_t *history)
{
    const char *leader = json_string_value(json_object_get(record, "GroupLeaderId"));
    enum status st = view_history(&call->ask, id, TEXT_MAX_BYTES, history);

    if (st == ST_OK)
        st = view_payload(&call->ask, id, TEXT_MAX_BYTES, history);
    if (st == ST_OK && json_is_string(json_object_get(record, "ExecutionGroup")))
        st = view_group(&call->ask, leader ? leader : id, history);
    return st;
}

/* {"record":{..},"why":{..},"history":{"tries","commands","redrives","payload","out",..}} */
static void answer_operation(struct call *call, const char *id)
{
    json_t *rows = NULL, *why = NULL, *history = json_object(), *record;
    enum status st = ask_function(&call->ask, &rows, ASK_ALL_SHARDS, "bgop_retrieve", (const char *[]){ "*", id }, 2);

    record = json_array_get(rows, 0);
    if (st == ST_OK && !json_is_object(record))
        st = ST_MISSING;
    if (st == ST_OK)
        st = read_history(call, id, record, history);
    if (st == ST_OK)
        st = ask_function(&call->ask, &why, ASK_ALL_SHARDS, "bgop_why", (const char *[]){ id }, 1);
    if (st == ST_OK)
        call_answer(call, 200, json_pack("{s:O, s:O, s:O}", "record", record, "why", why, "history", history));
    else if (st == ST_MISSING)
        answer_not_found(call->answer);
    else
        call_failed(call);
    json_decref(rows);
    json_decref(why);
    json_decref(history);
}

void show_operation(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *given = http_param(request, "id");
    struct id_parts parts;
    char id[ID_SIZE];
    struct call call;

    call_begin_own(&call, arg, request, answer);
    if (id_read(id, given, strlen(given), &parts))
        answer_operation(&call, id);
    else
        answer_error(answer, 400, "MALFORMED_ID", "malformed id %.40s", given);
}
