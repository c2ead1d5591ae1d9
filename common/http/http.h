/* A small HTTP server for the pages that daemons show: routes, limits, time-outs, answers. The only place that includes
 * libmicrohttpd.
 *
 * A server has one thread. It calls the handlers, which return at once: they look at what is in memory, or ask a server
 * that answers within milliseconds. Handlers of one server never run side by side.
 *
 * Limits, for the whole server: HTTP_CONNECTIONS_MAX connections are kept. One more takes the place of the one that has
 * been quiet for longest, so that idle or slow clients shut nobody out; what is quiet for HTTP_IDLE_S is closed anyway.
 * A request whose head is larger than HTTP_HEAD_MAX_BYTES is refused with 431 or 414, a body larger than its route
 * allows with 413. */
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
    HTTP_HEAD_MAX_BYTES = 32 * 1024,
    HTTP_ANSWER_MAX_BYTES = 16 * 1024 * 1024,
    HTTP_HEADERS_MAX = 8,
};

/* What was asked. Everything in it is borrowed until the handler returns. */
struct http_request {
    const char *method; /* "GET" also for HEAD: the answer's body is left out by the server */
    const char *path;   /* as sent, percent signs resolved, without the query */
    const char *rest;   /* what stands in place of the route's final '*'; "" without one */
    const char *body;   /* NULL: none */
    size_t body_size;
    void *connection; /* for http_query and http_header */
};

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
};

typedef void http_route_handler(void *arg, const struct http_request *request, struct http_answer *answer);

/* One row of a server's table. A path that ends in '*' stands for all that begin with what is before it. The first row
 * that fits is taken; a path that only fits rows of other methods is answered with 405 and the methods that it has. */
struct http_route {
    const char *method; /* "GET" serves HEAD as well */
    const char *path;
    http_route_handler *handle;
    size_t body_max_bytes; /* 0: takes no body */
};

struct http_settings {
    const char *listen; /* "address:port", "[IPv6]:port", ":port" for all addresses; port 0: any that is free */
    const char *option; /* the configuration's name of it, for messages: "[worker] listen" */
    const struct http_route *routes; /* borrowed while the server runs; ends with a row whose handle is NULL */
    void *arg;                       /* for the handlers */
};

struct http_server;

/* NULL: err says what is wrong. ST_INVALID: listen cannot be read; ST_FAILED: it cannot be bound. */
struct http_server *http_server_start(const struct http_settings *settings, struct err *err);
int http_server_port(const struct http_server *server);
/* The host as it was given, without brackets; "" when the server listens on all addresses. */
const char *http_server_host(const struct http_server *server);
/* Waits until no handler runs. NULL is fine. */
void http_server_stop(struct http_server *server);

/* The value of a query argument, percent signs resolved; NULL: not given, "" when it has no value. */
const char *http_query(const struct http_request *request, const char *name);
/* A request header's value; names in any case. NULL: not given. */
const char *http_header(const struct http_request *request, const char *name);

void http_answer_text(struct http_answer *answer, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes over value (NULL: out of memory, a 500). */
void http_answer_json(struct http_answer *answer, int code, json_t *value);
/* An HTML page whose text is in answer->body already. */
void http_answer_html(struct http_answer *answer, int code);
/* The value is copied; control characters in it become '?'. At most HTTP_HEADERS_MAX. */
void http_answer_header(struct http_answer *answer, const char *name, const char *value);
/* Text for the inside of an HTML element or of a quoted attribute. */
void http_append_escaped(struct buf *html, const char *text);

#endif
