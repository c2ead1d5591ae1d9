/* What the dashboard asks of the HTTP endpoint, over real records: the JSON routes, the page's files, the stream. */
#include "tests/functions/filled_queue.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "coordinator/http/events.h"
#include "coordinator/http/page_files.h"
#include "tests/support/http_client.h"

#define OWN      "/bgop/v1"
#define READER   "Authorization: Bearer reader\r\n"
#define OPERATOR "Authorization: Bearer operator\r\n"

enum { PATIENCE_MS = 10000 };

static struct config config;
static struct endpoint *endpoint;
static char files[2][40] = { "/tmp/bgop-test-reader-XXXXXX", "/tmp/bgop-test-operator-XXXXXX" };

static void set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void write_token(char *path, const char *token)
{
    FILE *file = fdopen(mkstemp(path), "w");

    assert_non_null(file);
    fprintf(file, "%s\n", token);
    fclose(file);
}

static int start(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    redis_server_start(&server, false);
    log_start("test", LOG_LEVEL_ERROR, false);
    write_token(files[0], "reader");
    write_token(files[1], "operator");
    config_init(&config);
    set("redis", "url", server.url);
    set("http", "listen", "127.0.0.1:0");
    set("http", "token_file", files[0]);
    set("http", "operator_token_file", files[1]);
    if (endpoint_start(&endpoint, &config, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    endpoint_stop(endpoint);
    config_release(&config);
    unlink(files[0]);
    unlink(files[1]);
    redis_server_stop(&server);
    return 0;
}

/* ---- asking ---- */

static const char *ask_with(const char *path, const char *headers, int status)
{
    const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), "GET", path, headers, NULL);

    if (reply->status != status)
        fail_msg("GET %s: expected %d, got %d %s", path, status, reply->status, reply->body);
    return reply->body;
}

static json_t *ask_json(const char *path)
{
    json_error_t error;
    json_t *json = json_loads(ask_with(path, READER, 200), 0, &error);

    assert_non_null(json);
    return json;
}

static const char *text_at(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "(none)";
}

static void body_has(const char *path, int status, const char *text)
{
    const char *body = ask_with(path, READER, status);

    if (!strstr(body, text))
        fail_msg("GET %s: \"%s\" is not in %s", path, text, body);
}

/* ---- cases ---- */

static void everything_but_the_page_needs_a_token(void **state)
{
    static const char *const paths[] = {
        "/session", "/stats",   "/history", "/operations", "/operations/08P003000000006",
        "/blocked", "/workers", "/paused",  "/events"
    };
    char path[80];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(paths); i++) {
        snprintf(path, sizeof path, OWN "%s", paths[i]);
        ask_with(path, "", 401);
        ask_with(path, "Authorization: Bearer Reader\r\n", 401);
    }
    ask_with("/", "", 200);
    body_has(OWN "/nothing", 404, "NOT_FOUND");
}

static void the_page_is_strict_about_what_it_loads(void **state)
{
    static const char *const paths[] = {
#define XX(name, path, type) path,
        PAGE_FILES(XX)
#undef XX
    };
    static const char *const heads[] = {
        "Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'\r\n",
        "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "Cache-Control: no-store\r\n",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(paths); i++) {
        const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), "GET", paths[i], "", NULL);

        assert_int_equal(reply->status, 200);
        for (size_t k = 0; k < TEST_COUNT(heads); k++) {
            if (!strstr(reply->head, heads[k]))
                fail_msg("%s has not %s: %s", paths[i], heads[k], reply->head);
        }
        assert_null(strstr(reply->body, "//cdn"));
        assert_null(strstr(reply->body, "innerHTML"));
        assert_null(strstr(reply->body, " style=\""));
    }
}

static void a_session_says_what_a_token_may(void **state)
{
    json_t *session = ask_json(OWN "/session");

    (void)state;
    assert_string_equal(text_at(session, "role"), "reader");
    assert_true(json_array_size(json_object_get(session, "types")) > 10);
    assert_int_equal(json_array_size(json_object_get(session, "shards")), READS_SHARDS);
    assert_string_equal(text_at(json_array_get(json_object_get(session, "shards"), 3), "mode"), "OPEN");
    json_decref(session);
    assert_non_null(strstr(ask_with(OWN "/session", OPERATOR, 200), "\"role\":\"operator\""));
}

static void numbers_are_those_of_the_functions(void **state)
{
    json_t *stats = ask_json(OWN "/stats"), *history = ask_json(OWN "/history");
    json_int_t accepted = 0;
    const json_t *number;
    size_t i;

    (void)state;
    assert_string_equal(text_at(stats, "mode"), "OPEN");
    assert_int_equal(json_integer_value(json_object_get(stats, "accepted")), 9);
    json_array_foreach(json_object_get(history, "accepted"), i, number) accepted += json_integer_value(number);
    assert_int_equal(i, 60);
    assert_int_equal(accepted, 9);
    json_decref(stats);
    json_decref(history);
    body_has(OWN "/blocked", 200, "\"groups\":[");
    body_has(OWN "/workers", 200, "\"instance\":\"i1\"");
    body_has(OWN "/workers", 200, "\"running\":1,");
    body_has(OWN "/workers", 200, "\"08P003000000004EAA\"");
}

static void operations_are_listed_by_a_condition(void **state)
{
    json_t *page = ask_json(OWN "/operations"), *next;
    char path[256];

    (void)state;
    assert_int_equal(json_array_size(json_object_get(page, "rows")), 9);
    assert_int_equal(json_integer_value(json_object_get(page, "total")), 9);
    assert_true(json_is_null(json_object_get(page, "cursor")));
    json_decref(page);
    page = ask_json(OWN "/operations?where=Status%3D'Error'");
    assert_int_equal(json_array_size(json_object_get(page, "rows")), 1);
    assert_int_equal(json_integer_value(json_object_get(page, "total")), 1);
    assert_string_equal(text_at(json_array_get(json_object_get(page, "rows"), 0), "Error"), "No such 100% host");
    json_decref(page);
    page = ask_json(OWN "/operations?limit=2&order=SubmittedAt&where=ParentKey+%21%3D+null");
    assert_int_equal(json_array_size(json_object_get(page, "rows")), 2);
    assert_true(json_is_null(json_object_get(page, "total")));
    snprintf(path, sizeof path, OWN "/operations?limit=50&order=SubmittedAt&where=ParentKey+%%21%%3D+null&cursor=%s",
             "%5B%22%22%2Cnull%5D");
    next = ask_json(path);
    assert_int_equal(json_array_size(json_object_get(next, "rows")), 6);
    json_decref(page);
    json_decref(next);
    body_has(OWN "/operations?where=Nonsense%3D1", 400, "INVALID_FIELD");
    body_has(OWN "/operations?where=Status%3D", 400, "MALFORMED_QUERY");
    body_has(OWN "/operations?order=Error", 400, "INVALID_FIELD");
    body_has(OWN "/operations?limit=0", 400, "limit is a number from 1 to 200");
    body_has(OWN "/operations?cursor=x", 400, "the cursor does not belong");
}

static void one_operation_has_its_history(void **state)
{
    json_t *one = ask_json(OWN "/operations/08P003000000006"), *history = json_object_get(one, "history");

    (void)state;
    assert_string_equal(text_at(json_object_get(one, "record"), "Name"), "n6");
    assert_non_null(strstr(text_at(json_object_get(one, "why"), "reason"), "failed for good"));
    assert_string_equal(text_at(json_array_get(json_object_get(history, "tries"), 0), "error"), "No such 100% host");
    assert_int_equal(json_array_size(json_object_get(history, "commands")), 0);
    json_decref(one);
    one = ask_json(OWN "/operations/08P003000000007EAA");
    history = json_object_get(one, "history");
    assert_string_equal(text_at(json_array_get(json_object_get(history, "commands"), 0), "command"), "cancel");
    assert_string_equal(text_at(json_array_get(json_object_get(history, "commands"), 0), "reason"), "no longer");
    json_decref(one);
    body_has(OWN "/operations/08P00300000000zEAA", 404, "NOT_FOUND");
    body_has(OWN "/operations/nonsense", 400, "MALFORMED_ID");
}

/* A payload of more bytes than are shown, cut inside a character; a result of any bytes. */
static void texts_are_cut_between_characters(void **state)
{
    static char large[65 * 1024 + 1];
    json_t *one, *history;

    (void)state;
    large[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof large; i += 2)
        memcpy(large + i, "\xc3\xa4", 2);
    large[sizeof large - 1] = '\0';
    shard_command(&queue->shard, "HSET bgop:{3}:op:08P003000000001EAA large %zu", strlen(large));
    shard_command(&queue->shard, "SET bgop:{3}:in:08P003000000001EAA %s", large);
    shard_command(&queue->shard, "SET bgop:{3}:out:08P003000000001EAA \xff\xfe");
    one = ask_json(OWN "/operations/08P003000000001EAA");
    history = json_object_get(one, "history");
    assert_int_equal(json_integer_value(json_object_get(history, "payloadBytes")), strlen(large));
    assert_int_equal(json_string_length(json_object_get(history, "payload")), 64 * 1024 - 1);
    assert_string_equal(text_at(json_object_get(history, "out"), "base64"), "//4=");
    json_decref(one);
}

/* ---- the stream ---- */

static int stream_open(const char *after)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)endpoint_port(endpoint)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[512];

    snprintf(request, sizeof request, "GET " OWN "/events HTTP/1.1\r\nHost: x\r\n" READER "%s%s%s\r\n",
             after ? "Last-Event-ID: " : "", after ? after : "", after ? "\r\n" : "");
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return client;
}

static const char *stream_await(int client, const char *text)
{
    static char got[1 << 20];
    struct pollfd wait = { .fd = client, .events = POLLIN };
    int64_t end_ms = clock_boot_ms() + PATIENCE_MS; /* numbers come every second, whatever is waited for */
    size_t size = 0;

    got[0] = '\0';
    while (!strstr(got, text)) {
        ssize_t more;

        if (clock_boot_ms() > end_ms || poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("waited in vain for %s; there is %s", text, got);
        more = recv(client, got + size, sizeof got - 1 - size, 0);
        if (more <= 0)
            fail_msg("the stream ended before %s: %s", text, got);
        size += (size_t)more;
        got[size] = '\0';
    }
    return got;
}

static void changes_come_by_themselves_and_go_on(void **state)
{
    int client = stream_open(NULL);
    char id[40];

    (void)state;
    stream_await(client, "event: hello\ndata: {\"resumed\":false}\n\n");
    stream_await(client, "event: stats\ndata: {\"mode\":\"OPEN\"");
    query_queue_submit(queue, 20, "WebCart acct-1 n20 \"\" \"\" \"\" \"\" \"\" \"\"");
    memcpy(id, strstr(stream_await(client, "\"changed\":[[\"08P00300000000KEAQ\",\"New\"]]"), "id: ") + 4, 33);
    id[33] = '\0';
    close(client);
    reads_claim(&queue->shard, 20);
    client = stream_open(id);
    assert_non_null(strstr(stream_await(client, "[\"08P00300000000KEAQ\",\"Running\"]"), "\"resumed\":true"));
    close(client);
    client = stream_open("0000000000000000-0000000000000000");
    stream_await(client, "\"resumed\":false");
    close(client);
}

static void streams_are_bounded_and_hold_up_nobody(void **state)
{
    int clients[EVENTS_CLIENTS_MAX];

    (void)state;
    for (int i = 0; i < EVENTS_CLIENTS_MAX; i++) {
        clients[i] = stream_open(NULL);
        stream_await(clients[i], "event: hello");
    }
    body_has(OWN "/events", 503, "SERVER_UNAVAILABLE");
    body_has(OWN "/stats", 200, "\"mode\":\"OPEN\"");
    for (int i = 0; i < EVENTS_CLIENTS_MAX; i++)
        close(clients[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_but_the_page_needs_a_token, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_is_strict_about_what_it_loads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_says_what_a_token_may, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_those_of_the_functions, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_are_listed_by_a_condition, setup, teardown),
        cmocka_unit_test_setup_teardown(one_operation_has_its_history, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_come_by_themselves_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_are_bounded_and_hold_up_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
