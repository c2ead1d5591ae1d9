/* A small HTTP server for the pages of the daemons: routes, limits, time-outs, answers. The only place that includes
 * libmicrohttpd.
 *
 * A server has one thread that reads and writes. It calls the handlers itself when they only look at what is in memory
 * (threads 0): then they return at once and never run side by side. Handlers that wait for other servers get threads of
 * their own (threads n): n of them run side by side, request->thread says in which, and everything else is read and
 * written meanwhile.
 *
 * Limits, for the whole server: HTTP_CONNECTIONS_MAX connections are kept. One more takes the place of the one that has
 * been quiet for longest, so that idle or slow clients shut nobody out (one whose request waits for its handler is not
 * quiet); what is quiet for HTTP_IDLE_S is closed anyway. A path and query longer than HTTP_URL_MAX_BYTES is refused
 * with 414, a head larger than HTTP_HEAD_MAX_BYTES with 431 or 414, a body larger than its route allows with 413. */
#ifndef BGOP_HTTP_HTTP_H
#define BGOP_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
    HTTP_CONNECTIONS_MAX = 64,
    HTTP_IDLE_S = 10,
    HTTP_URL_MAX_BYTES = 16 * 1024,
    HTTP_HEAD_MAX_BYTES = 64 * 1024,
    HTTP_ANSWER_MAX_BYTES = 64 * 1024 * 1024,
    HTTP_SEGMENTS_MAX = 12,
    HTTP_THREADS_MAX = 64,
    HTTP_HEADERS_MAX = 8,
};

/* A path, split at each '/' before percent signs are resolved: "%2F" is part of a segment. */
struct http_path {
    char *text; /* owned: the segments, one behind the other */
    const char *segments[HTTP_SEGMENTS_MAX];
    int count;  /* one more than HTTP_SEGMENTS_MAX when there are more; -1: no path that anything could stand for */
    bool slash; /* it ends with a '/', which is no segment of its own */
};

struct http_route;

/* What was asked. Everything in it is borrowed until the handler returns. */
struct http_request {
    const char *method; /* as sent; the server leaves the answer's body out for HEAD */
    const char *path;   /* as sent, percent signs resolved, without the query */
    const char *rest;   /* what stands in place of the route's final '*'; "" without one */
    const char *body;   /* NULL: none */
    size_t body_size;
    int thread;                       /* 0 to threads - 1: which of the server's threads runs the handler */
    const struct http_route *route;   /* NULL: none fits */
    const struct http_path *segments; /* for http_param */
    void *connection;                 /* for http_query and http_header */
};

struct http_follower; /* feed.h */

/* What is answered. A handler begins with an empty 200 and fills it; the server sends it and releases it. */
struct http_answer {
    int code;
    const char *content_type;
    struct buf body; /* at most HTTP_ANSWER_MAX_BYTES; one that overflows becomes a 500 */
    struct http_header {
        const char *name; /* static text */
        char *value;      /* owned */
    } headers[HTTP_HEADERS_MAX];
    int header_count;
    struct http_follower *follower; /* the body goes on as a stream; NULL: it is whole */
};

typedef void http_route_handler(void *arg, const struct http_request *request, struct http_answer *answer);

/* One row of a server's table. A segment {name} of its path stands for any one segment that is not empty; a path that
 * ends in '*' for all that begin with what is before it. A '/' at the end of what is asked for means nothing. The first
 * row that fits is taken; a path that only fits rows of other methods is answered with 405 and the methods it has. */
struct http_route {
    const char *method; /* "GET" serves HEAD as well */
    const char *path;
    http_route_handler *handle;
    size_t body_max_bytes; /* 0: takes no body */
    int access;            /* what admit makes of it */
};

/* Called with each request's head, in the server's thread, before a body is read. false: refused, answer says why. */
typedef bool http_admit(void *arg, const struct http_request *request, struct http_answer *answer);
/* The server refuses (400, 404, 405, 413, 414) and has filled answer, as text; another may be put in its place.
 * methods: of a 405, "HEAD, GET"; else "". */
typedef void http_refuse(void *arg, const struct http_request *request, const char *methods,
                         struct http_answer *answer);

struct http_settings {
    const char *listen; /* "address:port", "[IPv6]:port", ":port" for all addresses; port 0: any that is free */
    const char *option; /* the configuration's name of it, for messages: "[worker] listen" */
    const struct http_route *routes; /* borrowed while the server runs; ends with a row whose handle is NULL */
    void *arg;                       /* for all of these functions */
    int threads;                     /* of handlers; 0: the server's own thread calls them */
    http_admit *admit;               /* NULL: everybody is welcome */
    http_refuse *refuse;             /* NULL: as the server says it */
};

struct http_server;

/* NULL: err says what is wrong. ST_INVALID: listen cannot be read; ST_FAILED: it cannot be bound. */
struct http_server *http_server_start(const struct http_settings *settings, struct err *err);
int http_server_port(const struct http_server *server);
/* The host as it was given, without brackets; "" when the server listens on all addresses. */
const char *http_server_host(const struct http_server *server);
/* Waits until no handler runs; requests that were read are answered. NULL is fine. */
void http_server_stop(struct http_server *server);

/* What stands in place of {name} in the route's path, percent signs resolved: UTF-8 without NUL. */
const char *http_param(const struct http_request *request, const char *name);
/* The value of a query argument, percent signs resolved; NULL: not given, "" when it has no value. */
const char *http_query(const struct http_request *request, const char *name);
/* A request header's value; names in any case. NULL: not given. */
const char *http_header(const struct http_request *request, const char *name);

void http_answer_text(struct http_answer *answer, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* value NULL: out of memory; then, as when it does not fit, the answer becomes a 500. */
void http_append_json(struct buf *to, const json_t *value);
/* Takes over value, which may be NULL likewise. */
void http_answer_json(struct http_answer *answer, int code, json_t *value);
/* An HTML page whose text is in answer->body already. */
void http_answer_html(struct http_answer *answer, int code);
/* The value is copied; control characters in it become '?'. At most HTTP_HEADERS_MAX. A header that every answer has
 * (answer.c) is replaced. */
void http_answer_header(struct http_answer *answer, const char *name, const char *value);
/* Text for the inside of an HTML element or of a quoted attribute. */
void http_append_escaped(struct buf *html, const char *text);

#endif
