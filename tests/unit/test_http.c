/* The HTTP server: routes, limits, answers, and clients that mean no good; asked over a real socket. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/http.h"
#include "tests/support/test.h"

enum {
    ANSWER_SIZE = 64 * 1024,
    PATIENCE_MS = HTTP_IDLE_S * 1000 / 2, /* less than idle clients have: nobody waits for their end */
    IDLE_CONNECTIONS = 1000,
};

static void show_hello(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *who = http_query(request, "who");

    (void)arg;
    http_answer_text(answer, 200, "hello %s", who ? who : "nobody");
}

static void show_rest(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    http_answer_json(answer, 200, json_pack("{s:s, s:s}", "method", request->method, "rest", request->rest));
}

static void take_body(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    http_answer_header(answer, "X-Token", "a\r\nX-Forged: yes");
    http_answer_text(answer, 201, "%zu bytes, %s", request->body_size, request->body ? request->body : "");
}

static void show_page(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *text = http_header(request, "x-text");

    (void)arg;
    buf_append_string(&answer->body, "<p>");
    http_append_escaped(&answer->body, text ? text : "");
    http_answer_html(answer, 200);
}

static void show_too_much(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    while (buf_append_string(&answer->body, "0123456789abcdef0123456789abcdef0123456789abcdef"))
        ;
}

static void show_named(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    http_answer_text(answer, 200, "a=%s b=%s", http_param(request, "a"), http_param(request, "b"));
}

static void show_one(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    http_answer_text(answer, 200, "one %s", http_param(request, "b"));
}

/* A gate in front of a handler: how many wait at it, and whether they may pass. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int waiting, seen[HTTP_THREADS_MAX];
    bool open;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void wait_at_the_gate(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    gate.seen[request->thread]++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
    http_answer_text(answer, 200, "passed");
}

static void gate_await(int waiting)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.waiting < waiting)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

enum { SECRET = 1 };
static const struct http_route routes[] = {
    { "GET", "/hello", show_hello, 0, 0 },
    { "GET", "/all/*", show_rest, 0, 0 },
    { "POST", "/take", take_body, 1000, 0 },
    { "GET", "/page", show_page, 0, 0 },
    { "GET", "/much", show_too_much, 0, 0 },
    { "GET", "/of/one/{b}", show_one, 0, 0 },
    { "GET", "/of/{a}/{b}", show_named, 0, 0 },
    { "GET", "/of/{a}/{b}/it", show_named, 0, 0 },
    { "GET", "/gate", wait_at_the_gate, 0, 0 },
    { "POST", "/secret", take_body, 1000, SECRET },
    { NULL, NULL, NULL, 0, 0 },
};

static bool admit(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    if (request->route->access != SECRET || http_header(request, "x-secret"))
        return true;
    http_answer_text(answer, 401, "not without the secret");
    return false;
}

static void refuse_as_json(void *arg, const struct http_request *request, const char *methods,
                           struct http_answer *answer)
{
    (void)arg;
    http_answer_json(answer, answer->code,
                     json_pack("{s:s, s:i, s:s}", "path", request->path, "code", answer->code, "methods", methods));
}

static struct http_server *server;   /* the one that is asked */
static struct http_server *threaded; /* its handlers have two threads; it has rules of its own */

static int server_start(void **state)
{
    struct err err = ERR_INIT;
    struct http_settings settings = { .listen = "127.0.0.1:0", .option = "[test] listen", .routes = routes };

    (void)state;
    server = http_server_start(&settings, &err);
    settings.threads = 2;
    settings.admit = admit;
    settings.refuse = refuse_as_json;
    threaded = http_server_start(&settings, &err);
    return server && threaded ? 0 : -1;
}

static int server_stop(void **state)
{
    (void)state;
    http_server_stop(server);
    http_server_stop(threaded);
    return 0;
}

static void swap_servers(void)
{
    struct http_server *other = threaded;

    threaded = server;
    server = other;
}

static int use_threads(void **state)
{
    (void)state;
    swap_servers();
    return 0;
}

/* ---- a client ---- */

static int client_connect(void)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)http_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    return client;
}

/* Reads until the server closes. */
static const char *client_read(int client)
{
    static char answer[ANSWER_SIZE];
    size_t size = 0;
    struct pollfd wait = { .fd = client, .events = POLLIN };

    for (;;) {
        ssize_t got;

        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("neither an answer nor an end after %d ms", PATIENCE_MS);
        got = recv(client, answer + size, sizeof answer - 1 - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    answer[size] = '\0';
    return answer;
}

static const char *ask(const char *request)
{
    int client = client_connect();
    const char *answer;

    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    answer = client_read(client);
    close(client);
    return answer;
}

static void answer_has(const char *answer, const char *text)
{
    if (!strstr(answer, text))
        fail_msg("\"%s\" is not in:\n%s", text, answer);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

/* ---- cases ---- */

static void a_route_is_found_by_method_and_path(void **state)
{
    const char *answer;

    (void)state;
    answer = ask("GET /hello?who=you%20there HTTP/1.1\r\n" CLOSE "\r\n");
    answer_has(answer, "HTTP/1.1 200 ");
    answer_has(answer, "hello you there\n");
    answer_has(ask("GET /all/of/it HTTP/1.1\r\n" CLOSE "\r\n"), "{\"method\":\"GET\",\"rest\":\"of/it\"}");
    answer = ask("HEAD /hello HTTP/1.1\r\n" CLOSE "\r\n");
    answer_has(answer, "HTTP/1.1 200 ");
    assert_null(strstr(answer, "hello nobody"));
}

static void what_is_not_there_is_told_with_what_is(void **state)
{
    const char *answer;

    (void)state;
    answer = ask("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n");
    answer_has(answer, "HTTP/1.1 404 ");
    answer_has(answer, "GET /hello");
    answer = ask("DELETE /take HTTP/1.1\r\n" CLOSE "\r\n");
    answer_has(answer, "HTTP/1.1 405 ");
    answer_has(answer, "Allow: POST");
}

static void segments_have_names(void **state)
{
    (void)state;
    answer_has(ask("GET /of/x/y HTTP/1.1\r\n" CLOSE "\r\n"), "a=x b=y\n");
    answer_has(ask("GET /of/x/y/ HTTP/1.1\r\n" CLOSE "\r\n"), "a=x b=y\n");
    answer_has(ask("GET /of/one/y HTTP/1.1\r\n" CLOSE "\r\n"), "one y\n");
    answer_has(ask("GET /of/o%6Ee/y?a=1/2 HTTP/1.1\r\n" CLOSE "\r\n"), "one y\n");
    answer_has(ask("GET /of/a+b%2Fc/%c3%a4%zz%2/it HTTP/1.1\r\n" CLOSE "\r\n"), "a=a+b/c b=\xc3\xa4%zz%2\n");
}

static void what_is_no_text_in_a_path_leads_nowhere(void **state)
{
    static const char *const paths[] = { "/of//y",    "/of/x",       "/of/x//",
                                         "/of/x/y/z", "/of/x%00y/z", "/of/%ff/y",
                                         "/of/x/y//", "/hello//",    "//hello",
                                         "of/x/y",    "/all",        "/of/a/b/it/d/e/f/g/h/i/j/k/l/m/n",
                                         "*" };
    char request[128];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(paths); i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" CLOSE "\r\n", paths[i]);
        answer_has(ask(request), "HTTP/1.1 404 ");
    }
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    static char letters[HTTP_URL_MAX_BYTES + 1], request[HTTP_URL_MAX_BYTES + 200];
    int fits = HTTP_URL_MAX_BYTES - (int)strlen("/hello?who=");

    (void)state;
    memset(letters, 'x', HTTP_URL_MAX_BYTES);
    snprintf(request, sizeof request, "GET /hello?who=%.*s HTTP/1.1\r\n" CLOSE "\r\n", fits, letters);
    answer_has(ask(request), "HTTP/1.1 200 ");
    snprintf(request, sizeof request, "GET /hello?who=%.*s HTTP/1.1\r\n" CLOSE "\r\n", fits + 1, letters);
    answer_has(ask(request), "HTTP/1.1 414 ");
}

/* HTTP/1.1 has one Host header, which may be empty; HTTP/1.0 has none. */
static void who_does_not_name_one_host_is_refused(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {
        { "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 " },
        { "GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 " },
        { "POST /take HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400 " },
        { "GET /hello HTTP/1.1\r\nHost: x\r\nhost: y\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 " },
        { "GET /hello HTTP/1.1\r\nhOST:\r\nConnection: close\r\n\r\n", "hello nobody" },
        { "GET /hello HTTP/1.0\r\n\r\n", "hello nobody" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        answer_has(ask(cases[i].request), cases[i].answer);
    answer_has(ask(cases[0].request), "one Host header");
}

static void an_endless_body_is_cut_off(void **state)
{
    static const char head[] = "POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    static char chunk[65536 + 16];
    int client = client_connect(), i = 0;

    (void)state;
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + 7 + 65536, "\r\n", 2);
    assert_int_equal(send(client, head, strlen(head), MSG_NOSIGNAL), (ssize_t)strlen(head));
    while (i < 1000 && send(client, chunk, 7 + 65536 + 2, MSG_NOSIGNAL) > 0)
        i++;
    assert_true(i < 1000);
    close(client);
    answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
}

/* None of its body is sent: nobody waits for what would not be read. */
static void a_body_that_would_not_be_read_is_refused_at_once(void **state)
{
    (void)state;
    answer_has(ask("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"), "HTTP/1.1 413 ");
    answer_has(ask("POST /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"),
               "HTTP/1.1 413 ");
    answer_has(ask("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"), "HTTP/1.1 404 ");
}

/* ---- handlers with threads of their own ---- */

static int send_request(const char *request)
{
    int client = client_connect();

    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return client;
}

#define GATE "GET /gate HTTP/1.1\r\n" CLOSE "\r\n"

static void handlers_run_side_by_side(void **state)
{
    int first, second, third;

    (void)state;
    memset(gate.seen, 0, sizeof gate.seen);
    gate_set(false);
    first = send_request(GATE);
    second = send_request(GATE);
    third = send_request(GATE);
    gate_await(2);
    assert_true(gate.seen[0] == 1 && gate.seen[1] == 1);
    answer_has(ask("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 404 "); /* others are read meanwhile */
    gate_set(true);
    answer_has(client_read(first), "passed");
    answer_has(client_read(second), "passed");
    answer_has(client_read(third), "passed");
    close(first);
    close(second);
    close(third);
}

static void who_waits_for_a_handler_keeps_its_place(void **state)
{
    int waiting[2], idle[HTTP_CONNECTIONS_MAX * 2];

    (void)state;
    gate_set(false);
    waiting[0] = send_request(GATE);
    waiting[1] = send_request(GATE);
    gate_await(2);
    for (size_t i = 0; i < TEST_COUNT(idle); i++) {
        idle[i] = client_connect();
        answer_has(ask("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 404 ");
    }
    gate_set(true);
    answer_has(client_read(waiting[0]), "passed");
    answer_has(client_read(waiting[1]), "passed");
    for (size_t i = 0; i < TEST_COUNT(idle); i++)
        close(idle[i]);
    close(waiting[0]);
    close(waiting[1]);
}

static void a_client_that_leaves_its_handler_disturbs_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int client;

        gate_set(false);
        client = send_request(GATE);
        gate_await(1);
        close(client);
        gate_set(true);
        answer_has(ask(GATE), "passed");
    }
}

static void *stop_a_server(void *arg)
{
    http_server_stop(arg);
    return NULL;
}

static void a_server_that_stops_answers_what_it_has_read(void **state)
{
    struct http_settings settings = { .listen = "127.0.0.1:0", .option = "[test]", .routes = routes, .threads = 1 };
    struct http_server *kept = server;
    struct err err = ERR_INIT;
    pthread_t stopping;
    int client;

    (void)state;
    gate_set(false);
    server = http_server_start(&settings, &err);
    client = send_request(GATE);
    gate_await(1);
    assert_int_equal(pthread_create(&stopping, NULL, stop_a_server, server), 0);
    gate_set(true);
    pthread_join(stopping, NULL);
    client_read(client); /* ends: with the answer, or with the connection */
    close(client);
    server = kept;
}

static void who_may_not_is_told_before_a_body_is_taken(void **state)
{
    const char *answer;
    char request[4096];

    (void)state;
    snprintf(request, sizeof request, "POST /secret HTTP/1.1\r\n" CLOSE "Content-Length: 2000\r\n\r\n%02000d", 7);
    answer_has(ask(request), "HTTP/1.1 401 ");
    answer = ask("POST /secret HTTP/1.1\r\n" CLOSE "X-Secret: 1\r\nContent-Length: 2\r\n\r\nab");
    answer_has(answer, "2 bytes, ab");
}

static void a_server_may_refuse_in_its_own_words(void **state)
{
    static char request[4096];

    (void)state;
    answer_has(ask("GET /no%20thing HTTP/1.1\r\n" CLOSE "\r\n"),
               "{\"path\":\"/no thing\",\"code\":404,\"methods\":\"\"}");
    answer_has(ask("PUT /hello HTTP/1.1\r\n" CLOSE "\r\n"),
               "{\"path\":\"/hello\",\"code\":405,\"methods\":\"HEAD, GET\"}");
    snprintf(request, sizeof request, "POST /take HTTP/1.1\r\n" CLOSE "Content-Length: 2000\r\n\r\n%02000d", 7);
    answer_has(ask(request), "{\"path\":\"/take\",\"code\":413,\"methods\":\"\"}");
}

static void a_body_comes_whole_or_not_at_all(void **state)
{
    char request[4096];

    (void)state;
    answer_has(ask("POST /take HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nabcde"), "5 bytes, abcde");
    answer_has(
        ask("POST /take HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        "5 bytes, abcde");
    snprintf(request, sizeof request, "POST /take HTTP/1.1\r\n" CLOSE "Content-Length: 2000\r\n\r\n%02000d", 7);
    answer_has(ask(request), "HTTP/1.1 413 ");
    answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nx"), "HTTP/1.1 413 ");
}

static void every_answer_says_that_nothing_comes_from_elsewhere(void **state)
{
    const char *answer;

    (void)state;
    answer = ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
    answer_has(answer, "Content-Security-Policy: default-src 'none'");
    answer_has(answer, "X-Content-Type-Options: nosniff");
    answer_has(answer, "Cache-Control: no-store");
}

static void texts_cannot_leave_their_place(void **state)
{
    const char *answer;

    (void)state;
    answer = ask("POST /take HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n");
    answer_has(answer, "X-Token: a??X-Forged: yes\r\n");
    answer = ask("GET /page HTTP/1.1\r\n" CLOSE "X-Text: <script>&\"'\r\n\r\n");
    answer_has(answer, "<p>&#60;script&#62;&#38;&#34;&#39;");
}

static void an_answer_that_is_too_large_is_an_error(void **state)
{
    (void)state;
    answer_has(ask("GET /much HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 500 ");
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    size_t size = 3 * HTTP_HEAD_MAX_BYTES;
    char *request = calloc(1, size + 200);
    int client = client_connect();
    const char *answer;

    (void)state;
    snprintf(request, size, "GET /hello HTTP/1.1\r\n" CLOSE "X-Long: ");
    memset(request + strlen(request), 'x', size);
    /* The server may answer and close before it has read all of it. */
    (void)!send(client, request, strlen(request), MSG_NOSIGNAL);
    answer = client_read(client);
    if (answer[0])
        assert_true(strstr(answer, " 431 ") || strstr(answer, " 414 ") || strstr(answer, " 400 "));
    close(client);
    free(request);
    answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
}

static void what_is_no_http_disturbs_nobody(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ../../etc/passwd HTTP/1.0\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(requests); i++) {
        int client = client_connect();

        assert_true(send(client, requests[i], strlen(requests[i]), MSG_NOSIGNAL) > 0);
        answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
        shutdown(client, SHUT_WR);
        answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
        close(client);
    }
}

static int allow_descriptors(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 2 * IDLE_CONNECTIONS + 100 ? IDLE_CONNECTIONS : (int)limit.rlim_cur / 3;
}

/* A thousand that connect and say nothing, and every tenth begins a request and never ends it. */
static void idle_and_slow_clients_shut_nobody_out(void **state)
{
    int count = allow_descriptors();
    int *idle = calloc((size_t)count, sizeof *idle);

    (void)state;
    for (int i = 0; i < count; i++) {
        idle[i] = client_connect();
        if (i % 10 == 0)
            (void)!send(idle[i], "GET /hello HTTP/1.1\r\nX-Slow: ", 30, MSG_NOSIGNAL);
        if (i % 100 == 99)
            answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
    }
    answer_has(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello nobody");
    for (int i = 0; i < count; i++)
        close(idle[i]);
    free(idle);
}

static void who_is_served_keeps_its_place_before_who_is_quiet(void **state)
{
    int kept = client_connect(), idle[HTTP_CONNECTIONS_MAX * 3];
    char answer[2048];
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(idle); i++) {
        idle[i] = client_connect();
        assert_int_equal(send(kept, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
        assert_true(recv(kept, answer, sizeof answer, 0) > 0);
    }
    for (size_t i = 0; i < TEST_COUNT(idle); i++)
        close(idle[i]);
    close(kept);
}

static void what_cannot_be_listened_at_is_named(void **state)
{
    struct http_settings settings = { .option = "[test] listen", .routes = routes };
    struct err err = ERR_INIT;
    char taken[64];

    (void)state;
    settings.listen = "nonsense";
    assert_null(http_server_start(&settings, &err));
    assert_int_equal(err.status, ST_INVALID);
    assert_string_equal(err.text, "[test] listen: \"nonsense\" is not address:port");
    settings.listen = "127.0.0.1:http";
    assert_null(http_server_start(&settings, &err));
    assert_int_equal(err.status, ST_INVALID);
    snprintf(taken, sizeof taken, "127.0.0.1:%d", http_server_port(server));
    settings.listen = taken;
    assert_null(http_server_start(&settings, &err));
    assert_int_equal(err.status, ST_FAILED);
    answer_has(err.text, "is the port taken");
}

#define threads_test(test) cmocka_unit_test_setup_teardown(test, use_threads, use_threads)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_by_method_and_path),
        cmocka_unit_test(what_is_not_there_is_told_with_what_is),
        cmocka_unit_test(segments_have_names),
        cmocka_unit_test(what_is_no_text_in_a_path_leads_nowhere),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(who_does_not_name_one_host_is_refused),
        cmocka_unit_test(an_endless_body_is_cut_off),
        cmocka_unit_test(a_body_that_would_not_be_read_is_refused_at_once),
        cmocka_unit_test(a_body_comes_whole_or_not_at_all),
        cmocka_unit_test(every_answer_says_that_nothing_comes_from_elsewhere),
        cmocka_unit_test(texts_cannot_leave_their_place),
        cmocka_unit_test(an_answer_that_is_too_large_is_an_error),
        cmocka_unit_test(a_head_that_is_too_large_is_refused),
        cmocka_unit_test(what_is_no_http_disturbs_nobody),
        cmocka_unit_test(idle_and_slow_clients_shut_nobody_out),
        cmocka_unit_test(who_is_served_keeps_its_place_before_who_is_quiet),
        cmocka_unit_test(what_cannot_be_listened_at_is_named),
        threads_test(a_route_is_found_by_method_and_path),
        threads_test(a_body_comes_whole_or_not_at_all),
        threads_test(an_answer_that_is_too_large_is_an_error),
        threads_test(a_body_that_would_not_be_read_is_refused_at_once),
        threads_test(what_is_no_http_disturbs_nobody),
        threads_test(idle_and_slow_clients_shut_nobody_out),
        threads_test(handlers_run_side_by_side),
        threads_test(who_waits_for_a_handler_keeps_its_place),
        threads_test(a_client_that_leaves_its_handler_disturbs_nobody),
        threads_test(a_server_that_stops_answers_what_it_has_read),
        threads_test(who_may_not_is_told_before_a_body_is_taken),
        threads_test(a_server_may_refuse_in_its_own_words),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
