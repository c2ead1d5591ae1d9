/* What an http handler answers, from the bytes on the connection on: a server that sends these, and closes. One that runs
 * alone, and a group when the first byte is odd. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/executions.h"
#include "worker/handlers/http_request.h"

static struct http_type *type;
static struct http_request *request;

static CURLM *multi;
static int listener;
static char address[64];

/* An abstract address of this process: no file is left behind, and no port in TIME_WAIT. */
static void listen_here(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    snprintf(address, sizeof address, "bgop-fuzz-%d", (int)getpid());
    memcpy(at.sun_path + 1, address, strlen(address));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(bind(listener, (struct sockaddr *)&at,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address))) == 0);
    FUZZ_CHECK(listen(listener, 8) == 0);
}

static void prepare(void)
{
    struct type_config config = { .name = (char *)(uintptr_t) "WebCart",
                                  .url = (char *)(uintptr_t) "http://127.0.0.1:9/work",
                                  .headers = (char *)(uintptr_t) "X-Key: value" };
    struct err err = ERR_INIT;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    FUZZ_CHECK(http_type_new(&config, &type, &err) == ST_OK);
    request = http_request_new();
    multi = curl_multi_init();
    listen_here();
}

/* Sends all of it to whoever has connected, and ends its side. */
static int serve(const uint8_t *data, size_t size)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        (void)sent; /* curl may have had enough */
        shutdown(fd, SHUT_WR);
    }
    return fd;
}

static CURLcode perform(const uint8_t *data, size_t size)
{
    int running = 1, left, fd = -1;
    CURLMsg *message;
    CURLcode code;

    curl_multi_add_handle(multi, request->easy);
    while (running) {
        curl_multi_perform(multi, &running);
        if (fd < 0)
            fd = serve(data, size);
        else if (running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    message = curl_multi_info_read(multi, &left);
    FUZZ_CHECK(message && message->msg == CURLMSG_DONE);
    code = message->data.result;
    curl_multi_remove_handle(multi, request->easy);
    close(fd);
    return code;
}

static void answer(bool group, const uint8_t *data, size_t size)
{
    struct fuzz_execution made;

    fuzz_execution_begin(&made, group, type);
    http_request_start(request, made.execution);
    curl_easy_setopt(request->easy, CURLOPT_ABSTRACT_UNIX_SOCKET, address);
    curl_easy_setopt(request->easy, CURLOPT_FORBID_REUSE, 1L);
    http_request_finish(request, perform(data, size), STOP_NONE);
    fuzz_execution_end(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!type)
        prepare();
    if (size > 0)
        answer(data[0] & 1, data + 1, size - 1);
    return 0;
}
