/* What a dashboard costs in a queue of a million records: a private redis-server filled through the functions themselves
 * (million_queue.h), the coordinator's HTTP endpoint on it, operations that run at a rate, and a browser that follows the
 * stream of events and asks what the page asks, as often. Prints
 *   for each route, asked again and again without a pause: p50, p99 and the longest of all answers in ms;
 *   operations a second at the rate and flat out, in turns without anybody who looks and with the browser;
 *   how much of a core the browser takes of Redis when nothing else happens.
 * bench_page [records (1000000) [limit of a p99 in ms (200) [operations a second (5000) [socket of a server to fill and
 * keep]]]] */
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

enum { ROUNDS = 200, STREAMS = 20, TURNS = 5, TURN_MS = 4000, ACTIONS = 100, PATH_SIZE = 256 };

static struct million queue;
static struct redis_server server;
static struct config config;
static struct endpoint *endpoint;
static atomic_bool over, looked_at;
static atomic_llong rate; /* operations a second; FLAT_OUT, or none */
static atomic_llong ran;  /* operations */
#define FLAT_OUT 1000000

/* ---- operations that run ---- */

static void sleep_us(int64_t us)
{
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&pause, NULL);
}

/* Batch after batch, shard after shard, at the rate of the moment. */
static void *run_operations(void *arg)
{
    int64_t due_us = clock_boot_us();
    int shard = 0, first = queue.next;

    (void)arg;
    while (!atomic_load(&over)) {
        int64_t wanted = atomic_load(&rate), now_us = clock_boot_us();

        if (wanted == 0 || now_us < due_us) { /* a rate that changes counts from now on */
            sleep_us(wanted == 0 || due_us - now_us > 20000 ? 20000 : due_us - now_us);
            due_us = wanted == 0 ? clock_boot_us() : due_us;
            continue;
        }
        if (now_us - due_us > 1000000)
            due_us = now_us; /* what was missed for so long is not made up for */
        million_clock(&queue, queue.now_ms + 50);
        million_batch(&queue, shard, first);
        atomic_fetch_add(&ran, MILLION_BATCH);
        due_us += MILLION_BATCH * INT64_C(1000000) / wanted;
        shard = (shard + 1) % MILLION_SHARDS;
        first += shard == 0 ? MILLION_BATCH : 0;
    }
    million_note_next(&queue, first + MILLION_BATCH);
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
    "/bgop/v1/actions?limit=100",
    "/metrics",
    "/bgop/v1/operations",
    "/bgop/v1/operations?order=SubmittedAt",
    "/bgop/v1/operations?order=-LastModifiedDate",
    "/bgop/v1/operations?where=Status%3D'New'",
    "/bgop/v1/operations?where=Status%3D'Scheduled'",
    "/bgop/v1/operations?where=Status%3D'Waiting'",
    "/bgop/v1/operations?where=Status%3D'Running'",
    "/bgop/v1/operations?where=Status%3D'Merged'",
    "/bgop/v1/operations?where=Status%3D'Canceled'",
    "/bgop/v1/operations?where=Status%3D'Complete'",
    "/bgop/v1/operations?where=Status%3D'Error'",
    "/bgop/v1/operations?where=Type%3D'CdpMetadataDeploy'",
    "/bgop/v1/operations?where=Status%3D'Error'+AND+Type%3D'WebCart'&order=-LastModifiedDate",
    "/bgop/v1/operations?where=ParentKey%3D'acct-huge'&limit=200",
    "/bgop/v1/operations?where=Name%3D'import-3-1000'",
    "/bgop/v1/operations?where=SequenceGroup%3D'g7'&order=SubmittedAt",
    "/bgop/v1/operations?where=Error+LIKE+'%25found+nowhere%25'", /* looks at all: a page gives up, and has a cursor */
};

static const struct http_reply *ask(const char *route)
{
    const struct http_reply *reply =
        http_client_ask(endpoint_port(endpoint), "GET", route, "Authorization: Bearer bench\r\n", NULL);

    if (reply->status != 200) {
        fprintf(stderr, "%s: %d %s\n", route, reply->status, reply->body);
        exit(1);
    }
    return reply;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool report(const char *what, double *times, int count, size_t bytes, double limit_ms)
{
    double p99;

    qsort(times, (size_t)count, sizeof *times, by_time);
    p99 = times[(count - 1) * 99 / 100];
    printf("%-88s %8.1f %8.1f %8.1f %8zu%s\n", what, times[count / 2], p99, times[count - 1], bytes,
           p99 > limit_ms ? "  TOO LONG" : "");
    fflush(stdout);
    return p99 <= limit_ms;
}

static bool measure(const char *route, double limit_ms)
{
    static double times[ROUNDS];
    size_t bytes = 0;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t begun_us = clock_boot_us();
        bytes = ask(route)->size;
        times[i] = (double)(clock_boot_us() - begun_us) / 1000;
    }
    return report(route, times, ROUNDS, bytes, limit_ms);
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

/* ---- the stream of events ---- */

static int request_open(const char *path)
{
    char request[PATH_SIZE];
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)endpoint_port(endpoint)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer bench\r\n\r\n", path);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Reads until there is such a text; false: the answer ended before. */
static bool read_until(int fd, const char *text, size_t *bytes)
{
    char piece[8192] = "";
    ssize_t more = 1;

    for (*bytes = 0; more > 0 && *bytes<sizeof piece - 1; *bytes += more> 0 ? (size_t)more : 0) {
        if (strstr(piece, text))
            return true;
        more = recv(fd, piece + *bytes, sizeof piece - 1 - *bytes, 0);
        piece[*bytes + (more > 0 ? (size_t)more : 0)] = '\0';
    }
    return strstr(piece, text) != NULL;
}

/* From the request to the greeting. Those that were closed have their place until the server notices: then it is full. */
static bool measure_stream(double limit_ms)
{
    double times[STREAMS];
    size_t bytes = 0;
    int count = 0;

    while (count < STREAMS) {
        int64_t begun_us = clock_boot_us();
        int fd = request_open("/bgop/v1/events");

        if (read_until(fd, "event: hello", &bytes))
            times[count++] = (double)(clock_boot_us() - begun_us) / 1000;
        else
            sleep_us(100000);
        close(fd);
    }
    return report("/bgop/v1/events, until its first event", times, STREAMS, bytes, limit_ms);
}

/* ---- a browser: the overview, and the list of actions in another tab ---- */

static int stream;

/* Ends with the endpoint, or when nobody is to look. */
static void *follow(void *arg)
{
    size_t *bytes = arg;
    char piece[65536];
    ssize_t more;

    while ((more = recv(stream, piece, sizeof piece, 0)) > 0)
        *bytes += (size_t)more;
    return NULL;
}

static void ask_aside(const char *path)
{
    char piece[65536];
    int fd = request_open(path);

    while (recv(fd, piece, sizeof piece, 0) > 0)
        ;
    close(fd);
}

/* What page.js asks by the clock, beside the stream. */
static void *look(void *arg)
{
    static const char *const every_3_s[] = { "/bgop/v1/workers", "/bgop/v1/paused", "/metrics" };
    size_t bytes = 0;
    pthread_t follower;

    (void)arg;
    stream = request_open("/bgop/v1/events");
    if (pthread_create(&follower, NULL, follow, &bytes) != 0)
        exit(1);
    for (int64_t tenths = 0; atomic_load(&looked_at); tenths++) {
        for (size_t i = 0; tenths % 30 == 0 && i < sizeof every_3_s / sizeof *every_3_s; i++)
            ask_aside(every_3_s[i]);
        if (tenths % 10 == 0)
            ask_aside("/bgop/v1/actions?limit=100");
        sleep_us(100000);
    }
    shutdown(stream, SHUT_RDWR);
    pthread_join(follower, NULL);
    close(stream);
    return NULL;
}

static pthread_t looker;

static void look_begin(void)
{
    atomic_store(&looked_at, true);
    if (pthread_create(&looker, NULL, look, NULL) != 0)
        exit(1);
}

static void look_end(void)
{
    atomic_store(&looked_at, false);
    pthread_join(looker, NULL);
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

/* ---- what it costs ---- */

/* ms of CPU of the server's thread that runs commands. */
static double redis_cpu_ms(void)
{
    char path[64];
    double ns = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)server.pid);
    file = fopen(path, "r");
    if (!file || fscanf(file, "%lf", &ns) != 1)
        ns = 0;
    if (file)
        fclose(file);
    return ns / 1e6;
}

/* In turns, because a machine has better and worse moments: what goes through in all turns of each kind. */
static void measure_throughput(const char *what, int64_t wanted)
{
    double per_s[2] = { 0 }, cpu_ms[2] = { 0 };

    atomic_store(&rate, wanted);
    for (int turn = 0; turn < 2 * TURNS; turn++) {
        int64_t from, begun_ms;
        double cpu;

        if (turn % 2 == 1)
            look_begin();
        begun_ms = clock_boot_ms();
        from = atomic_load(&ran);
        cpu = redis_cpu_ms();
        sleep_us(TURN_MS * INT64_C(1000));
        cpu_ms[turn % 2] += (redis_cpu_ms() - cpu) / (double)(clock_boot_ms() - begun_ms) / TURNS;
        per_s[turn % 2] += (double)(atomic_load(&ran) - from) * 1000 / (double)(clock_boot_ms() - begun_ms) / TURNS;
        if (turn % 2 == 1)
            look_end();
    }
    atomic_store(&rate, 0);
    printf("%-16s Redis %5.1f%% of a core with nobody who looks, %5.1f%% with a browser", what, cpu_ms[0] * 100,
           cpu_ms[1] * 100);
    if (wanted > 0)
        printf("; %.0f and %.0f operations a second (%+.1f%%)", per_s[0], per_s[1], (per_s[1] / per_s[0] - 1) * 100);
    printf("\n");
    fflush(stdout);
}

/* ---- all of it ---- */

/* Of those that people had done: most have ended. */
static void make_actions(void)
{
    for (int i = 0; i < ACTIONS; i++) {
        million_begin(&queue, "bgop_action_create", 0);
        queue.argc--; /* it takes no generation */
        million_add(&queue, "actbench%d", i);
        for (const char *const *text = (const char *const[]){ "redrive", "Status = 'Error' AND Type = 'WebCart'", "",
                                                              "", "again", "anna", "", NULL };
             *text; text++)
            million_add(&queue, "%s", *text);
        freeReplyObject(million_call(&queue));
        if (i % 10 == 0)
            continue;
        million_begin(&queue, "bgop_action_abort", 0);
        queue.argc--;
        million_add(&queue, "actbench%d", i);
        million_add(&queue, "%s", "anna");
        million_add(&queue, "%s", "the wrong ones");
        freeReplyObject(million_call(&queue));
    }
}

static bool measure_routes(double limit_ms, int64_t wanted)
{
    char operation[64];
    int64_t from, begun_ms;
    bool fine = true;

    find_operation(operation, sizeof operation);
    atomic_store(&rate, wanted);
    look_begin();
    printf("%-88s %8s %8s %8s %8s\n", "route, ms", "p50", "p99", "max", "bytes");
    begun_ms = clock_boot_ms();
    from = atomic_load(&ran);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        fine = measure(routes[i], limit_ms) && fine;
    fine = measure(operation, limit_ms) && fine;
    fine = measure_stream(limit_ms) && fine;
    printf("\nmeanwhile %.0f operations a second\n",
           (double)(atomic_load(&ran) - from) * 1000 / (double)(clock_boot_ms() - begun_ms));
    look_end();
    atomic_store(&rate, 0);
    return fine;
}

/* One that somebody else has started, and ends. */
static void use_server(const char *path)
{
    redisContext *redis;
    redisReply *info;

    snprintf(server.socket, sizeof server.socket, "%s", path);
    snprintf(server.url, sizeof server.url, "unix://%s", path);
    redis = redis_server_connect(&server);
    info = redisCommand(redis, "INFO server");
    if (info && info->type == REDIS_REPLY_STRING && strstr(info->str, "process_id:"))
        server.pid = (pid_t)strtol(strstr(info->str, "process_id:") + strlen("process_id:"), NULL, 10);
    freeReplyObject(info);
    redisFree(redis);
}

int main(int argc, char **argv)
{
    int records = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;
    double limit_ms = argc > 2 ? strtod(argv[2], NULL) : 200;
    int64_t wanted = argc > 3 ? strtoll(argv[3], NULL, 10) : 5000;
    pthread_t load;
    bool fine;

    if (argc > 4)
        use_server(argv[4]);
    else
        redis_server_start(&server, false);
    million_open(&queue, redis_server_connect(&server), records);
    make_actions();
    printf("%d records in %d shards; %" PRId64 " operations a second\n", queue.per_shard * MILLION_SHARDS,
           MILLION_SHARDS, wanted);
    fflush(stdout);
    start_endpoint();
    if (pthread_create(&load, NULL, run_operations, NULL) != 0)
        return 1;
    fine = measure_routes(limit_ms, wanted);
    measure_throughput("at the rate", wanted);
    measure_throughput("flat out", FLAT_OUT);
    measure_throughput("nothing happens", 0);
    atomic_store(&over, true);
    pthread_join(load, NULL);
    endpoint_stop(endpoint);
    config_release(&config);
    redisFree(queue.redis);
    if (argc <= 4)
        redis_server_stop(&server);
    return !fine;
}
