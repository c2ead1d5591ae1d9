/* What the files of common/http share; nobody else includes it. */
#ifndef BGOP_HTTP_EDGE_H
#define BGOP_HTTP_EDGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <sys/queue.h>

#include "common/http/http.h"

/* A connection of the server, in the order of their last sign of life: the first one goes when there is no place. */
struct http_client {
    TAILQ_ENTRY(http_client) entry;
    int descriptor;
    bool busy;    /* its request waits for its handler: it cannot say anything */
    bool leaving; /* its descriptor was shut down; libmicrohttpd closes it in its next round */
};
TAILQ_HEAD(http_clients, http_client);

/* The server's thread calls all of these; no lock. */
struct http_places {
    struct http_clients clients;
    int count; /* without those that are leaving */
};
void http_places_init(struct http_places *places);
struct http_client *http_places_enter(struct http_places *places, int descriptor);
void http_places_alive(struct http_places *places, struct http_client *client);
void http_places_busy(struct http_places *places, struct http_client *client);
void http_places_leave(struct http_places *places, struct http_client *client);

/* uri: as sent, with its query. */
void http_path_read(struct http_path *path, const char *uri);
void http_path_release(struct http_path *path);
/* The first route that fits; NULL: none, then known says whether one would with another method. */
const struct http_route *http_route_find(const struct http_route *routes, const char *method,
                                         const struct http_path *path, bool *known);
bool http_path_fits(const char *pattern, const struct http_path *path);

/* ---- request.c ---- */
/* A request between its first line and its end; kept in libmicrohttpd's pointer for it. The server's thread has it,
 * except while one of the handlers' threads does. */
struct http_exchange {
    STAILQ_ENTRY(http_exchange) entry;
    struct http_request request;
    struct http_path path;
    struct http_answer answer;
    struct buf body;
    size_t body_seen; /* bytes of the body that came, kept or not */
    bool too_long;    /* its first line */
    bool begun;       /* its head was looked at */
    bool refused;     /* answer says why */
    bool hopeless;    /* its body is said to be so large that it would not be read */
    bool queued;      /* its handler was called for */
    bool follows;     /* its answer is a stream (feed.h) */
};
struct http_exchange *http_exchange_new(const char *uri);
void http_exchange_free(struct http_exchange *exchange);
/* The head is there: finds its route, or refuses it. */
void http_exchange_begin(struct http_exchange *exchange, const struct http_settings *settings,
                         struct MHD_Connection *connection, const char *version, const char *method, const char *path);
/* false: this body has no end; close the connection. */
bool http_exchange_take_body(struct http_exchange *exchange, const struct http_settings *settings, const char *data,
                             size_t size);
void http_exchange_handle(struct http_exchange *exchange, const struct http_settings *settings);

/* ---- threads.c: those that run handlers ---- */
STAILQ_HEAD(http_queue, http_exchange);
struct http_threads {
    const struct http_settings *settings;
    pthread_mutex_t lock; /* of queue and stopping */
    pthread_cond_t more;
    struct http_queue queue;
    bool stopping;
    struct http_thread {
        struct http_threads *threads;
        pthread_t thread;
        int number;
    } each[HTTP_THREADS_MAX];
    int count;
};
enum status http_threads_start(struct http_threads *threads, const struct http_settings *settings,
                               struct err *err) MUST_CHECK;
/* Suspends the connection until the handler has returned. false: the server stops, nothing was done. */
bool http_threads_take(struct http_threads *threads, struct http_exchange *exchange);
/* Returns when all that was taken is handled. */
void http_threads_stop(struct http_threads *threads);
/* Behind the end of the server, whose last requests still look at it. */
void http_threads_release(struct http_threads *threads);

void http_answer_init(struct http_answer *answer);
void http_answer_release(struct http_answer *answer);
enum MHD_Result http_answer_send(struct http_answer *answer, struct MHD_Connection *connection);

/* ---- feed.c ---- */
/* Takes over the answer's follower and body; NULL: out of memory, nothing was taken. */
struct MHD_Response *http_follower_response(struct http_answer *answer);
void http_follower_free(void *follower);

#endif
