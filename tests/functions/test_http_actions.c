/* Actions over HTTP: who may ask for one, what is refused and how, what a dry run counts, and that one that was asked for
 * is there to be run. Nobody runs it here. */
#include "tests/functions/filled_queue.h"

#include <unistd.h>

#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "tests/support/http_client.h"

#define ACTIONS  "/bgop/v1/actions"
#define OPERATOR "Authorization: Bearer operator\r\n"
#define READER   "Authorization: Bearer reader\r\n"

static struct config config;
static struct endpoint *endpoint;
static char reader_file[] = "/tmp/bgop-test-token-XXXXXX", operator_file[] = "/tmp/bgop-test-token-XXXXXX";

static void set(const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&config, strcmp(name, "url") == 0 ? "redis" : "http", name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void token_write(char *path, const char *token)
{
    FILE *file = fdopen(mkstemp(path), "w");

    assert_non_null(file);
    fputs(token, file);
    fclose(file);
}

static int start(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    redis_server_start(&server, false);
    log_start("test", LOG_LEVEL_ERROR, false);
    token_write(reader_file, "reader\n");
    token_write(operator_file, "operator\n");
    config_init(&config);
    set("url", server.url);
    set("listen", "127.0.0.1:0");
    set("token_file", reader_file);
    set("operator_token_file", operator_file);
    if (endpoint_start(&endpoint, &config, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    endpoint_stop(endpoint);
    config_release(&config);
    unlink(reader_file);
    unlink(operator_file);
    redis_server_stop(&server);
    return 0;
}

/* ---- asking ---- */

static json_t *ask(const char *method, const char *path, const char *headers, const char *body, int status)
{
    const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), method, path, headers, body);
    json_t *json = json_loadb(reply->body, reply->size, 0, NULL);

    if (reply->status != status || !json)
        fail_msg("%s %s %s: expected %d, got %d %s", method, path, body ? body : "", status, reply->status,
                 reply->body);
    return json;
}

static void refused(const char *method, const char *path, const char *headers, const char *body, int status,
                    const char *code, const char *words)
{
    json_t *json = ask(method, path, headers, body, status), *error = json_array_get(json, 0);
    const char *message = json_string_value(json_object_get(error, "message"));

    assert_string_equal(json_string_value(json_object_get(error, "errorCode")), code);
    if (!strstr(message, words))
        fail_msg("%s: \"%s\" does not say %s", path, message, words);
    json_decref(json);
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "(none)";
}

static json_int_t number_of(const json_t *json, const char *name)
{
    return json_is_integer(json_object_get(json, name)) ? json_integer_value(json_object_get(json, name)) : -1;
}

static json_t *create(const char *body)
{
    return ask("POST", ACTIONS, OPERATOR, body, 202);
}

/* ---- who may ---- */

static void who_may_only_read_may_not_act(void **state)
{
    json_t *list;

    (void)state;
    refused("POST", ACTIONS, "", "{}", 401, "INVALID_SESSION_ID", "invalid");
    refused("POST", ACTIONS, READER, "{}", 403, "INSUFFICIENT_ACCESS", "operator_token_file");
    refused("POST", ACTIONS "/act0/abort", READER, "{}", 403, "INSUFFICIENT_ACCESS", "may read");
    refused("GET", ACTIONS, "", NULL, 401, "INVALID_SESSION_ID", "invalid");
    refused("DELETE", ACTIONS, READER, NULL, 405, "METHOD_NOT_ALLOWED", "POST");
    refused("GET", "/bgop/v1/nothing", READER, NULL, 404, "NOT_FOUND", "does not exist");
    list = ask("GET", ACTIONS, READER, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(list, "actions")), 0);
    json_decref(list);
    assert_string_equal(shard_command(&queue->shard, "EXISTS bgop:{0}:actions"), "0");
}

static void what_is_wrong_with_a_request_is_said(void **state)
{
    static const struct {
        const char *body, *code, *words;
    } cases[] = {
        { "{", "JSON_PARSER_ERROR", "JSON object" },
        { "[]", "JSON_PARSER_ERROR", "JSON object" },
        { "{\"action\":\"cancel\",\"were\":\"x\"}", "JSON_PARSER_ERROR", "no such member: were" },
        { "{\"action\":\"delete\",\"where\":\"Type = 'WebCart'\"}", "MALFORMED_QUERY", "redrive" },
        { "{\"action\":\"cancel\"}", "MALFORMED_QUERY", "ids or where" },
        { "{\"action\":\"cancel\",\"type\":\"WebCart\"}", "MALFORMED_QUERY", "no type" },
        { "{\"action\":\"pause\",\"where\":\"Type = 'WebCart'\"}", "MALFORMED_QUERY", "type or parentKey" },
        { "{\"action\":\"pause\",\"type\":\"WebCart\",\"parentKey\":\"a\"}", "MALFORMED_QUERY", "either" },
        { "{\"action\":\"pause\",\"type\":\"WebCrat\"}", "MALFORMED_QUERY", "no such Type" },
        { "{\"action\":\"cancel\",\"where\":\"Typ = 'WebCart'\"}", "INVALID_FIELD", "Typ" },
        { "{\"action\":\"cancel\",\"where\":\"Type = \"}", "MALFORMED_QUERY", "" },
        { "{\"action\":\"cancel\",\"where\":7}", "JSON_PARSER_ERROR", "where: a string" },
        { "{\"action\":\"cancel\",\"ids\":\"08P\"}", "JSON_PARSER_ERROR", "array" },
        { "{\"action\":\"cancel\",\"ids\":[]}", "JSON_PARSER_ERROR", "array" },
        { "{\"action\":\"cancel\",\"ids\":[\"08P\"]}", "MALFORMED_ID", "ids[0]" },
        { "{\"action\":\"cancel\",\"ids\":[7]}", "MALFORMED_ID", "ids[0]" },
        { "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\",\"rate\":0}", "JSON_PARSER_ERROR", "rate" },
        { "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\",\"rate\":2000000}", "MALFORMED_QUERY", "rate" },
        { "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\",\"dryRun\":1}", "JSON_PARSER_ERROR", "dryRun" },
    };
    char long_body[700];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused("POST", ACTIONS, OPERATOR, cases[i].body, 400, cases[i].code, cases[i].words);
    refused("POST", ACTIONS, OPERATOR, NULL, 400, "JSON_PARSER_ERROR", "JSON object");
    snprintf(long_body, sizeof long_body,
             "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\",\"reason\":\"%0300d\"}", 0);
    refused("POST", ACTIONS, OPERATOR, long_body, 400, "MALFORMED_QUERY", "reason: at most 255");
    refused("GET", ACTIONS "?limit=0", READER, NULL, 400, "MALFORMED_QUERY", "1 to 500");
    refused("GET", ACTIONS "/act0", READER, NULL, 404, "NOT_FOUND", "does not exist");
    refused("GET", ACTIONS "/50", READER, NULL, 404, "NOT_FOUND", "does not exist");
    refused("POST", ACTIONS "/act0/abort", OPERATOR, "{}", 404, "NOT_FOUND", "does not exist");
    refused("POST", ACTIONS "/act0/abort", OPERATOR, "{\"reason\":7}", 400, "JSON_PARSER_ERROR", "reason");
    assert_string_equal(shard_command(&queue->shard, "EXISTS bgop:{0}:actions"), "0");
}

/* /actions is what the public contract calls it. */
static void the_short_path_is_the_same(void **state)
{
    char path[100];
    json_t *made, *got;

    (void)state;
    refused("POST", "/actions", "", "{}", 401, "INVALID_SESSION_ID", "invalid");
    refused("POST", "/actions", READER, "{}", 403, "INSUFFICIENT_ACCESS", "operator_token_file");
    refused("DELETE", "/actions", READER, NULL, 405, "METHOD_NOT_ALLOWED", "POST");
    refused("POST", "/actions", OPERATOR, "[]", 400, "JSON_PARSER_ERROR", "JSON object");
    made = ask("POST", "/actions", OPERATOR, "{\"action\":\"pause\",\"type\":\"WebCart\"}", 202);
    snprintf(path, sizeof path, ACTIONS "/%s", text_of(made, "id"));
    got = ask("GET", path, READER, NULL, 200);
    assert_true(json_equal(made, got));
    json_decref(got);
    snprintf(path, sizeof path, "/actions/%s", text_of(made, "id"));
    got = ask("GET", path, READER, NULL, 200);
    assert_true(json_equal(made, got));
    json_decref(got);
    got = ask("GET", "/actions", READER, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(got, "actions")), 1);
    json_decref(got);
    snprintf(path, sizeof path, "/actions/%s/abort", text_of(made, "id"));
    refused("POST", path, READER, "{}", 403, "INSUFFICIENT_ACCESS", "may read");
    json_decref(ask("POST", path, OPERATOR, "{}", 200));
    json_decref(made);
}

static void a_body_that_is_too_large_is_refused(void **state)
{
    size_t size = 257 * 1024;
    char *body = calloc(1, size + 1);

    (void)state;
    memset(body, ' ', size);
    refused("POST", ACTIONS, OPERATOR, body, 413, "REQUEST_LIMIT_EXCEEDED", "262144 bytes");
    free(body);
}

/* ---- what is answered ---- */

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    json_t *dry;
    char body[200];

    (void)state;
    dry = ask("POST", ACTIONS, OPERATOR, "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\",\"dryRun\":true}", 200);
    assert_true(json_is_true(json_object_get(dry, "dryRun")));
    assert_int_equal(number_of(dry, "matching"), json_array_size(json_object_get(dry, "examples")));
    assert_true(number_of(dry, "matching") >= 4); /* n1, n2, the one without a Name, n4 */
    json_decref(dry);
    dry = ask("POST", ACTIONS, OPERATOR, "{\"action\":\"redrive\",\"where\":\"Name LIKE 'n%'\",\"dryRun\":true}", 200);
    assert_int_equal(number_of(dry, "matching"), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(dry, "examples"), 0)), reads_id(3, 6));
    json_decref(dry);
    snprintf(body, sizeof body, "{\"action\":\"redrive\",\"ids\":[\"%.15s\",\"%s\"],\"dryRun\":true}", reads_id(3, 6),
             reads_id(3, 5));
    dry = ask("POST", ACTIONS, OPERATOR, body, 200);
    assert_int_equal(number_of(dry, "matching"), 1);
    assert_int_equal(number_of(dry, "refused"), 1);
    json_decref(dry);
    assert_string_equal(shard_command(&queue->shard, "EXISTS bgop:{0}:actions"), "0");
}

static void an_action_is_created_shown_and_aborted(void **state)
{
    json_t *made =
               ask("POST", ACTIONS, OPERATOR "X-Bgop-User: anna\xc3\xa9\r\n",
                   "{\"action\":\"redrive\",\"where\":\"Type = 'WebCart'\",\"reason\":\"it's back\",\"rate\":50}", 202),
           *got;
    char path[100];

    (void)state;
    assert_string_equal(text_of(made, "action"), "redrive");
    assert_string_equal(text_of(made, "where"), "Type = 'WebCart'");
    assert_string_equal(text_of(made, "who"), "http:anna??");
    assert_string_equal(text_of(made, "reason"), "it's back");
    assert_string_equal(text_of(made, "state"), "Running");
    assert_int_equal(number_of(made, "rate"), 50);
    assert_int_equal(number_of(made, "done"), 0);
    assert_true(json_is_null(json_object_get(made, "matching")));
    assert_true(json_is_null(json_object_get(made, "coordinator")));
    snprintf(path, sizeof path, ACTIONS "/%s", text_of(made, "id"));
    got = ask("GET", path, READER, NULL, 200);
    assert_true(json_equal(made, got));
    json_decref(got);
    snprintf(path, sizeof path, ACTIONS "/%s/abort", text_of(made, "id"));
    got = ask("POST", path, OPERATOR, "{\"reason\":\"wrong one\"}", 200);
    assert_string_equal(text_of(got, "state"), "Aborted");
    assert_string_equal(text_of(got, "error"), "aborted by http:operator: wrong one");
    assert_true(json_is_string(json_object_get(got, "finishedAt")));
    json_decref(got);
    json_decref(ask("POST", path, OPERATOR, NULL, 200)); /* again: it stays as it is */
    json_decref(made);
}

static void ids_are_kept_and_a_pause_too(void **state)
{
    char body[200];
    json_t *made, *list;

    (void)state;
    snprintf(body, sizeof body, "{\"action\":\"cancel\",\"ids\":[\"%s\",\"%.15s\"]}", reads_id(3, 1), reads_id(3, 2));
    made = create(body);
    assert_int_equal(number_of(made, "ids"), 2);
    assert_int_equal(number_of(made, "matching"), 2);
    snprintf(body, sizeof body, "%s", text_of(made, "id"));
    shard_command(&queue->shard, "HGET bgop:{0}:action_ids:%s 0", body);
    assert_memory_equal(queue->shard.answer, reads_id(3, 1), 18);
    assert_memory_equal(queue->shard.answer + 19, reads_id(3, 2), 18);
    json_decref(made);
    shard_clock(&queue->shard, shard_now(&queue->shard) + 1000);
    made = create("{\"action\":\"pause\",\"parentKey\":\"acct: 1\",\"ids\":null,\"where\":null}");
    assert_string_equal(text_of(made, "parentKey"), "acct: 1");
    list = ask("GET", ACTIONS "?limit=1", READER, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(list, "actions")), 1);
    assert_true(json_equal(json_array_get(json_object_get(list, "actions"), 0), made)); /* the newest first */
    json_decref(list);
    json_decref(made);
}

static void more_than_a_hundred_at_once_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        json_decref(create("{\"action\":\"pause\",\"type\":\"WebCart\"}"));
    refused("POST", ACTIONS, OPERATOR, "{\"action\":\"pause\",\"type\":\"WebCart\"}", 400, "REQUEST_LIMIT_EXCEEDED",
            "100 actions go on");
}

static void without_a_queue_one_is_told_to_come_again(void **state)
{
    (void)state;
    shard_command(&queue->shard, "FLUSHALL");
    refused("POST", ACTIONS, OPERATOR, "{\"action\":\"cancel\",\"where\":\"Type = 'WebCart'\"}", 503,
            "SERVER_UNAVAILABLE", "try again");
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(who_may_only_read_may_not_act),
        test(what_is_wrong_with_a_request_is_said),
        test(a_body_that_is_too_large_is_refused),
        test(a_dry_run_counts_and_changes_nothing),
        test(an_action_is_created_shown_and_aborted),
        test(ids_are_kept_and_a_pause_too),
        test(more_than_a_hundred_at_once_are_refused),
        test(without_a_queue_one_is_told_to_come_again),
        test(the_short_path_is_the_same),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
