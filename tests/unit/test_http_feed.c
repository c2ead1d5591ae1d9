/* Streams of the HTTP server: one text, many clients; asked over a real socket. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/http/feed.h"
#include "tests/support/test.h"

enum { KEPT_BYTES = 64 * 1024, CLIENTS_MAX = 3, PATIENCE_MS = 5000, ANSWER_SIZE = 256 * 1024 };

static struct http_server *server;
static struct http_feed *feed;

static void follow(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *from = http_query(request, "from");
    int64_t position = (int64_t)http_feed_end(feed);

    (void)arg;
    if (from && !text_parse_int64(from, 0, INT64_MAX, &position))
        position = INT64_MAX;
    buf_append_string(&answer->body, "first;");
    switch (http_feed_join(feed, request, answer, (uint64_t)position)) {
    case HTTP_FEED_JOINED: answer->content_type = "text/event-stream"; break;
    case HTTP_FEED_MISSED: buf_append_string(&answer->body, "missed;"); break;
    case HTTP_FEED_FULL: http_answer_text(answer, 503, "full");
    }
}

static void hello(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    http_answer_header(answer, "Content-Security-Policy", "default-src 'self'");
    http_answer_text(answer, 200, "hello");
}

static const struct http_route routes[] = {
    { "GET", "/feed", follow, 0, 0 },
    { "GET", "/hello", hello, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

static int start(void **state)
{
    const struct http_settings settings = {
        .listen = "127.0.0.1:0", .option = "[test] listen", .routes = routes, .threads = 1
    };
    struct err err = ERR_INIT;

    (void)state;
    feed = http_feed_new(KEPT_BYTES, CLIENTS_MAX);
    server = http_server_start(&settings, &err);
    return server ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    http_feed_close(feed);
    http_server_stop(server);
    http_feed_free(feed);
    return 0;
}

/* ---- a client ---- */

static int client_ask(const char *path)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)http_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char request[256];

    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return client;
}

/* Reads until this text came, or (NULL) until the end. */
static const char *client_await(int client, const char *text)
{
    static char answer[ANSWER_SIZE];
    struct pollfd wait = { .fd = client, .events = POLLIN };
    size_t size = 0;

    answer[0] = '\0';
    while (!text || !strstr(answer, text)) {
        ssize_t got;

        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("waited %d ms in vain for \"%s\"; there is: %s", PATIENCE_MS, text ? text : "the end", answer);
        got = recv(client, answer + size, sizeof answer - 1 - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
        answer[size] = '\0';
    }
    if (text && !strstr(answer, text))
        fail_msg("the stream ended before \"%s\": %s", text, answer);
    return answer;
}

static void await_clients(int count)
{
    for (int waited_ms = 0; http_feed_clients(feed) != count; waited_ms += 10) {
        if (waited_ms > PATIENCE_MS)
            fail_msg("%d clients, %d were expected", http_feed_clients(feed), count);
        http_feed_put(feed, "x", 1); /* who is gone is noticed when something is sent */
        poll(NULL, 0, 10);
    }
}

static void put(const char *text)
{
    http_feed_put(feed, text, strlen(text));
}

static void drop(int client)
{
    close(client);
}

/* ---- cases ---- */

static void what_is_put_comes_to_all(void **state)
{
    int clients[CLIENTS_MAX];
    const char *answer;

    (void)state;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        clients[i] = client_ask("/feed");
        answer = client_await(clients[i], "first;");
        assert_non_null(strstr(answer, "text/event-stream"));
        assert_non_null(strstr(answer, "default-src 'none'"));
    }
    put("news 1;");
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_await(clients[i], "news 1;");
    put("news 2;");
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_await(clients[i], "news 2;");
    for (int i = 0; i < CLIENTS_MAX; i++)
        drop(clients[i]);
    await_clients(0);
}

/* The one thread of handlers is free for others while a stream is open. */
static void a_stream_takes_no_thread_and_no_more_places_than_allowed(void **state)
{
    int clients[CLIENTS_MAX], other;

    (void)state;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        clients[i] = client_ask("/feed");
        client_await(clients[i], "first;");
    }
    other = client_ask("/feed");
    client_await(other, "503 ");
    close(other);
    other = client_ask("/hello");
    client_await(other, "hello");
    close(other);
    for (int i = 0; i < CLIENTS_MAX; i++)
        drop(clients[i]);
    await_clients(0);
}

static void a_stream_goes_on_where_it_was(void **state)
{
    char path[64];
    uint64_t before;
    int client;

    (void)state;
    before = http_feed_end(feed);
    put("one;");
    put("two;");
    snprintf(path, sizeof path, "/feed?from=%llu", (unsigned long long)before + 4);
    client = client_ask(path);
    assert_null(strstr(client_await(client, "two;"), "one;"));
    drop(client);
    snprintf(path, sizeof path, "/feed?from=%llu", (unsigned long long)before + 2);
    client = client_ask(path);
    client_await(client, "missed;");
    drop(client);
    client = client_ask("/feed?from=nonsense");
    client_await(client, "missed;");
    put("three;");
    client_await(client, "three;");
    drop(client);
    await_clients(0);
}

/* Reads nothing while more is put than is kept (and the kernel holds). */
static void who_reads_too_slowly_is_dropped(void **state)
{
    static char piece[KEPT_BYTES / 2];
    int client = client_ask("/feed");

    (void)state;
    client_await(client, "first;");
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 2000 && http_feed_clients(feed) > 0; i++) {
        http_feed_put(feed, piece, sizeof piece);
        poll(NULL, 0, 1);
    }
    while (recv(client, piece, sizeof piece, MSG_DONTWAIT) > 0)
        ;
    await_clients(0);
    close(client);
}

static void a_header_that_all_have_is_replaced(void **state)
{
    int client = client_ask("/hello");
    const char *answer = client_await(client, "hello");

    (void)state;
    assert_non_null(strstr(answer, "default-src 'self'"));
    assert_null(strstr(answer, "default-src 'none'"));
    close(client);
}

/* The last of all: nobody can follow after it. */
static void streams_end_when_the_feed_does(void **state)
{
    int client = client_ask("/feed");

    (void)state;
    client_await(client, "first;");
    http_feed_close(feed);
    client_await(client, "0\r\n\r\n");
    close(client);
    client = client_ask("/feed");
    client_await(client, "503 ");
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_comes_to_all),
        cmocka_unit_test(a_stream_takes_no_thread_and_no_more_places_than_allowed),
        cmocka_unit_test(a_stream_goes_on_where_it_was),
        cmocka_unit_test(who_reads_too_slowly_is_dropped),
        cmocka_unit_test(a_header_that_all_have_is_replaced),
        cmocka_unit_test(streams_end_when_the_feed_does),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
