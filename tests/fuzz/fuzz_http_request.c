/* What anybody may send to a status page: whatever it is, the server lives, answers in HTTP or closes, and hands its
 * handlers what the routes say. libmicrohttpd takes the bytes apart; routes, limits and answers are ours. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/http/http.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/loopback.h"

static void show(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *query = http_query(request, "q"), *header = http_header(request, "x-it");

    (void)arg;
    FUZZ_CHECK(request->body_size <= 1000 && (request->body || !request->body_size));
    FUZZ_CHECK(strlen(request->rest) <= strlen(request->path));
    buf_append_string(&answer->body, "<p>");
    http_append_escaped(&answer->body, request->path);
    http_append_escaped(&answer->body, query ? query : "");
    FUZZ_CHECK(!strchr(answer->body.data + 3, '<'));
    http_answer_header(answer, "X-It", header ? header : "");
    http_answer_html(answer, 200);
}

static void show_json(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    http_answer_json(answer, 200, json_pack("{s:s%}", "rest", request->rest, strlen(request->rest)));
}

static void show_named(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *a = http_param(request, "a"), *b = http_param(request, "b");

    (void)arg;
    FUZZ_CHECK(a[0] && b[0] && text_utf8_length(a, strlen(a)) > 0 && text_utf8_length(b, strlen(b)) > 0);
    http_answer_json(answer, 200, json_pack("[s, s]", a, b));
}

static const struct http_route routes[] = {
    { "GET", "/", show, 0, 0 },           { "POST", "/take", show, 1000, 0 },
    { "GET", "/all/*", show_json, 0, 0 }, { "GET", "/of/{a}/{b}/it", show_named, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

static int listening(void)
{
    static struct http_server *server;
    struct http_settings settings = {
        .listen = "127.0.0.1:0", .option = "[worker] listen", .routes = routes, .threads = 1
    };
    struct err err = ERR_INIT;

    if (!server)
        server = http_server_start(&settings, &err);
    FUZZ_CHECK(server);
    return http_server_port(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SILENCE_MS = 5 }; /* a server that waits for the rest says nothing: nor is anything to be waited for, then */
    int fd = loopback_connect(listening());
    char answer[4096];
    size_t got = 0;
    ssize_t more;

    loopback_send(fd, data, size);
    shutdown(fd, SHUT_WR);
    while (got < sizeof answer && loopback_says_something(fd, SILENCE_MS) &&
           (more = loopback_receive(fd, answer + got, sizeof answer - got)) > 0)
        got += (size_t)more;
    close(fd);
    FUZZ_CHECK(got == 0 || memcmp(answer, "HTTP/1.", got < 7 ? got : 7) == 0);
    return 0;
}
