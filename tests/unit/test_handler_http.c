/* The http handler against a real web server in this process, which plays all the ways to answer. */
#include "handler_fixture.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "common/record/retry.h"

/* What the server saw last, and how often it was connected to. */
struct server {
    struct MHD_Daemon *daemon;
    int port;
    pthread_mutex_t lock;
    char method[16], headers[4096], body[8192];
    int connections, requests;
};

struct upload {
    char *data;
    size_t size;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct server *server = arg;
    size_t used = strlen(server->headers);

    (void)kind;
    snprintf(server->headers + used, sizeof server->headers - used, "%s: %s\n", name, value);
    return MHD_YES;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *header, const char *value,
                              const char *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (header)
        MHD_add_response_header(response, header, value);
    result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static const struct retry_after_case {
    const char *headers[2];
    int64_t least_ms, most_ms;
    const char *text;
} retry_after_cases[] = {
    { { "0" }, 0, 0, "HTTP 429: wait" },
    { { "7.5" }, 7500, 7500, "HTTP 429: wait" },
    { { "  8 \t" }, 8000, 8000, "HTTP 429: wait" },
    { { "20301231" }, 20301231000, 20301231000, "HTTP 429: wait" }, /* seconds, no date */
    { { "9223372036854775807" }, RETRY_DELAY_MAX_MS, RETRY_DELAY_MAX_MS, "HTTP 429: wait" },
    { { "99999999999999999999999999" }, RETRY_DELAY_MAX_MS, RETRY_DELAY_MAX_MS, "HTTP 429: wait" },
    { { "Fri, 31 Dec 9999 23:59:59 GMT" }, RETRY_DELAY_MAX_MS, RETRY_DELAY_MAX_MS, "HTTP 429: wait" },
    { { "Wed, 21 Oct 2015 07:28:00 GMT" }, 0, 0, "HTTP 429: wait" },
    { { "3", "5" }, 5000, 5000, "HTTP 429: wait" },
    { { "soon", "5" },
      5000,
      5000,
      "HTTP 429: wait; Retry-After is neither a number of seconds nor an HTTP date: \"soon\"" },
    { { "-5" }, -1, -1, "HTTP 429: wait; Retry-After is negative: \"-5\"" },
    { { "0x10" }, -1, -1, "HTTP 429: wait; Retry-After is neither a number of seconds nor an HTTP date: \"0x10\"" },
};

static const char *http_date_in(char text[64], int seconds)
{
    time_t when = time(NULL) + seconds;
    struct tm tm;

    strftime(text, 64, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
    return text;
}

/* 429 with the headers of that case. */
static enum MHD_Result answer_retry_after(struct MHD_Connection *connection, const char *number)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(4, (void *)"wait", MHD_RESPMEM_MUST_COPY);
    const char *const *headers = retry_after_cases[atoi(number)].headers;
    enum MHD_Result result;

    for (int i = 0; i < 2 && headers[i]; i++)
        MHD_add_response_header(response, "Retry-After", headers[i]);
    result = MHD_queue_response(connection, 429, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_path(struct MHD_Connection *connection, const char *path, const char *body)
{
    static char large[100000];
    char date[64];

    if (strcmp(path, "/echo") == 0)
        return answer(connection, 200, NULL, NULL, body);
    if (strcmp(path, "/large") == 0)
        return answer(connection, 200, NULL, NULL, memset(large, 'x', sizeof large - 1));
    if (strcmp(path, "/500") == 0)
        return answer(connection, 500, NULL, NULL, "it broke\nsecond line");
    if (strcmp(path, "/404") == 0)
        return answer(connection, 404, NULL, NULL, "");
    if (strcmp(path, "/429") == 0)
        return answer(connection, 429, "Retry-After", "7", "slowly");
    if (strcmp(path, "/503") == 0)
        return answer(connection, 503, "Retry-After", http_date_in(date, 100), "");
    if (strncmp(path, "/after/", 7) == 0)
        return answer_retry_after(connection, path + 7);
    if (strcmp(path, "/302") == 0)
        return answer(connection, 302, "Location", "/echo", "");
    if (strcmp(path, "/first") == 0)
        return answer(connection, 200, NULL, NULL,
                      "[{\"Id\":\"08P000000000000001\",\"Outcome\":\"ok\",\"Result\":\"1\"}]");
    if (strcmp(path, "/hang") == 0)
        sleep(3);
    return answer(connection, 204, NULL, NULL, "");
}

static void collect(struct upload *upload, const char *data, size_t *size)
{
    upload->data = xrealloc(upload->data, upload->size + *size + 1);
    memcpy(upload->data + upload->size, data, *size);
    upload->size += *size;
    upload->data[upload->size] = '\0';
    *size = 0;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct server *server = arg;
    struct upload *upload = *state;

    (void)version;
    if (!upload) {
        *state = xcalloc(1, sizeof *upload);
        return MHD_YES;
    }
    if (*size > 0) {
        collect(upload, data, size);
        return MHD_YES;
    }
    pthread_mutex_lock(&server->lock);
    snprintf(server->method, sizeof server->method, "%s", method);
    snprintf(server->body, sizeof server->body, "%s", upload->data ? upload->data : "");
    server->headers[0] = '\0';
    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, server);
    server->requests++;
    pthread_mutex_unlock(&server->lock);
    return answer_path(connection, url, upload->data ? upload->data : "");
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct upload *upload = *state;

    (void)arg, (void)connection, (void)code;
    if (upload)
        free(upload->data);
    free(upload);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = arg;

    (void)connection, (void)state;
    pthread_mutex_lock(&server->lock);
    server->connections += code == MHD_CONNECTION_NOTIFY_STARTED;
    pthread_mutex_unlock(&server->lock);
}

static int server_start(void **state)
{
    struct server *server = xcalloc(1, sizeof *server);
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    pthread_mutex_init(&server->lock, NULL);
    server->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, on_request,
                         server, MHD_OPTION_SOCK_ADDR, &any, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    assert_non_null(server->daemon);
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *state = server;
    return 0;
}

static int server_stop(void **state)
{
    struct server *server = *state;

    MHD_stop_daemon(server->daemon);
    pthread_mutex_destroy(&server->lock);
    free(server);
    return 0;
}

static char url[64];
static struct fixture *open_path(const struct server *server, const char *path, struct type_config config)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    config.url = url;
    return fixture_open("http", config);
}

static struct claimed with_payload(const char *payload)
{
    return fixture_op(1, payload, strlen(payload));
}

static void payload_is_posted_and_the_body_is_the_result(void **state)
{
    struct server *server = *state;
    struct fixture *fixture = open_path(server, "/echo", (struct type_config){ 0 });
    struct claimed op = with_payload("{\"a\":1}");
    const struct outcome *outcome;

    op.traceparent = "00-aa-bb-01";
    outcome = fixture_run(fixture, op);
    assert_outcome(outcome, ENTRY_OK, "");
    assert_result(outcome, "{\"a\":1}");
    assert_string_equal(server->method, "POST");
    assert_non_null(strstr(server->headers, "Content-Type: application/json\n"));
    assert_non_null(strstr(server->headers, "Idempotency-Key: 08P000000000000001\n"));
    assert_non_null(strstr(server->headers, "X-Bgop-Token: 7340035\n"));
    assert_non_null(strstr(server->headers, "X-Bgop-Attempt: 3\n"));
    assert_non_null(strstr(server->headers, "X-Bgop-Type: WebCart\n"));
    assert_non_null(strstr(server->headers, "traceparent: 00-aa-bb-01\n"));
    assert_null(strstr(server->headers, "Expect"));
    fixture_close(fixture);
}

static void method_and_headers_come_from_the_configuration(void **state)
{
    struct server *server = *state;
    struct fixture *fixture = open_path(
        server, "/echo",
        (struct type_config){ .method = (char *)"PUT",
                              .headers = (char *)"Authorization: Bearer x | Content-Type: text/plain|X-Empty: y " });

    assert_outcome(fixture_run(fixture, with_payload("hi")), ENTRY_OK, "");
    assert_string_equal(server->method, "PUT");
    assert_string_equal(server->body, "hi");
    assert_non_null(strstr(server->headers, "Authorization: Bearer x\n"));
    assert_non_null(strstr(server->headers, "Content-Type: text/plain\n"));
    assert_non_null(strstr(server->headers, "X-Empty: y\n"));
    assert_null(strstr(server->headers, "octet-stream"));
    fixture_close(fixture);
    fixture = open_path(server, "/echo", (struct type_config){ .method = (char *)"GET" });
    assert_outcome(fixture_run(fixture, with_payload("hi")), ENTRY_OK, "");
    assert_string_equal(server->method, "GET");
    assert_string_equal(server->body, "");
    fixture_close(fixture);
}

static void statuses_mean_what_the_contract_says(void **state)
{
    static const struct {
        const char *path;
        enum entry_kind kind;
        const char *text;
        int64_t least_ms, most_ms;
    } cases[] = {
        { "/204", ENTRY_OK, "", -1, -1 },
        { "/500", ENTRY_ERROR, "HTTP 500: it broke", -1, -1 },
        { "/302", ENTRY_ERROR, "HTTP 302", -1, -1 },
        { "/404", ENTRY_PERMANENT, "HTTP 404", -1, -1 },
        { "/429", ENTRY_ERROR, "HTTP 429: slowly", 7000, 7000 },
        { "/503", ENTRY_ERROR, "HTTP 503", 90000, 100000 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *fixture = open_path(*state, cases[i].path, (struct type_config){ 0 });
        const struct outcome *outcome = fixture_run(fixture, with_payload("x"));

        assert_outcome(outcome, cases[i].kind, cases[i].text);
        if (outcome->retry_after_ms < cases[i].least_ms || outcome->retry_after_ms > cases[i].most_ms)
            fail_msg("%s: retry after %lld ms", cases[i].path, (long long)outcome->retry_after_ms);
        fixture_close(fixture);
    }
}

static void retry_after_is_read_as_it_is_meant(void **state)
{
    for (size_t i = 0; i < sizeof retry_after_cases / sizeof *retry_after_cases; i++) {
        const struct retry_after_case *expected = &retry_after_cases[i];
        char path[32];
        struct fixture *fixture;
        const struct outcome *outcome;

        snprintf(path, sizeof path, "/after/%zu", i);
        fixture = open_path(*state, path, (struct type_config){ 0 });
        outcome = fixture_run(fixture, with_payload("x"));
        assert_outcome(outcome, ENTRY_ERROR, expected->text);
        if (outcome->retry_after_ms < expected->least_ms || outcome->retry_after_ms > expected->most_ms)
            fail_msg("%s: retry after %lld ms", expected->headers[0], (long long)outcome->retry_after_ms);
        fixture_close(fixture);
    }
}

static void large_answers_are_cut(void **state)
{
    struct fixture *fixture = open_path(*state, "/large", (struct type_config){ 0 });
    const struct outcome *outcome = fixture_run(fixture, with_payload("x"));
    const char *mark = "\n[cut: 99999 bytes]";

    assert_outcome(outcome, ENTRY_OK, "");
    assert_int_equal(outcome->result_size, RESULT_MAX_BYTES);
    assert_string_equal(outcome->result + RESULT_MAX_BYTES - strlen(mark), mark);
    fixture_close(fixture);
}

static void unreachable_server_is_retried_with_curls_words(void **state)
{
    struct server *server = *state;
    struct fixture *fixture;
    const struct outcome *outcome;
    int nobody = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;

    (void)server;
    assert_int_equal(bind(nobody, (struct sockaddr *)&at, size), 0); /* bound, but nobody listens */
    getsockname(nobody, (struct sockaddr *)&at, &size);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    fixture = fixture_open("http", (struct type_config){ .url = url });
    outcome = fixture_run(fixture, with_payload("x"));
    assert_string_equal(entry_kind_name(outcome->kind), "error");
    assert_non_null(strstr(outcome->text, "127.0.0.1"));
    close(nobody);
    fixture_close(fixture);
}

static void server_that_does_not_answer_times_out(void **state)
{
    struct fixture *fixture = open_path(*state, "/hang", (struct type_config){ 0 });
    struct claimed op = with_payload("x");
    int64_t began = clock_boot_ms();

    op.timeout_ms = 200;
    assert_outcome(fixture_run(fixture, op), ENTRY_TIMED_OUT, "timed out after 200 ms");
    assert_in_range(clock_boot_ms() - began, 200, 30000);
    fixture_close(fixture);
}

static void stopped_requests_are_aborted(void **state)
{
    struct fixture *fixture = open_path(*state, "/hang", (struct type_config){ 0 });
    struct claimed op = with_payload("x");
    struct execution *execution = fixture_execution(fixture, &op, 1);
    int64_t began = clock_boot_ms();

    fixture_start(fixture, execution);
    fixture_stop(fixture, execution, STOP_CANCEL);
    fixture_wait(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_ERROR, "canceled while it was running");
    assert_in_range(clock_boot_ms() - began, 0, 30000);
    fixture_close(fixture);
}

static int count_now(struct server *server, const int *counter)
{
    int count;

    pthread_mutex_lock(&server->lock);
    count = *counter;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void connections_are_used_again(void **state)
{
    struct server *server = *state;
    struct fixture *fixture = open_path(server, "/echo", (struct type_config){ 0 });
    int connections = count_now(server, &server->connections), requests = count_now(server, &server->requests);

    for (int i = 0; i < 20; i++)
        assert_outcome(fixture_run(fixture, with_payload("x")), ENTRY_OK, "");
    assert_int_equal(count_now(server, &server->requests) - requests, 20);
    /* 1, and perhaps one of the aborted request before, which the server accepts only now */
    assert_in_range(count_now(server, &server->connections) - connections, 1, 2);
    fixture_close(fixture);
}

static void groups_post_an_array_and_read_an_array(void **state)
{
    struct server *server = *state;
    struct fixture *fixture = open_path(server, "/echo", (struct type_config){ .merge_max = 100 });
    struct claimed ops[2] = { fixture_op(1, "one", 3), fixture_op(2, "two", 3) };
    struct execution *execution = fixture_execution(fixture, ops, 2);

    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    assert_non_null(strstr(server->body, "[{\"Id\":\"08P000000000000001\",\"Token\":7340035,"));
    assert_non_null(strstr(server->body, "},{\"Id\":\"08P000000000000002\","));
    assert_non_null(strstr(server->headers, "Content-Type: application/json\n"));
    assert_non_null(strstr(server->headers, "Idempotency-Key: 08P000000000000001-3\n"));
    for (int i = 0; i < 2; i++) /* echoed objects name the Ids, but no Outcome */
        assert_outcome(&execution->members[i].outcome, ENTRY_ERROR,
                       "the handler answered Outcome \"\": expected ok, error, permanent or skipped");
    fixture_close(fixture);
}

static struct execution *run_group(struct fixture *fixture, size_t count)
{
    struct claimed ops[3] = { fixture_op(1, "one", 3), fixture_op(2, "two", 3), fixture_op(3, "three", 5) };
    struct execution *execution;

    for (int i = 0; i < 3; i++)
        ops[i].timeout_ms = 1000;
    execution = fixture_execution(fixture, ops, count);
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    return execution;
}

/* What happens to the whole request is an error of its own for one; of several it is nobody's for certain. */
static void failures_of_a_group_are_told_apart_from_those_of_one(void **state)
{
    static const struct {
        const char *path, *text;
        enum entry_kind alone, grouped;
        int64_t retry_after_ms;
    } cases[] = {
        { "/404", "HTTP 404", ENTRY_PERMANENT, ENTRY_UNANSWERED, -1 },
        { "/500", "HTTP 500: it broke", ENTRY_ERROR, ENTRY_UNANSWERED, -1 },
        { "/302", "HTTP 302", ENTRY_ERROR, ENTRY_UNANSWERED, -1 },
        { "/429", "HTTP 429: slowly", ENTRY_ERROR, ENTRY_UNANSWERED, 7000 },
        { "/large", "the handler gave no answer for this operation: the answer is no JSON array", ENTRY_ERROR,
          ENTRY_UNANSWERED, -1 },
        { "/hang", "timed out after 1000 ms", ENTRY_TIMED_OUT, ENTRY_TIMED_OUT, -1 },
    };
    struct server *server = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int count = 1; count <= 3; count += 2) {
            struct fixture *fixture = open_path(server, cases[i].path, (struct type_config){ .merge_max = 100 });
            struct execution *execution = run_group(fixture, (size_t)count);

            for (int m = 0; m < count; m++) {
                const struct outcome *outcome = &execution->members[m].outcome;

                assert_string_equal(entry_kind_name(outcome->kind),
                                    entry_kind_name(count > 1 ? cases[i].grouped : cases[i].alone));
                assert_memory_equal(outcome->text, cases[i].text, strlen(cases[i].text));
                assert_int_equal(outcome->retry_after_ms, cases[i].retry_after_ms);
            }
            fixture_close(fixture);
        }
}

static void unreachable_servers_fail_groups_as_a_whole(void **state)
{
    struct fixture *fixture =
        fixture_open("http", (struct type_config){ .url = (char *)"http://127.0.0.1:1/", .merge_max = 100 });
    struct execution *execution = run_group(fixture, 2);

    (void)state;
    for (int m = 0; m < 2; m++)
        assert_int_equal(execution->members[m].outcome.kind, ENTRY_UNANSWERED);
    fixture_close(fixture);
}

static void members_that_an_answer_leaves_out_are_unanswered(void **state)
{
    struct fixture *fixture = open_path(*state, "/first", (struct type_config){ .merge_max = 100 });
    struct execution *execution = run_group(fixture, 3);

    assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    assert_result(&execution->members[0].outcome, "1");
    for (int m = 1; m < 3; m++)
        assert_outcome(&execution->members[m].outcome, ENTRY_UNANSWERED,
                       "the handler gave no answer for this operation");
    fixture_close(fixture);
}

/* Whatever is in the record: it makes no header, and no second request. */
static void nothing_breaks_out_of_a_header(void **state)
{
    struct server *server = *state;
    struct fixture *fixture = open_path(server, "/echo", (struct type_config){ 0 });
    struct claimed op = with_payload("x");
    int before = count_now(server, &server->requests);

    op.traceparent = "x\r\nContent-Length:0\r\n\r\nPUT /pwned HTTP/1.1\r\nX-Bgop-Token: 1\r\nA:";
    assert_outcome(fixture_run(fixture, op), ENTRY_OK, "");
    assert_int_equal(count_now(server, &server->requests), before + 1);
    assert_string_equal(server->method, "POST");
    assert_string_equal(server->body, "x");
    assert_null(strstr(server->headers, "traceparent"));
    assert_non_null(strstr(server->headers, "X-Bgop-Token: 7340035\n"));
    assert_null(strstr(server->headers, "X-Bgop-Token: 1\n"));
    fixture_close(fixture);
}

static void wrong_options_are_refused_at_start(void **state)
{
    static const struct {
        const char *url, *headers, *text;
    } cases[] = {
        { NULL, NULL, "needs url" },
        { "ftp://x", NULL, "ftp://x" },
        { "ftp://me:hunter2@x", NULL, "ftp://me:***@x" },
        { "http://x y/", NULL, "x y" },
        { "http://me:hunter2@x\r\nA: b", NULL, "url: " },
        { "http://x:port/", NULL, "x:port" },
        { "http://", NULL, "url: " },
        { "http://x", "no colon here", "number 1 is not Name: value" },
        { "http://x", "A: b | hunter2", "number 2 is not Name: value" },
        { "http://x", ": b", "number 1 is not" },
        { "http://x", "A : b", "number 1 is not" },
        { "http://x", "A\r\nB: c", "number 1 is not" },
        { "http://x", "A: hunter2\r\nB: c", "A holds a control character" },
        { "http://x", "A: b\x7f", "A holds a control character" },
        { "http://x", "X-Bgop-Token: 1", "X-Bgop-Token is set by the worker" },
        { "http://x", "A: b|x-bgop-anything: 1", "set by the worker" },
        { "http://x", "idempotency-key: 1", "set by the worker" },
        { "http://x", "Traceparent: 1", "set by the worker" },
        { "http://x", "Content-Length: 0", "set by the worker" },
        { "http://x", "Transfer-Encoding: chunked", "set by the worker" },
    };
    struct err err = ERR_INIT;
    void *prepared;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct type_config config = { .url = (char *)cases[i].url, .headers = (char *)cases[i].headers };

        if (http_handler.prepare(&config, &prepared, &err) != ST_INVALID)
            fail_msg("taken: %s, %s", cases[i].url, cases[i].headers);
        if (!strstr(err.text, cases[i].text) || strstr(err.text, "hunter2"))
            fail_msg("\"%s\" is not in: %s", cases[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_is_posted_and_the_body_is_the_result),
        cmocka_unit_test(method_and_headers_come_from_the_configuration),
        cmocka_unit_test(statuses_mean_what_the_contract_says),
        cmocka_unit_test(retry_after_is_read_as_it_is_meant),
        cmocka_unit_test(large_answers_are_cut),
        cmocka_unit_test(unreachable_server_is_retried_with_curls_words),
        cmocka_unit_test(server_that_does_not_answer_times_out),
        cmocka_unit_test(stopped_requests_are_aborted),
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(groups_post_an_array_and_read_an_array),
        cmocka_unit_test(failures_of_a_group_are_told_apart_from_those_of_one),
        cmocka_unit_test(unreachable_servers_fail_groups_as_a_whole),
        cmocka_unit_test(members_that_an_answer_leaves_out_are_unanswered),
        cmocka_unit_test(nothing_breaks_out_of_a_header),
        cmocka_unit_test(wrong_options_are_refused_at_start),
    };

    for (const char *const *name = (const char *const[]){ "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", NULL };
         *name; name++)
        unsetenv(*name);
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
