/* What a client with a token may ask of the coordinator's endpoint: the first line is a path with its query, what
 * follows a body. Whatever it is, the answer is JSON, and an error is an array that clients can read. There is no Redis,
 * so what would be asked of it is 503; paths, fields, Ids, SOQL, locators and bodies are taken apart all the same. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/loopback.h"

static struct config config;

static void set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    FUZZ_CHECK(config_set(&config, section, name, value, &err) == ST_OK);
}

static int port(void)
{
    static struct endpoint *endpoint;
    char token_file[] = "/tmp/bgop-fuzz-token-XXXXXX";
    struct err err = ERR_INIT;
    int fd;

    if (endpoint)
        return endpoint_port(endpoint);
    log_start("fuzz", LOG_LEVEL_ERROR, false);
    fd = mkstemp(token_file);
    FUZZ_CHECK(fd >= 0 && write(fd, "token\n", 6) == 6);
    close(fd);
    config_init(&config);
    set("redis", "url", "unix:///nowhere/redis.sock");
    set("http", "listen", "127.0.0.1:0");
    set("http", "token_file", token_file);
    FUZZ_CHECK(endpoint_start(&endpoint, &config, NULL, &err) == ST_OK);
    unlink(token_file);
    return endpoint_port(endpoint);
}

/* A target is one word of a line; everything else in it may be anything. */
static void write_request(struct buf *request, const char *data, size_t size)
{
    const char *end = size ? memchr(data, '\n', size) : NULL;
    size_t target = end ? (size_t)(end - data) : size;
    const char *body = end ? end + 1 : NULL;

    buf_printf(request, "%s /", body ? "POST" : "GET");
    for (size_t i = 0; i < target; i++)
        buf_append_char(request, (unsigned char)data[i] > ' ' ? data[i] : '+');
    buf_append_string(request, " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nConnection: close\r\n");
    if (body)
        buf_printf(request, "Content-Length: %zu\r\n", size - target - 1);
    buf_append_string(request, "\r\n");
    if (body)
        buf_append(request, body, size - target - 1);
}

/* Whoever meets no answer knows how it came. */
static void tell_of_none(const struct buf *answer, int cause, int64_t began_ms)
{
    fprintf(stderr, "no whole answer within %" PRId64 " ms (%s), but %zu bytes: %.*s\n", clock_boot_ms() - began_ms,
            cause ? strerror(cause) : "closed", answer->size, (int)answer->size, answer->size ? answer->data : "");
}

static void check_answer(const struct buf *answer, const char *target, int cause, int64_t began_ms)
{
    const char *body = answer->size ? strstr(answer->data, "\r\n\r\n") : NULL;
    int status = 0;

    if (!body)
        tell_of_none(answer, cause, began_ms);
    FUZZ_CHECK(body && sscanf(answer->data, "HTTP/1.1 %d", &status) == 1);
    body += 4;
    if (strncmp(target, "/services/", 10) != 0 && strncmp(target, "/id/", 4) != 0)
        return;
    FUZZ_CHECK(strstr(answer->data, "Content-Type: application/json;charset=UTF-8\r\n"));
    FUZZ_CHECK(status != 500);
    if (status >= 400)
        FUZZ_CHECK(strncmp(body, "[{\"message\":\"", 13) == 0 && strstr(body, "\",\"errorCode\":\""));
    else
        FUZZ_CHECK(body[0] == '{' || body[0] == '[');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char piece[4096];
    struct buf request, answer;
    ssize_t more;
    int fd = loopback_connect(port()), cause;
    int64_t began_ms = clock_boot_ms();

    buf_init(&request, 1 << 20);
    buf_init(&answer, 1 << 20);
    write_request(&request, (const char *)data, size);
    FUZZ_CHECK(loopback_send(fd, request.data, request.size) == (ssize_t)request.size);
    while ((more = loopback_receive(fd, piece, sizeof piece)) > 0)
        buf_append(&answer, piece, (size_t)more);
    cause = more < 0 ? errno : 0;
    close(fd);
    check_answer(&answer, strchr(request.data, ' ') + 1, cause, began_ms);
    buf_release(&request);
    buf_release(&answer);
    return 0;
}
