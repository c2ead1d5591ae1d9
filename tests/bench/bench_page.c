/* What a dashboard costs in a queue of a million records: a private redis-server filled through the functions themselves
 * (million_queue.h), the coordinator's HTTP endpoint on it, operations that run at a rate, and one client that asks route
 * after route over loopback while another follows the stream of events. Prints, for each route, p50, p99 and the longest
 * of all answers in ms; then how many operations ran in a second without anybody who asks, and with.
 * bench_page [records (1000000) [limit of a p99 in ms (200) [operations a second (5000)]]] */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "tests/bench/million_queue.h"
#include "tests/support/http_client.h"
#include "tests/support/redis_server.h"

enum { ROUNDS = 200, ALONE_MS = 5000 };

static struct million queue;
static struct redis_server server;
static struct config config;
static struct endpoint *endpoint;
static atomic_bool over;
static atomic_llong ran; /* operations */

/* ---- operations that run ---- */

static void sleep_us(int64_t us)
{
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&pause, NULL);
}

/* Batch after batch, shard after shard, at so many operations a second. */
static void *run_operations(void *arg)
{
    int64_t rate = *(int64_t *)arg, begun_us = clock_boot_us(), done = 0;

    for (int first = queue.per_shard; !atomic_load(&over); first += MILLION_BATCH) {
        for (int shard = 0; shard < MILLION_SHARDS && !atomic_load(&over); shard++) {
            int64_t due_us = begun_us + done * 1000000 / rate, now_us = clock_boot_us();

            if (now_us < due_us)
                sleep_us(due_us - now_us);
            million_clock(&queue, queue.now_ms + 50);
            million_batch(&queue, shard, first);
            done += MILLION_BATCH;
            atomic_store(&ran, done);
        }
    }
    return NULL;
}

/* ---- those who ask ---- */

static const char *const routes[] = {
    "/bgop/v1/session",
    "/bgop/v1/stats",
    "/bgop/v1/history",
    "/bgop/v1/blocked",
    "/bgop/v1/workers",
    "/bgop/v1/paused",
    "/bgop/v1/operations",
    "/bgop/v1/operations?where=Status%3D'Error'",
    "/bgop/v1/operations?where=Status%3D'Error'+AND+Type%3D'WebCart'&order=-LastModifiedDate",
    "/bgop/v1/operations?where=ParentKey%3D'acct-huge'&limit=200",
    "/bgop/v1/operations?where=Name%3D'import-3-1000'",
    "/bgop/v1/operations?where=Error+LIKE+'%25found+nowhere%25'", /* looks at all: a page gives up, and has a cursor */
};

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool measure(const char *route, double limit_ms)
{
    static double times[ROUNDS];
    double p99;
    size_t bytes = 0;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t begun_us = clock_boot_us();
        const struct http_reply *reply =
            http_client_ask(endpoint_port(endpoint), "GET", route, "Authorization: Bearer bench\r\n", NULL);

        times[i] = (double)(clock_boot_us() - begun_us) / 1000;
        bytes = reply->size;
        if (reply->status != 200) {
            fprintf(stderr, "%s: %d %s\n", route, reply->status, reply->body);
            exit(1);
        }
    }
    qsort(times, ROUNDS, sizeof *times, by_time);
    p99 = times[(ROUNDS - 1) * 99 / 100];
    printf("%-88s %8.1f %8.1f %8.1f %8zu%s\n", route, times[ROUNDS / 2], p99, times[ROUNDS - 1], bytes,
           p99 > limit_ms ? "  TOO LONG" : "");
    fflush(stdout);
    return p99 <= limit_ms;
}

/* The path of an operation that is there: about one in twenty was removed. */
static void find_operation(char *path, size_t room)
{
    char id[ID_SIZE];
    int status = 0;

    for (int n = 0; status != 200 && n < MILLION_BATCH; n++) {
        million_id(id, 0, n);
        snprintf(path, room, "/bgop/v1/operations/%s", id);
        status = http_client_ask(endpoint_port(endpoint), "GET", path, "Authorization: Bearer bench\r\n", NULL)->status;
    }
}

/* A browser that only looks: it ends with the endpoint. */
static void *follow(void *arg)
{
    static const char request[] = "GET /bgop/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bench\r\n\r\n";
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)endpoint_port(endpoint)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char piece[65536];
    size_t bytes = 0;
    ssize_t more;

    (void)arg;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return NULL;
    while ((more = recv(fd, piece, sizeof piece, 0)) > 0)
        bytes += (size_t)more;
    close(fd);
    printf("bytes of the stream of events: %zu\n", bytes);
    return NULL;
}

static void set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&config, section, name, value, &err) != ST_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void start_endpoint(void)
{
    char path[] = "/tmp/bgop-bench-token-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    struct err err = ERR_INIT;

    if (file) {
        fputs("bench\n", file);
        fclose(file);
    }
    log_start("bench", LOG_LEVEL_ERROR, false);
    config_init(&config);
    set("redis", "url", server.url);
    set("http", "listen", "127.0.0.1:0");
    set("http", "token_file", path);
    if (endpoint_start(&endpoint, &config, NULL, &err) != ST_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    unlink(path);
}

static double rate_of(int64_t from, int64_t begun_ms)
{
    return (double)(atomic_load(&ran) - from) * 1000 / (double)(clock_boot_ms() - begun_ms);
}

/* ---- all of it ---- */

static bool measure_all(double limit_ms)
{
    int64_t begun_ms, from;
    double alone, beside;
    char operation[64];
    bool fine = true;

    find_operation(operation, sizeof operation);
    begun_ms = clock_boot_ms();
    from = atomic_load(&ran);
    sleep_us((int64_t)ALONE_MS * 1000);
    alone = rate_of(from, begun_ms);
    printf("%-88s %8s %8s %8s %8s\n", "route, ms", "p50", "p99", "max", "bytes");
    begun_ms = clock_boot_ms();
    from = atomic_load(&ran);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        fine = measure(routes[i], limit_ms) && fine;
    fine = measure(operation, limit_ms) && fine;
    beside = rate_of(from, begun_ms);
    printf("\noperations a second: %.0f with nobody who asks, %.0f with one who asks without a pause (%+.1f%%)\n",
           alone, beside, (beside / alone - 1) * 100);
    return fine;
}

int main(int argc, char **argv)
{
    int records = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;
    double limit_ms = argc > 2 ? strtod(argv[2], NULL) : 200;
    int64_t rate = argc > 3 ? strtoll(argv[3], NULL, 10) : 5000;
    pthread_t load, browser;
    bool fine;

    redis_server_start(&server, false);
    million_open(&queue, redis_server_connect(&server), records);
    printf("%d records in %d shards; %" PRId64 " operations a second\n", queue.per_shard * MILLION_SHARDS,
           MILLION_SHARDS, rate);
    start_endpoint();
    if (pthread_create(&load, NULL, run_operations, &rate) != 0 || pthread_create(&browser, NULL, follow, NULL) != 0)
        return 1;
    fine = measure_all(limit_ms);
    atomic_store(&over, true);
    pthread_join(load, NULL);
    endpoint_stop(endpoint);
    pthread_join(browser, NULL);
    config_release(&config);
    redisFree(queue.redis);
    redis_server_stop(&server);
    return !fine;
}
