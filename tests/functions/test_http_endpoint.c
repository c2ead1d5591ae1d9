/* The HTTP endpoint over real records: every route that asks Redis, as clients ask it. */
#include "tests/functions/filled_queue.h"

#include <unistd.h>

#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "tests/support/http_client.h"

#define V              "/services/data/v59.0"
#define O              V "/sobjects/BackgroundOperation"
#define C              V "/composite/sobjects/BackgroundOperation"
#define BEARER         "Authorization: Bearer secret\r\n"
#define FROM           "+FROM+BackgroundOperation"
#define ATTRIBUTES(id) "\"attributes\":{\"type\":\"BackgroundOperation\",\"url\":\"" O "/" id "\"}"

static struct config config;
static struct endpoint *endpoint;
static char token_file[] = "/tmp/bgop-test-token-XXXXXX";

static void set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static int start(void **state)
{
    struct err err = ERR_INIT;
    FILE *file;

    (void)state;
    redis_server_start(&server, false);
    log_start("test", LOG_LEVEL_ERROR, false);
    file = fdopen(mkstemp(token_file), "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    config_init(&config);
    set("redis", "url", server.url);
    set("http", "listen", "127.0.0.1:0");
    set("http", "token_file", token_file);
    if (endpoint_start(&endpoint, &config, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    endpoint_stop(endpoint);
    config_release(&config);
    unlink(token_file);
    redis_server_stop(&server);
    return 0;
}

/* ---- asking ---- */

static const char *ask_with(const char *method, const char *path, const char *headers, const char *body, int status)
{
    const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), method, path, headers, body);
    size_t size = reply->size;

    if (size > 0 && reply->body[size - 1] == '\n')
        reply->body[size - 1] = '\0';
    if (reply->status != status)
        fail_msg("%s %s: expected %d, got %d %s", method, path, status, reply->status, reply->body);
    return reply->body;
}

static void expect(const char *path, int status, const char *expected)
{
    const char *body = ask_with("GET", path, BEARER, NULL, status);

    if (strcmp(body, expected) != 0)
        fail_msg("GET %s: expected\n%s, got\n%s", path, expected, body);
}

static json_t *ask_json(const char *path, const char *headers)
{
    json_error_t error;
    json_t *json = json_loads(ask_with("GET", path, headers, NULL, 200), 0, &error);

    assert_non_null(json);
    return json;
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "(none)";
}

/* ---- describe ---- */

static void the_object_is_described(void **state)
{
    json_t *object = ask_json(O "/describe", BEARER), *field;
    const json_t *urls = json_object_get(object, "urls");
    size_t i, lookups = 0;

    (void)state;
    assert_int_equal(json_object_size(object), 28 + 17);
    assert_string_equal(text_of(urls, "rowTemplate"), O "/{ID}");
    assert_string_equal(text_of(urls, "describe"), O "/describe");
    assert_string_equal(text_of(urls, "sobject"), O);
    assert_int_equal(json_object_size(urls), 3);
    assert_int_equal(json_array_size(json_object_get(object, "fields")), FIELD_COUNT);
    json_array_foreach(json_object_get(object, "fields"), i, field)
    {
        assert_string_equal(text_of(field, "name"), record_fields[i].name);
        assert_int_equal(json_object_size(field), 57);
        lookups += json_is_true(json_object_get(field, "idLookup"));
    }
    assert_int_equal(lookups, 4);
    json_decref(object);
}

static void objects_are_listed(void **state)
{
    json_t *all = ask_json(V "/sobjects/", BEARER), *one = ask_json(V "/sobjects/backgroundoperation/", BEARER);
    const json_t *entry = json_array_get(json_object_get(all, "sobjects"), 0);

    (void)state;
    assert_string_equal(text_of(all, "encoding"), "UTF-8");
    assert_int_equal(json_integer_value(json_object_get(all, "maxBatchSize")), 200);
    assert_int_equal(json_object_size(entry), 28);
    assert_string_equal(text_of(entry, "keyPrefix"), "08P");
    assert_true(json_equal(entry, json_object_get(one, "objectDescribe")));
    assert_int_equal(json_array_size(json_object_get(one, "recentItems")), 0);
    json_decref(all);
    json_decref(one);
}

/* ---- records ---- */

static void a_record_is_read_by_id(void **state)
{
    json_t *row;

    (void)state;
    expect(O "/08P003000000006EAA?fields=status,Error,Status", 200,
           "{" ATTRIBUTES("08P003000000006EAA") ",\"Id\":\"08P003000000006EAA\",\"Status\":\"Error\","
                                                "\"Error\":\"No such 100% host\"}");
    expect(O "/08P003000000006/?fields=Id%2CSubmittedAt,", 200,
           "{" ATTRIBUTES("08P003000000006EAA") ",\"Id\":\"08P003000000006EAA\",\"SubmittedAt\":"
                                                "\"2023-11-14T22:13:56.000+0000\"}");
    row = ask_json("/services/data/v35.0/sobjects/backgroundOPERATION/08P003000000001EAA", BEARER);
    assert_int_equal(json_object_size(row), 1 + FIELD_COUNT);
    assert_string_equal(text_of(json_object_get(row, "attributes"), "url"),
                        "/services/data/v35.0/sobjects/BackgroundOperation/08P003000000001EAA");
    assert_true(json_is_null(json_object_get(row, "FinishedAt")));
    assert_true(json_is_false(json_object_get(row, "IsDeleted")));
    assert_int_equal(json_integer_value(json_object_get(row, "RetryLimit")), 3);
    json_decref(row);
    expect(O "/08P00300000000zEAA", 404,
           "[{\"message\":\"The requested resource does not exist\",\"errorCode\":\"NOT_FOUND\"}]");
    ask_with("HEAD", O "/08P003000000001EAA", BEARER, NULL, 200);
}

static void a_field_leads_to_one_or_several(void **state)
{
    (void)state;
    expect(O "/name/n6?fields=Id", 200, "{" ATTRIBUTES("08P003000000006EAA") ",\"Id\":\"08P003000000006EAA\"}");
    expect(O "/Name/BO-08P003000000003?fields=Id", 200,
           "{" ATTRIBUTES("08P003000000003EAA") ",\"Id\":\"08P003000000003EAA\"}");
    expect(O "/Id/08P003000000006?fields=Id", 200,
           "{" ATTRIBUTES("08P003000000006EAA") ",\"Id\":\"08P003000000006EAA\"}");
    expect(O "/ParentKey/42", 300, "[\"" O "/08P003000000005EAA\",\"" O "/08P003000000004EAA\"]");
    expect(O "/ParentKey/acct-2?fields=Name", 200,
           "{" ATTRIBUTES("08P000000000009EAA") ",\"Id\":\"08P000000000009EAA\",\"Name\":\"n9\"}");
    expect(O "/ParentKey/ACCT-2", 404,
           "[{\"message\":\"The requested resource does not exist\",\"errorCode\":\"NOT_FOUND\"}]");
    ask_with("GET", O "/WorkerUri/http%3A%2F%2Fw1", BEARER, NULL, 300);
    ask_with("GET", O "/WorkerUri/http:%2F%2Fw2", BEARER, NULL, 404);
    ask_with("GET", O "/ParentKey/42?fields=Nonsense", BEARER, NULL, 400);
}

/* A value with a blank, which the texts of the test's commands cannot have. */
static void put_a_blank_into(const char *id, const char *from, const char *to)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    char record[64], index[64], blank[64];

    snprintf(record, sizeof record, "bgop:{3}:op:%s", id);
    snprintf(index, sizeof index, "bgop:{3}:parent:%s", from);
    snprintf(blank, sizeof blank, "bgop:{3}:parent:%s", to);
    assert_int_equal(redis_call(queue->redis, &reply, &err, "HSET", record, "ParentKey", to, NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(redis_call(queue->redis, &reply, &err, "RENAME", index, blank, NULL), ST_OK);
    redis_reply_free(reply);
}

static void a_plus_in_a_path_may_be_a_blank(void **state)
{
    static const char both[] =
        "{" ATTRIBUTES("08P00300000000BEAQ") ",\"Id\":\"08P00300000000BEAQ\",\"Name\":\"blank\"}";
    static const char plus[] = "{" ATTRIBUTES("08P00300000000AEAQ") ",\"Id\":\"08P00300000000AEAQ\",\"Name\":\"plus\"}";

    (void)state;
    query_queue_submit(queue, 10, "WebCart a+b plus \"\" \"\" \"\" \"\" \"\" \"\"");
    query_queue_submit(queue, 11, "WebCart a_b blank \"\" \"\" \"\" \"\" \"\" \"\"");
    query_queue_submit(queue, 12, "WebCart c_d/e slash \"\" \"\" \"\" \"\" \"\" \"\"");
    put_a_blank_into("08P00300000000BEAQ", "a_b", "a b");
    put_a_blank_into("08P00300000000CEAQ", "c_d/e", "c d/e");
    expect(O "/ParentKey/a+b?fields=Name", 200, plus);
    expect(O "/ParentKey/a%2Bb?fields=Name", 200, plus);
    expect(O "/ParentKey/a%20b?fields=Name", 200, both);
    ask_with("GET", O "/ParentKey/c+d%2Fe", BEARER, NULL, 200);
    ask_with("GET", O "/ParentKey/c+d/e", BEARER, NULL, 404);
}

static void a_list_of_urls_has_an_end(void **state)
{
    json_t *urls;
    json_error_t error;

    (void)state;
    reads_submit(&queue->shard, 3, 100, 500, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 3, 600, 500, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 3, 1100, 500, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 3, 1600, 500, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 3, 2100, 100, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    urls = json_loads(ask_with("GET", O "/ParentKey/crowd", BEARER, NULL, 300), 0, &error);
    assert_int_equal(json_array_size(urls), 2000);
    json_decref(urls);
}

static void many_come_in_the_order_asked_for(void **state)
{
    static const char expected[] = "[{" ATTRIBUTES(
        "08P003000000004EAA") ",\"Id\":\"08P003000000004EAA\",\"Name\":\"n4\"},null,null,"
                              "{" ATTRIBUTES(
                                  "08P000000000009EAA") ",\"Id\":\"08P000000000009EAA\",\"Name\":\"n9\"},"
                                                        "{" ATTRIBUTES(
                                                            "08P003000000004EAA") ",\"Id\":\"08P003000000004EAA\",\"Name\":\"n4\"}]";

    (void)state;
    expect(C "?ids=08P003000000004,nonsense,08P00300000000zEAA,08P000000000009EAA,%2008P003000000004EAA&fields=Name",
           200, expected);
    assert_string_equal(ask_with("POST", C, BEARER,
                                 "{\"ids\":[\"08P003000000004EAA\",\"\",\"08P00300000000zEAA\",\"08P000000000009EAA\","
                                 "\"08P003000000004EAA\"],\"fields\":[\"name\",\"Id\"]}",
                                 200),
                        expected);
    assert_string_equal(ask_with("POST", C, BEARER, "{\"ids\":[],\"fields\":[\"Id\"]}", 200), "[]");
    ask_with("GET", C "?ids=08P003000000004", BEARER, NULL, 400);
    ask_with("GET", C "?fields=Id", BEARER, NULL, 400);
    ask_with("GET", "/services/data/v41.0/composite/sobjects/BackgroundOperation?ids=a&fields=Id", BEARER, NULL, 404);
}

static void two_thousand_at_once_and_not_one_more(void **state)
{
    struct buf body;
    json_error_t error;
    json_t *rows;

    (void)state;
    buf_init(&body, 1 << 20);
    buf_append_string(&body, "{\"fields\":[\"Id\"],\"ids\":[\"08P003000000001EAA\"");
    for (int i = 1; i < 1999; i++)
        buf_append_string(&body, ",\"08P00300000000zEAA\"");
    buf_append_string(&body, ",\"08P003000000002EAA\"]}");
    rows = json_loads(ask_with("POST", C, BEARER, body.data, 200), 0, &error);
    assert_int_equal(json_array_size(rows), 2000);
    assert_string_equal(text_of(json_array_get(rows, 0), "Id"), "08P003000000001EAA");
    assert_true(json_is_null(json_array_get(rows, 1000)));
    assert_string_equal(text_of(json_array_get(rows, 1999), "Id"), "08P003000000002EAA");
    json_decref(rows);
    body.size -= 2;
    buf_append_string(&body, ",\"x\"]}");
    assert_string_equal(ask_with("POST", C, BEARER, body.data, 400),
                        "[{\"message\":\"2001 ids are more than 2000\",\"errorCode\":\"EXCEEDED_ID_LIMIT\"}]");
    buf_release(&body);
}

/* ---- replication ---- */

static void changes_are_listed_by_window(void **state)
{
    json_t *answer;

    (void)state;
    shard_clock(&queue->shard, 130000);
    reads_tick(&queue->shard);
    answer =
        ask_json(O "/updated/?start=2023-11-14T22%3A13%3A20%2B00%3A00&end=2023-11-14T22%3A14%3A59%2B00%3A00", BEARER);
    assert_string_equal(text_of(answer, "latestDateCovered"), "2023-11-14T22:14:00.000+0000");
    assert_true(json_array_size(json_object_get(answer, "ids")) >= 7);
    assert_int_equal(json_object_size(answer), 2);
    json_decref(answer);
    /* a + that arrived as a blank */
    answer = ask_json(O "/updated?start=2023-11-14T22:13:00+00:00&end=2023-11-15T03:44:00+05:30", BEARER);
    assert_true(json_array_size(json_object_get(answer, "ids")) >= 7);
    json_decref(answer);
    answer = ask_json(O "/deleted?start=2023-11-14T22:13:00Z&end=2023-11-14T22:14:00Z", BEARER);
    assert_int_equal(json_object_size(answer), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "deletedRecords")), 0);
    assert_string_equal(text_of(answer, "latestDateCovered"), "2023-11-14T22:14:00.000+0000");
    assert_string_not_equal(text_of(answer, "earliestDateAvailable"), "(none)");
    json_decref(answer);
}

static void more_than_a_page_is_joined(void **state)
{
    json_t *answer;

    (void)state;
    for (int i = 0; i < 6; i++)
        reads_submit(&queue->shard, i % 4, 1000 + 400 * i, 400, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_clock(&queue->shard, 130000);
    reads_tick(&queue->shard);
    answer = ask_json(O "/updated?start=2023-11-14T22:13:00Z&end=2023-11-14T22:15:00Z", BEARER);
    assert_true(json_array_size(json_object_get(answer, "ids")) >= 2400);
    json_decref(answer);
}

static void removed_records_are_listed(void **state)
{
    json_t *answer;
    const json_t *record;

    (void)state;
    shard_clock(&queue->shard, 3 * 3600 * 1000);
    for (int i = 0; i < 5; i++)
        reads_tick(&queue->shard);
    shard_clock(&queue->shard, 3 * 3600 * 1000 + 120000);
    reads_tick(&queue->shard);
    answer = ask_json(O "/deleted/?start=2023-11-14T22:13:00Z&end=2023-11-15T02:00:00Z", BEARER);
    assert_true(json_array_size(json_object_get(answer, "deletedRecords")) >= 2);
    record = json_array_get(json_object_get(answer, "deletedRecords"), 0);
    assert_int_equal(json_object_size(record), 2);
    assert_int_equal(strlen(text_of(record, "id")), 18);
    assert_string_equal(text_of(record, "deletedDate") + 23, "+0000");
    json_decref(answer);
    ask_with("GET", O "/08P003000000005EAA", BEARER, NULL, 404);
}

static void windows_that_are_none_are_refused(void **state)
{
    static const char *const windows[] = {
        "start=2023-11-14T22:13:05Z&end=2023-11-14T22:13:55Z",
        "start=2023-11-14T22:14:00Z&end=2023-11-14T22:13:00Z",
        "start=2020-11-14T22:14:00Z&end=2023-11-14T22:13:00Z",
        "start=2023-11-14T22:13:00:&end=2023-11-14T22:15:00Z",
        "start=yesterday&end=2023-11-14T22:15:00Z",
    };
    char path[256];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(windows); i++) {
        for (int call = 0; call < 2; call++) {
            snprintf(path, sizeof path, O "/%s?%s", call ? "updated" : "deleted", windows[i]);
            if (!strstr(ask_with("GET", path, BEARER, NULL, 400), "\"errorCode\":\"INVALID_REPLICATION_DATE\""))
                fail_msg("%s", path);
        }
    }
}

/* ---- queries ---- */

static void a_query_answers_rows(void **state)
{
    (void)state;
    expect(
        V "/query/?q=SELECT+Name,GroupLeader.Name" FROM "+WHERE+Name+IN+('n8','n4')+ORDER+BY+Name", 200,
        "{\"totalSize\":2,\"done\":true,\"records\":[{" ATTRIBUTES("08P003000000004EAA") ",\"Name\":\"n4\",\"GroupLeader\":null},{" ATTRIBUTES(
            "08P003000000008EAA") ",\"Name\":\"n8\",\"GroupLeader\":{" ATTRIBUTES("08P003000000005EAA") ",\"Name\":\"N5\"}}]}");
    expect(V "/queryAll?q=SELECT%20Id" FROM "%20WHERE%20(NOT%20Status%20LIKE%20'%25e%25')%20AND%20Name='n4'", 200,
           "{\"totalSize\":1,\"done\":true,\"records\":[{" ATTRIBUTES(
               "08P003000000004EAA") ",\"Id\":\"08P003000000004EAA\"}]}");
    expect(V "/query?q=SELECT+COUNT()" FROM, 200, "{\"totalSize\":9,\"done\":true,\"records\":[]}");
    expect(V "/query?q=SELECT+Id" FROM "+WHERE+Name='nobody'", 200, "{\"totalSize\":0,\"done\":true,\"records\":[]}");
    expect(V "/query?q=SELECT+Status,COUNT(Id),AVG(RetryLimit)+a" FROM
             "+WHERE+Status+IN+('New','Error')+GROUP+BY+Status",
           200,
           "{\"totalSize\":2,\"done\":true,\"records\":["
           "{\"attributes\":{\"type\":\"AggregateResult\"},\"Status\":\"Error\",\"expr0\":1,\"a\":3.0},"
           "{\"attributes\":{\"type\":\"AggregateResult\"},\"Status\":\"New\",\"expr0\":2,\"a\":2.5}]}");
    assert_non_null(
        strstr(ask_with("GET", V "/query?q=SELECT+COUNT(Id)" FROM "+GROUP+BY+SubmittedAt", BEARER, NULL, 400),
               "MALFORMED_QUERY"));
    assert_non_null(
        strstr(ask_with("GET", V "/query?q=SELECT+Id" FROM "+WHERE+Id='nonsense'", BEARER, NULL, 400), "MALFORMED_ID"));
}

static void crowd(int count)
{
    for (int at = 0; at < count; at += 500)
        reads_submit(&queue->shard, at / 500 % 4, 10000 + at, 500, "Declared crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
}

/* All pages of a query; each Id once, in the order of the Ids. */
static void expect_pages(const char *path, const char *headers, size_t page, size_t total)
{
    char last[32] = "", next[256];
    size_t seen = 0;

    snprintf(next, sizeof next, "%s", path);
    while (next[0]) {
        json_t *answer = ask_json(next, headers), *row;
        size_t i;

        assert_int_equal(json_integer_value(json_object_get(answer, "totalSize")), total);
        json_array_foreach(json_object_get(answer, "records"), i, row)
        {
            assert_true(strcmp(text_of(row, "Id"), last) > 0);
            snprintf(last, sizeof last, "%s", text_of(row, "Id"));
        }
        assert_int_equal(i, total - seen < page ? total - seen : page);
        seen += i;
        assert_true(json_is_true(json_object_get(answer, "done")) == (seen == total));
        snprintf(next, sizeof next, "%s", seen < total ? text_of(answer, "nextRecordsUrl") : "");
        assert_true(!next[0] || strncmp(next, V "/query/", strlen(V "/query/")) == 0);
        json_decref(answer);
    }
    assert_int_equal(seen, total);
}

static void long_answers_come_in_pages(void **state)
{
    (void)state;
    crowd(5000);
    expect_pages(V "/query?q=SELECT+Id,Status" FROM "+WHERE+ParentKey='crowd'+ORDER+BY+Id", BEARER, 2000, 5000);
    expect_pages(V "/query?q=SELECT+Id" FROM "+WHERE+ParentKey='crowd'+ORDER+BY+Id+LIMIT+700",
                 BEARER "Sforce-Query-Options: batchSize=250\r\n", 250, 700);
    expect_pages(V "/query?q=SELECT+Id" FROM "+WHERE+ParentKey='crowd'+ORDER+BY+Id+LIMIT+700",
                 BEARER "sforce-query-options: batchsize=1\r\n", 200, 700);
    expect_pages(V "/query?q=SELECT+Id" FROM "+WHERE+ParentKey='crowd'+ORDER+BY+Id+LIMIT+2000", BEARER, 2000, 2000);
}

static void pages_of_groups_are_kept(void **state)
{
    json_t *first, *second;

    (void)state;
    crowd(500);
    first = ask_json(V "/query?q=SELECT+Id+i,COUNT(Name)" FROM "+WHERE+ParentKey='crowd'+GROUP+BY+Id",
                     BEARER "Sforce-Query-Options: batchSize=300\r\n");
    assert_int_equal(json_integer_value(json_object_get(first, "totalSize")), 500);
    second = ask_json(text_of(first, "nextRecordsUrl"), BEARER);
    assert_int_equal(json_array_size(json_object_get(second, "records")), 200);
    assert_true(json_is_true(json_object_get(second, "done")));
    assert_string_equal(
        text_of(json_object_get(json_array_get(json_object_get(second, "records"), 0), "attributes"), "type"),
        "AggregateResult");
    json_decref(first);
    json_decref(second);
}

static void a_page_shows_records_as_they_are_now(void **state)
{
    json_t *first, *second;
    const json_t *row;
    char locator[256], removed[32];

    (void)state;
    crowd(500);
    first = ask_json(V "/query?q=SELECT+Id,Error" FROM "+WHERE+ParentKey='crowd'+ORDER+BY+Id",
                     BEARER "Sforce-Query-Options: batchSize=200\r\n");
    snprintf(locator, sizeof locator, "%s", text_of(first, "nextRecordsUrl"));
    second = ask_json(locator, BEARER);
    row = json_array_get(json_object_get(second, "records"), 5);
    snprintf(removed, sizeof removed, "%s", text_of(row, "Id"));
    json_decref(second);
    shard_command(&queue->shard, "RENAME bgop:{0}:op:%s bgop:{0}:aside", removed);
    second = ask_json(locator, BEARER);
    assert_int_equal(json_array_size(json_object_get(second, "records")), 299);
    assert_int_equal(json_integer_value(json_object_get(second, "totalSize")), 500);
    shard_command(&queue->shard, "RENAME bgop:{0}:aside bgop:{0}:op:%s", removed);
    json_decref(first);
    json_decref(second);
}

static void a_locator_is_refused_when_it_is_none(void **state)
{
    static const char *const ends[] = { "", "x", "0", "-1", "700", "99999999999999999999" };
    json_t *first;
    char path[256];
    size_t size;

    (void)state;
    crowd(500);
    first = ask_json(V "/query?q=SELECT+Id" FROM "+WHERE+ParentKey='crowd'",
                     BEARER "Sforce-Query-Options: batchSize=200\r\n");
    for (size_t i = 0; i < TEST_COUNT(ends); i++) {
        snprintf(path, sizeof path, "%s", text_of(first, "nextRecordsUrl"));
        size = (size_t)(strrchr(path, '-') - path) + 1;
        snprintf(path + size, sizeof path - size, "%s", ends[i]);
        expect(path, 400, "[{\"message\":\"invalid query locator\",\"errorCode\":\"INVALID_QUERY_LOCATOR\"}]");
    }
    json_decref(first);
}

/* ---- troubles ---- */

static void a_shard_that_replays_is_waited_for_by_clients(void **state)
{
    (void)state;
    shard_command(&queue->shard, "HSET bgop:{3}:gate mode RECOVERING");
    expect(O "/08P003000000001EAA", 503,
           "[{\"message\":\"The queue replays its log; try again shortly\",\"errorCode\":\"SERVER_UNAVAILABLE\"}]");
    ask_with("GET", V "/query?q=SELECT+Id" FROM, BEARER, NULL, 503);
    shard_command(&queue->shard, "HSET bgop:{3}:gate mode OPEN");
    ask_with("GET", O "/08P003000000001EAA", BEARER, NULL, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_object_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_read_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(a_field_leads_to_one_or_several, setup, teardown),
        cmocka_unit_test_setup_teardown(a_plus_in_a_path_may_be_a_blank, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_of_urls_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(many_come_in_the_order_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(two_thousand_at_once_and_not_one_more, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_are_listed_by_window, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_a_page_is_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_records_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(windows_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_answers_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(long_answers_come_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_of_groups_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_shows_records_as_they_are_now, setup, teardown),
        cmocka_unit_test_setup_teardown(a_locator_is_refused_when_it_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shard_that_replays_is_waited_for_by_clients, setup, teardown),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
