/* One thread of libmicrohttpd that listens, reads requests whole, and calls the handlers of a table of routes. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/memory.h"
#include "common/http/edge.h"

enum { HOST_SIZE = 256 };

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_settings settings;
    struct http_places places;
    char host[HOST_SIZE];
};

/* A request between its head and its end; kept in libmicrohttpd's pointer for it. */
struct exchange {
    const struct http_route *route; /* NULL: refused, answer says why */
    struct http_answer answer;
    struct buf body;
};

static struct http_client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = arg;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = http_places_enter(
            &server->places, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } else if (*context) {
        http_places_leave(&server->places, *context);
        *context = NULL;
    }
}

/* ---- one request ---- */

static struct exchange *exchange_begin(const struct http_server *server, const char *method, const char *path)
{
    struct exchange *exchange = xcalloc(1, sizeof *exchange);

    http_answer_init(&exchange->answer);
    exchange->route = http_route_find(server->settings.routes, method, path, &exchange->answer);
    buf_init(&exchange->body, exchange->route ? exchange->route->body_max_bytes : 0);
    return exchange;
}

/* A body that is too large is read to its end and thrown away, so that the client sees the answer. */
static void exchange_take_body(struct exchange *exchange, const char *data, size_t size)
{
    if (!exchange->route || buf_append(&exchange->body, data, size))
        return;
    http_answer_text(&exchange->answer, MHD_HTTP_CONTENT_TOO_LARGE, "a body may have %zu bytes here",
                     exchange->route->body_max_bytes);
    exchange->route = NULL;
}

static void exchange_handle(const struct http_server *server, struct exchange *exchange,
                            struct MHD_Connection *connection, const char *path)
{
    const struct http_route *route = exchange->route;
    size_t size = strlen(route->path);
    bool prefix = size > 0 && route->path[size - 1] == '*';
    const struct http_request request = {
        .method = route->method,
        .path = path,
        .rest = prefix ? path + size - 1 : "",
        .body = exchange->body.data,
        .body_size = exchange->body.size,
        .connection = connection,
    };

    route->handle(server->settings.arg, &request, &exchange->answer);
}

static void exchange_free(struct exchange *exchange)
{
    http_answer_release(&exchange->answer);
    buf_release(&exchange->body);
    free(exchange);
}

/* Called with a request's head, with each piece of its body, and once more at its end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct http_server *server = arg;
    struct exchange *exchange = *state;
    struct http_client *client = client_of(connection);

    (void)version;
    if (!exchange) {
        *state = exchange_begin(server, method, path);
        return MHD_YES;
    }
    if (*upload_size > 0) {
        exchange_take_body(exchange, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (client)
        http_places_alive(&server->places, client);
    if (exchange->route)
        exchange_handle(server, exchange, connection, path);
    return http_answer_send(&exchange->answer, connection);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    (void)arg, (void)connection, (void)how;
    if (*state)
        exchange_free(*state);
    *state = NULL;
}

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

/* ---- listening ---- */

static enum status resolve(const struct http_settings *settings, struct addrinfo **found, char *host, struct err *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    const char *listen = settings->listen, *colon = strrchr(listen, ':');
    bool bracketed = listen[0] == '[' && colon && colon > listen + 1 && colon[-1] == ']';
    size_t size = colon ? (size_t)(colon - listen) - (bracketed ? 2 : 0) : 0;
    int failure;

    if (!colon || size >= HOST_SIZE)
        return err_set(err, ST_INVALID, "%s: \"%s\" is not address:port", settings->option, listen);
    memcpy(host, listen + bracketed, size);
    host[size] = '\0';
    failure = getaddrinfo(size ? host : NULL, colon + 1, &hints, found);
    if (failure)
        return err_set(err, ST_INVALID, "%s: \"%s\": %s", settings->option, listen, gai_strerror(failure));
    return ST_OK;
}

/* MHD_USE_AUTO takes epoll where it can: select would refuse descriptors above 1,023, which a busy worker has. One
 * connection more than there are places may be between its shutdown and its close. */
static struct MHD_Daemon *listen_at(struct http_server *server, const struct addrinfo *at)
{
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | (at->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);

    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                            MHD_OPTION_CONNECTION_LIMIT, 2u * HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEAD_MAX_BYTES,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, server, MHD_OPTION_END);
}

struct http_server *http_server_start(const struct http_settings *settings, struct err *err)
{
    struct http_server *server = xcalloc(1, sizeof *server);
    struct addrinfo *at = NULL;

    server->settings = *settings;
    http_places_init(&server->places);
    if (resolve(settings, &at, server->host, err) == ST_OK) {
        server->daemon = listen_at(server, at);
        freeaddrinfo(at);
        if (!server->daemon) {
            err_set(err, ST_FAILED, "cannot listen at %s (%s): is the port taken, or the address another machine's?",
                    settings->listen, settings->option);
        }
    }
    if (server->daemon)
        return server;
    free(server);
    return NULL;
}

int http_server_port(const struct http_server *server)
{
    return (int)MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

const char *http_server_host(const struct http_server *server)
{
    return strcmp(server->host, "0.0.0.0") == 0 || strcmp(server->host, "::") == 0 ? "" : server->host;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
