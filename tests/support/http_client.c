#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "tests/support/test.h"

enum { ANSWER_MAX = 128 * 1024 * 1024, PATIENCE_S = 60 };

static int connect_to(int port)
{
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval patience = { PATIENCE_S, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) != 0)
        fail_msg("no connection to port %d", port);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void send_all(int fd, const struct buf *request)
{
    size_t sent = 0;

    while (sent < request->size) {
        ssize_t more = send(fd, request->data + sent, request->size - sent, MSG_NOSIGNAL);

        if (more <= 0)
            break; /* the server may have answered already */
        sent += (size_t)more;
    }
}

static void receive_all(int fd, struct buf *answer)
{
    char piece[65536];
    ssize_t more;

    while ((more = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_append(answer, piece, (size_t)more);
}

const struct http_reply *http_client_ask(int port, const char *method, const char *path, const char *headers,
                                         const char *body)
{
    static struct http_reply reply;
    static struct buf answer;
    struct buf request;
    char *end;
    int fd = connect_to(port);

    buf_init(&request, ANSWER_MAX);
    buf_release(&answer);
    buf_init(&answer, ANSWER_MAX);
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%s", method, path, port,
               headers);
    if (body)
        buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_printf(&request, "\r\n%s", body ? body : "");
    send_all(fd, &request);
    receive_all(fd, &answer);
    close(fd);
    buf_release(&request);
    end = answer.size ? strstr(answer.data, "\r\n\r\n") : NULL;
    if (!end || sscanf(answer.data, "HTTP/1.%*d %d", &reply.status) != 1)
        fail_msg("%s %.200s: this is no answer: %.200s", method, path, answer.size ? answer.data : "nothing");
    *end = '\0';
    reply.head = answer.data;
    reply.body = end + 4;
    reply.size = answer.size - (size_t)(reply.body - answer.data);
    return &reply;
}
