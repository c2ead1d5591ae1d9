/* A connection to a server in this process. A fuzzer's timer interrupts whoever waits: it is gone on with. */
#ifndef TESTS_FUZZ_LOOPBACK_H
#define TESTS_FUZZ_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

int loopback_connect(int port); /* the caller closes it, which leaves no port behind in TIME_WAIT */
/* As send; less than `size`, or -1: the server has closed already. */
ssize_t loopback_send(int fd, const void *data, size_t size);
/* As recv; 0: closed, -1: errno says why. */
ssize_t loopback_receive(int fd, void *data, size_t size);
/* Is there something to be received, within so many ms? */
bool loopback_says_something(int fd, int within_ms);

#endif
