/* Loads a running beanstalkd as the benchmarks load a queue: one process submits, another works and counts.
 *
 *   bench_beanstalkd PORT SLOTS rate COUNT
 *   bench_beanstalkd PORT SLOTS latency RATE SECONDS WARM_UP
 *
 * The worker has SLOTS connections, each with one job reserved, and deletes a job when it is done; beanstalkd keeps no
 * record. rate puts over four connections, with many unanswered; latency puts one at a time, when it is due, and ends with
 * the answer to the delete. Prints one JSON object. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

enum { PAYLOAD_BYTES = 200, PRODUCERS = 4, WINDOW = 256, LINE_BYTES = 256, BUFFER_BYTES = 8192 };

static int port;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written <= 0)
            fail("write");
        data += written;
        size -= (size_t)written;
    }
}

/* ---- worker ---- */

struct connection {
    int fd;
    char data[BUFFER_BYTES];
    size_t size;
    int64_t due_us; /* of the job at hand: the first word of its payload */
};

struct ended {
    int64_t due_us, done_us;
};

/* All that have ended; they go to the producer together, when it has nothing else to do any more. */
static struct {
    struct ended *ended;
    long count, wanted;
    int to;
} book;

static void note_ended(int64_t due_us)
{
    book.ended[book.count++] = (struct ended){ due_us, clock_boot_us() };
    if (book.count == book.wanted)
        write_all(book.to, (const char *)book.ended, (size_t)book.count * sizeof *book.ended);
}

/* One answer of the server at `text`: how many bytes it has, 0 when it is not whole. */
static size_t take_answer(struct connection *connection, const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    char command[96];
    uint64_t id;
    size_t bytes;
    if (!end)
        return 0;
    size_t line = (size_t)(end - text) + 1;
    if (sscanf(text, "RESERVED %" SCNu64 " %zu", &id, &bytes) == 2) {
        if (size < line + bytes + 2)
            return 0;
        connection->due_us = strtoll(end + 1, NULL, 10);
        write_all(connection->fd, command,
                  (size_t)snprintf(command, sizeof command, "delete %" PRIu64 "\r\nreserve\r\n", id));
        return line + bytes + 2;
    }
    if (strncmp(text, "DELETED", 7) != 0) {
        fprintf(stderr, "bench_beanstalkd: the server says %.*s\n", (int)line, text);
        exit(1);
    }
    note_ended(connection->due_us);
    return line;
}

static void read_some(struct connection *connection)
{
    ssize_t got = read(connection->fd, connection->data + connection->size, sizeof connection->data - connection->size);
    if (got <= 0)
        exit(0); /* the server is gone: so are we */
    connection->size += (size_t)got;
    size_t at = 0, taken;
    while (at < connection->size && (taken = take_answer(connection, connection->data + at, connection->size - at)) > 0)
        at += taken;
    memmove(connection->data, connection->data + at, connection->size - at);
    connection->size -= at;
}

static _Noreturn void work(int slots, long wanted, int to)
{
    struct epoll_event events[64];
    struct connection *connections = xcalloc((size_t)slots, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    book.ended = xcalloc((size_t)wanted, sizeof *book.ended);
    book.wanted = wanted;
    book.to = to;
    for (int i = 0; i < slots; i++) {
        connections[i].fd = dial();
        write_all(connections[i].fd, "reserve\r\n", 9);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };
        epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    write_all(to, (const char *)&(struct ended){ 0 }, sizeof(struct ended)); /* ready */
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++)
            read_some(events[i].data.ptr);
    }
}

/* ---- producer ---- */

static size_t write_put(char *text, int64_t due_us)
{
    char payload[PAYLOAD_BYTES + 1];
    memset(payload, 'x', PAYLOAD_BYTES);
    payload[PAYLOAD_BYTES] = '\0';
    payload[snprintf(payload, 24, "%020" PRId64, due_us)] = ' ';
    return (size_t)sprintf(text, "put 1024 0 60 %d\r\n%s\r\n", PAYLOAD_BYTES, payload);
}

static long answers_in(int fd)
{
    char data[BUFFER_BYTES];
    ssize_t got = read(fd, data, sizeof data);
    long lines = 0;
    if (got <= 0)
        fail("read");
    for (ssize_t i = 0; i < got; i++)
        lines += data[i] == '\n';
    return lines;
}

static void put_all(long count)
{
    struct pollfd fds[PRODUCERS];
    long flying[PRODUCERS] = { 0 }, sent = 0, answered = 0;
    char *text = xcalloc(WINDOW, PAYLOAD_BYTES + LINE_BYTES);
    for (int i = 0; i < PRODUCERS; i++)
        fds[i] = (struct pollfd){ .fd = dial(), .events = POLLIN };
    while (answered < count) {
        for (int i = 0; i < PRODUCERS; i++) {
            size_t size = 0;
            for (; flying[i] < WINDOW && sent < count; flying[i]++, sent++)
                size += write_put(text + size, clock_boot_us());
            write_all(fds[i].fd, text, size);
        }
        poll(fds, PRODUCERS, 1000);
        for (int i = 0; i < PRODUCERS; i++) {
            long some = fds[i].revents & POLLIN ? answers_in(fds[i].fd) : 0;
            flying[i] -= some;
            answered += some;
        }
    }
    free(text);
}

static void put_at_rate(double rate, long count)
{
    char text[PAYLOAD_BYTES + LINE_BYTES];
    int fd = dial();
    int64_t start = clock_boot_us();
    for (long i = 0; i < count; i++) {
        int64_t due = start + (int64_t)((double)i * 1e6 / rate), now = clock_boot_us();
        if (due > now)
            nanosleep(&(struct timespec){ .tv_sec = (due - now) / 1000000, .tv_nsec = (due - now) % 1000000 * 1000 },
                      NULL);
        write_all(fd, text, write_put(text, due));
        answers_in(fd);
    }
    close(fd);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static struct ended next_ended(FILE *from)
{
    struct ended ended;
    if (fread(&ended, sizeof ended, 1, from) != 1) {
        fprintf(stderr, "bench_beanstalkd: the worker ended\n");
        exit(1);
    }
    return ended;
}

static void rate(FILE *from, long count)
{
    int64_t start = clock_boot_us(), done = 0;
    put_all(count);
    int64_t submitted = clock_boot_us();
    for (long i = 0; i < count; i++)
        done = next_ended(from).done_us;
    printf("{\"operations\":%ld,\"completed\":%ld,\"submitted\":%ld,\"submit_per_s\":%.0f,\"end_to_end_per_s\":%.0f}\n",
           count, count, count, (double)count * 1e6 / (double)(submitted - start),
           (double)count * 1e6 / (double)(done - start));
}

static void latency(FILE *from, double per_s, long first, long count)
{
    long kept = count - first;
    int64_t *us = xcalloc((size_t)count, sizeof *us);
    put_at_rate(per_s, count);
    for (long i = 0; i < count; i++) { /* one slot or another: the order is that of the ends */
        struct ended ended = next_ended(from);
        us[i] = ended.done_us - ended.due_us;
    }
    qsort(us + first, (size_t)kept, sizeof *us, by_number);
    printf("{\"operations\":%ld,\"completed\":%ld,\"submitted\":%ld,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           kept, kept, count, (double)us[first + kept / 2] / 1e3, (double)us[first + kept * 99 / 100] / 1e3,
           (double)us[count - 1] / 1e3);
    free(us);
}

int main(int argc, char **argv)
{
    bool is_rate = argc == 5 && strcmp(argv[3], "rate") == 0, is_latency = argc == 7 && strcmp(argv[3], "latency") == 0;
    int pipes[2];
    if (!is_rate && !is_latency) {
        fprintf(stderr, "usage: bench_beanstalkd PORT SLOTS rate COUNT | latency RATE SECONDS WARM_UP\n");
        return 64;
    }
    double per_s = strtod(argv[4], NULL);
    long first = is_latency ? (long)(per_s * strtod(argv[6], NULL)) : 0;
    long count = is_latency ? first + (long)(per_s * strtod(argv[5], NULL)) : strtol(argv[4], NULL, 10);
    port = (int)strtol(argv[1], NULL, 10);
    if (pipe(pipes) != 0)
        fail("pipe");
    pid_t worker = fork();
    if (worker == 0)
        work((int)strtol(argv[2], NULL, 10), count, pipes[1]);
    close(pipes[1]);
    FILE *from = fdopen(pipes[0], "r");
    next_ended(from);
    if (is_rate)
        rate(from, count);
    else
        latency(from, per_s, first, count);
    kill(worker, SIGTERM);
    waitpid(worker, NULL, 0);
    return 0;
}
