/* http: each execution is one request. One thread drives them all through curl's multi interface, which also keeps the
 * connections alive between requests. */
#include "worker/handlers/handler.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/thread.h"
#include "worker/handlers/http_request.h"

struct http_state {
    struct handler_sink sink;
    CURLM *multi;
    pthread_t thread;
    atomic_bool closing;
    pthread_mutex_t lock;
    struct execution *incoming, **incoming_end; /* under the lock */

    struct http_request **running; /* the thread's own from here */
    size_t count, capacity;
    struct http_request *idle;
    struct outage blind;
};

enum { BLIND_LOOK_MS = 10 };

static enum status http_prepare(const struct type_config *config, void **prepared, struct err *err)
{
    struct http_type *type = NULL;
    enum status st = http_type_new(config, &type, err);

    *prepared = type;
    return st;
}

static void http_discard(void *prepared)
{
    http_type_free(prepared);
}

/* ---- the thread ---- */

static struct execution *take_incoming(struct http_state *state)
{
    struct execution *taken;

    pthread_mutex_lock(&state->lock);
    taken = state->incoming;
    state->incoming = NULL;
    state->incoming_end = &state->incoming;
    pthread_mutex_unlock(&state->lock);
    return taken;
}

static void finish(struct http_state *state, struct http_request *request, CURLcode code, enum stop_reason why)
{
    struct execution *execution = request->execution;
    size_t index = 0;

    while (state->running[index] != request)
        index++;
    state->running[index] = state->running[--state->count];
    curl_multi_remove_handle(state->multi, request->easy); /* aborts what is under way */
    http_request_finish(request, code, why);
    request->next = state->idle;
    state->idle = request;
    state->sink.finished(state->sink.arg, &execution, 1);
}

static void start_incoming(struct http_state *state)
{
    struct execution *next;

    for (struct execution *execution = take_incoming(state); execution; execution = next) {
        struct http_request *request = state->idle ? state->idle : http_request_new();

        if (state->idle)
            state->idle = request->next;
        next = execution->queue_next;
        http_request_start(request, execution);
        GROW(state->running, state->count, state->capacity);
        state->running[state->count++] = request;
        if (curl_multi_add_handle(state->multi, request->easy) != CURLM_OK)
            finish(state, request, CURLE_OUT_OF_MEMORY, STOP_NONE); /* nothing else it fails for */
    }
}

static void finish_done(struct http_state *state)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(state->multi, &left))) {
        struct http_request *request = NULL;
        CURLcode code = message->data.result; /* the message is gone with its handle */

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        finish(state, request, code, STOP_NONE);
    }
}

static void stop_told(struct http_state *state)
{
    for (size_t i = state->count; i-- > 0;) {
        enum stop_reason why = (enum stop_reason)atomic_load(&state->running[i]->execution->stop);

        if (why != STOP_NONE)
            finish(state, state->running[i], CURLE_OK, why);
    }
}

/* That curl cannot poll (its number of descriptors, no memory) must neither stop the requests nor keep a core busy. */
static void wait_for_events(struct http_state *state)
{
    CURLMcode code = curl_multi_poll(state->multi, NULL, 0, 60000, NULL); /* shortened by timers and wake-ups */

    if (code == CURLM_OK) {
        outage_end(&state->blind, "http: poll");
        return;
    }
    outage_begin(&state->blind, "http: poll", curl_multi_strerror(code));
    usleep(BLIND_LOOK_MS * 1000);
}

static void *http_loop(void *arg)
{
    struct http_state *state = arg;

    pthread_setname_np(pthread_self(), "http");
    while (!atomic_load(&state->closing) || state->count > 0) {
        int running;

        start_incoming(state);
        curl_multi_perform(state->multi, &running);
        finish_done(state);
        stop_told(state);
        wait_for_events(state);
    }
    return NULL;
}

/* ---- from other threads ---- */

static void http_wake(void *arg)
{
    struct http_state *state = arg;

    curl_multi_wakeup(state->multi);
}

static void http_start(void *arg, struct execution *const *executions, size_t count)
{
    struct http_state *state = arg;

    pthread_mutex_lock(&state->lock);
    for (size_t i = 0; i < count; i++) {
        executions[i]->queue_next = NULL;
        *state->incoming_end = executions[i];
        state->incoming_end = &executions[i]->queue_next;
    }
    pthread_mutex_unlock(&state->lock);
    http_wake(state);
}

static void *http_open(const struct handler_sink *sink, struct err *err)
{
    struct http_state *state = xcalloc(1, sizeof *state);

    state->sink = *sink;
    state->incoming_end = &state->incoming;
    pthread_mutex_init(&state->lock, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    state->multi = curl_multi_init();
    if (!state->multi)
        err_set(err, ST_FAILED, "handler http cannot start: curl_multi_init failed (no descriptors, or no memory)");
    else if (thread_start(&state->thread, http_loop, state, "the http handler's", err) == ST_OK)
        return state;
    curl_multi_cleanup(state->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&state->lock);
    free(state);
    return NULL;
}

static void http_close(void *arg)
{
    struct http_state *state = arg;

    atomic_store(&state->closing, true);
    http_wake(state);
    pthread_join(state->thread, NULL);
    while (state->idle) {
        struct http_request *request = state->idle;

        state->idle = request->next;
        http_request_free(request);
    }
    curl_multi_cleanup(state->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&state->lock);
    free(state->running);
    free(state);
}

const struct handler http_handler = {
    .name = "http",
    .concurrency = 64,
    .descriptors = 3, /* a connection; or, before it is made, a name's look-up, or two that are tried */
    .prepare = http_prepare,
    .discard = http_discard,
    .open = http_open,
    .start = http_start,
    .wake = http_wake,
    .close = http_close,
};
