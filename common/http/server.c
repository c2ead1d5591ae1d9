/* One thread of libmicrohttpd that listens, reads requests whole, and calls the handlers of a table of routes, or has
 * them called. */
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
    struct http_threads threads;
    char host[HOST_SIZE];
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

/* Called with a request's first line, before anything else of it is known. */
static void *on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    (void)arg, (void)connection;
    return http_exchange_new(uri);
}

/* The request is there, whole: its handler is called here, or by a thread which gives the connection back, so that
 * libmicrohttpd calls here once more. */
static enum MHD_Result answer_request(struct http_server *server, struct MHD_Connection *connection,
                                      struct http_exchange *exchange)
{
    struct http_client *client = client_of(connection);

    if (!exchange->refused && !exchange->queued && server->settings.threads > 0) {
        exchange->queued = http_threads_take(&server->threads, exchange);
        if (exchange->queued) {
            if (client)
                http_places_busy(&server->places, client);
            return MHD_YES;
        }
        http_answer_text(&exchange->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "this server is about to end");
    } else if (!exchange->refused && !exchange->queued) {
        http_exchange_handle(exchange, &server->settings);
    }
    exchange->follows = exchange->answer.follower != NULL;
    if (client && exchange->follows)
        http_places_busy(&server->places, client); /* it waits for us, and says nothing */
    else if (client)
        http_places_alive(&server->places, client);
    return http_answer_send(&exchange->answer, connection);
}

/* Called with a request's head, with each piece of its body, and at its end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct http_server *server = arg;
    struct http_exchange *exchange = *state;

    if (!exchange->begun) {
        http_exchange_begin(exchange, &server->settings, connection, version, method, path);
        return exchange->hopeless ? answer_request(server, connection, exchange) : MHD_YES;
    }
    if (*upload_size > 0) {
        bool fine = http_exchange_take_body(exchange, &server->settings, upload, *upload_size);

        *upload_size = 0;
        return fine ? MHD_YES : MHD_NO;
    }
    return answer_request(server, connection, exchange);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = arg;
    struct http_exchange *exchange = *state;
    struct http_client *client = exchange && exchange->follows ? client_of(connection) : NULL;

    (void)how;
    if (client)
        http_places_alive(&server->places, client);
    if (exchange)
        http_exchange_free(exchange);
    *state = NULL;
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
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;

    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;

    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                            MHD_OPTION_CONNECTION_LIMIT, 2u * HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEAD_MAX_BYTES,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_END);
}

struct http_server *http_server_start(const struct http_settings *settings, struct err *err)
{
    struct http_server *server = xcalloc(1, sizeof *server);
    struct addrinfo *at = NULL;

    server->settings = *settings;
    http_places_init(&server->places);
    if (resolve(settings, &at, server->host, err) != ST_OK) {
        free(server);
        return NULL;
    }
    if (http_threads_start(&server->threads, &server->settings, err) == ST_OK) {
        server->daemon = listen_at(server, at);
        if (!server->daemon) {
            err_set(err, ST_FAILED, "cannot listen at %s (%s): is the port taken, or the address another machine's?",
                    settings->listen, settings->option);
            http_threads_stop(&server->threads);
        }
    }
    freeaddrinfo(at);
    if (server->daemon)
        return server;
    http_threads_release(&server->threads);
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
    http_threads_stop(&server->threads); /* libmicrohttpd cannot end while a connection is suspended */
    MHD_stop_daemon(server->daemon);
    http_threads_release(&server->threads);
    free(server);
}
