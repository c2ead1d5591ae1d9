/* One request, from its first line to the answer of its handler; nothing here sends or waits. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"
#include "common/http/edge.h"

/* A body that is too large is read to its end and thrown away, so that the client sees the answer; but not for ever. */
enum { BODY_THROWN_MAX_BYTES = 4 * 1024 * 1024 };

struct http_exchange *http_exchange_new(const char *uri)
{
    struct http_exchange *exchange = xcalloc(1, sizeof *exchange);

    http_answer_init(&exchange->answer);
    buf_init(&exchange->body, 0);
    exchange->too_long = strlen(uri) > HTTP_URL_MAX_BYTES;
    http_path_read(&exchange->path, uri);
    return exchange;
}

void http_exchange_free(struct http_exchange *exchange)
{
    http_path_release(&exchange->path);
    http_answer_release(&exchange->answer);
    buf_release(&exchange->body);
    free(exchange);
}

/* ---- refusals ---- */

/* "HEAD, GET, POST": what the routes that fit this path take. */
static void list_methods(const struct http_settings *settings, const struct http_path *path, struct buf *methods)
{
    for (const struct http_route *route = settings->routes; route->handle; route++) {
        const char *method = strcmp(route->method, "GET") == 0 ? "HEAD, GET" : route->method;

        if (!http_path_fits(route->path, path) || (methods->size && strstr(methods->data, method)))
            continue;
        buf_printf(methods, "%s%s", methods->size ? ", " : "", method);
    }
}

static void tell_of_all(const struct http_settings *settings, struct http_answer *answer)
{
    struct buf all;

    buf_init(&all, 8192);
    for (const struct http_route *route = settings->routes; route->handle; route++)
        buf_printf(&all, "%s%s %s", all.size ? ", " : "", route->method, route->path);
    http_answer_text(answer, MHD_HTTP_NOT_FOUND, "nothing is here; there is: %s", all.data ? all.data : "");
    buf_release(&all);
}

/* Fills the answer with what would have been right. */
static void refuse(struct http_exchange *exchange, const struct http_settings *settings, int code)
{
    struct http_answer *answer = &exchange->answer;
    const struct http_route *route = exchange->request.route;
    struct buf methods;

    buf_init(&methods, 1024);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        list_methods(settings, &exchange->path, &methods);
        http_answer_text(answer, code, "this path takes %s", methods.data);
        http_answer_header(answer, "Allow", methods.data);
    } else if (code == MHD_HTTP_BAD_REQUEST) {
        http_answer_text(answer, code, "a request of HTTP/1.1 has one Host header");
    } else if (code == MHD_HTTP_URI_TOO_LONG) {
        http_answer_text(answer, code, "a path with its query may have %d bytes", HTTP_URL_MAX_BYTES);
    } else if (code == MHD_HTTP_CONTENT_TOO_LARGE) {
        http_answer_text(answer, code, "a body may have %zu bytes here", route->body_max_bytes);
    } else {
        tell_of_all(settings, answer);
    }
    if (settings->refuse)
        settings->refuse(settings->arg, &exchange->request, methods.data ? methods.data : "", answer);
    exchange->refused = true;
    buf_release(&methods);
}

/* ---- its parts, as they come ---- */

/* What stands in place of the final '*': the segments before it are the route's own, so they are as long as there. */
static const char *rest_of(const struct http_route *route, const char *path)
{
    size_t size = strlen(route->path);

    return size > 0 && route->path[size - 1] == '*' ? path + size - 1 : "";
}

/* What Content-Length says; libmicrohttpd has refused what is no number. */
static bool says_more_than(struct MHD_Connection *connection, size_t size)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length && strtoull(length, NULL, 10) > size;
}

static enum MHD_Result count_host(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    int *count = arg;

    (void)kind, (void)value;
    *count += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

/* RFC 9112, 3.2: an empty one will do. libmicrohttpd only looks when it is told to, and then answers itself, in HTML. */
static bool names_its_host(struct MHD_Connection *connection, const char *version)
{
    int count = 0;

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_host, &count);
    return count == 1 || (count == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0);
}

void http_exchange_begin(struct http_exchange *exchange, const struct http_settings *settings,
                         struct MHD_Connection *connection, const char *version, const char *method, const char *path)
{
    bool known = false;
    const struct http_route *route = http_route_find(settings->routes, method, &exchange->path, &known);

    exchange->begun = true;
    exchange->request = (struct http_request){ .method = method,
                                               .path = path,
                                               .rest = route ? rest_of(route, path) : "",
                                               .route = route,
                                               .segments = &exchange->path,
                                               .connection = connection };
    if (!names_its_host(connection, version))
        refuse(exchange, settings, MHD_HTTP_BAD_REQUEST);
    else if (exchange->too_long)
        refuse(exchange, settings, MHD_HTTP_URI_TOO_LONG);
    else if (!route)
        refuse(exchange, settings, known ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND);
    else if (settings->admit && !settings->admit(settings->arg, &exchange->request, &exchange->answer))
        exchange->refused = true;
    exchange->body.max = route ? route->body_max_bytes : 0;
    exchange->hopeless = says_more_than(connection, exchange->body.max + BODY_THROWN_MAX_BYTES);
    if (exchange->hopeless && !exchange->refused)
        refuse(exchange, settings, MHD_HTTP_CONTENT_TOO_LARGE);
}

bool http_exchange_take_body(struct http_exchange *exchange, const struct http_settings *settings, const char *data,
                             size_t size)
{
    exchange->body_seen += size;
    if (exchange->body_seen > exchange->body.max + BODY_THROWN_MAX_BYTES)
        return false;
    if (!exchange->refused && !buf_append(&exchange->body, data, size))
        refuse(exchange, settings, MHD_HTTP_CONTENT_TOO_LARGE);
    return true;
}

void http_exchange_handle(struct http_exchange *exchange, const struct http_settings *settings)
{
    exchange->request.body = exchange->body.data;
    exchange->request.body_size = exchange->body.size;
    exchange->request.route->handle(settings->arg, &exchange->request, &exchange->answer);
}

/* ---- what handlers ask ---- */

const char *http_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    size_t size = 0;

    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &size) !=
        MHD_YES)
        return NULL;
    return value ? value : "";
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}
