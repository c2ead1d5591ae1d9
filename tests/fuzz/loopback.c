#include "tests/fuzz/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/fuzz/fuzz.h"

/* A connection whose making was interrupted goes on being made. */
static bool is_connected(int fd)
{
    struct pollfd look = { fd, POLLOUT, 0 };
    int error = 0, got;
    socklen_t size = sizeof error;

    if (errno != EINTR)
        return false;
    do
        got = poll(&look, 1, -1);
    while (got < 0 && errno == EINTR);
    return got == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

int loopback_connect(int port)
{
    static const struct linger at_once = { 1, 0 };
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 || is_connected(fd));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return fd;
}

ssize_t loopback_send(int fd, const void *data, size_t size)
{
    size_t sent = 0;
    ssize_t more = 0;

    while (sent < size) {
        more = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
        if (more < 0 && errno != EINTR)
            return sent ? (ssize_t)sent : -1;
        sent += more > 0 ? (size_t)more : 0;
    }
    return (ssize_t)sent;
}

ssize_t loopback_receive(int fd, void *data, size_t size)
{
    ssize_t got;

    do
        got = recv(fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

bool loopback_says_something(int fd, int within_ms)
{
    struct pollfd look = { fd, POLLIN, 0 };
    int got;

    do
        got = poll(&look, 1, within_ms);
    while (got < 0 && errno == EINTR);
    return got > 0;
}
