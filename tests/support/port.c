/* A port that the kernel gave and that was closed again may be anybody's outgoing connection a moment later. */
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 18000, COUNT = 2000 };

/* The lock lasts as long as this process; tests in Python and shell lock the same files. */
static bool port_lock(int port)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/tmp/bgop-port-%d", port);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (fd >= 0)
        close(fd);
    return false;
}

static bool port_free(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((in_port_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return is_free;
}

int port_take(void)
{
    for (int i = 0; i < COUNT; i++) {
        int port = FIRST + (getpid() + i) % COUNT;

        if (port_lock(port) && port_free(port))
            return port;
    }
    fputs("no free port from 18000 to 19999\n", stderr);
    exit(1);
}
