/* A handler that does next to nothing, for the benchmarks: cheap enough that it is not what is measured.
 *
 *   bench_handler http MS          a web service on a port of its own, printed as the first line; answers after MS
 *                                  milliseconds, however many requests wait at a time
 *   bench_handler persistent MS    a program that stays: a line in, MS milliseconds, a line out
 *
 * Both speak the group protocol where operations come several at once: all members succeed. */
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/memory.h"

enum { BODY_MAX = 16 << 20, CONNECTIONS_MAX = 8192, CONNECTION_BYTES = 4096 };

static void sleep_us(int64_t us)
{
    if (us > 0)
        nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

/* ---- answers ---- */

static json_t *member_outcome(const json_t *member)
{
    return json_pack("{s:s, s:s}", "Id", json_string_value(json_object_get(member, "Id")), "Outcome", "ok");
}

/* What was asked, as an object or an array of them, answered likewise. NULL: neither. The caller frees. */
static char *outcomes(const char *text, size_t size)
{
    json_t *asked = json_loadb(text, size, 0, NULL), *answer = NULL, *member;
    size_t i;
    if (json_is_object(asked))
        answer = member_outcome(asked);
    else if (json_is_array(asked)) {
        answer = json_array();
        json_array_foreach(asked, i, member) json_array_append_new(answer, member_outcome(member));
    }
    char *written = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    json_decref(asked);
    return written;
}

/* ---- http ---- */

struct request {
    struct MHD_Connection *connection;
    struct buf body;
    int64_t due_us;
    bool waited;
    struct request *next;
};

/* All wait equally long, so who came first is due first. */
static struct service {
    int64_t wait_us;
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct request *first, **last;
} service = { .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER, .last = &service.first };

static void *resume_when_due(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&service.lock);
        while (!service.first)
            pthread_cond_wait(&service.some, &service.lock);
        struct request *request = service.first;
        service.first = request->next;
        if (!service.first)
            service.last = &service.first;
        pthread_mutex_unlock(&service.lock);
        sleep_us(request->due_us - clock_boot_us());
        MHD_resume_connection(request->connection);
    }
    return NULL;
}

static void let_wait(struct request *request)
{
    request->waited = true;
    request->due_us = clock_boot_us() + service.wait_us;
    request->next = NULL;
    MHD_suspend_connection(request->connection);
    pthread_mutex_lock(&service.lock);
    *service.last = request;
    service.last = &request->next;
    pthread_cond_signal(&service.some);
    pthread_mutex_unlock(&service.lock);
}

static enum MHD_Result answer_request(struct request *request)
{
    const struct buf *body = &request->body;
    char *text = body->size > 0 && body->data[0] == '[' ? outcomes(body->data, body->size) : NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text ? strlen(text) : 0, text, text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* Called at the head, with each part of the body, at its end, and again when a request that waited is resumed. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct request *request = *state;
    (void)arg, (void)path, (void)method, (void)version;
    if (!request) {
        *state = request = xcalloc(1, sizeof *request);
        request->connection = connection;
        buf_init(&request->body, BODY_MAX);
        return MHD_YES;
    }
    if (*size > 0) {
        buf_append(&request->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (service.wait_us > 0 && !request->waited) {
        let_wait(request);
        return MHD_YES;
    }
    return answer_request(request);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct request *request = *state;
    (void)arg, (void)connection, (void)how;
    if (request)
        buf_release(&request->body);
    free(request);
    *state = NULL;
}

static int serve_http(void)
{
    pthread_t thread;
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!daemon || pthread_create(&thread, NULL, resume_when_due, NULL) != 0) {
        fprintf(stderr, "bench_handler: cannot listen\n");
        return 1;
    }
    printf("%d\n", (int)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (;;)
        pause(); /* until a signal ends it */
}

/* ---- a program that stays ---- */

static int serve_lines(int64_t wait_us)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, stdin)) > 0) {
        char *answer = outcomes(line, (size_t)size);
        if (!answer)
            return 1;
        sleep_us(wait_us);
        puts(answer);
        fflush(stdout);
        free(answer);
    }
    free(line);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t wait_us = argc == 3 ? (int64_t)(strtod(argv[2], NULL) * 1000) : -1;
    if (wait_us >= 0 && strcmp(argv[1], "persistent") == 0)
        return serve_lines(wait_us);
    service.wait_us = wait_us;
    if (wait_us >= 0 && strcmp(argv[1], "http") == 0)
        return serve_http();
    fprintf(stderr, "usage: bench_handler http|persistent MS\n");
    return 64;
}
