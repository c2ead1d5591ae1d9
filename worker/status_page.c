#include "worker/status_page.h"

#include <jansson.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/memory.h"

enum { PAGE_MAX_BYTES = 16 * 1024 * 1024 };

struct status_page {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    struct status_source source; /* identity NULL: not yet */
};

/* ---- as JSON ---- */

static void add_running(void *arg, const struct execution *execution)
{
    const struct member *leader = execution_leader(execution);
    char since[CLOCK_TEXT_SIZE];

    json_array_append_new(arg, json_pack("{s:s, s:s, s:I, s:i, s:s, s:I}", "Id", leader->id, "Type",
                                         execution->type->config->name, "Attempt",
                                         (json_int_t)token_attempt(leader->token), "Members", execution->member_count,
                                         "Since", clock_format(since, execution->started_at_ms, "Z"), "RunningMs",
                                         (json_int_t)(clock_boot_ms() - execution->started_boot_ms)));
}

static json_t *types_json(const struct types *types)
{
    json_t *array = json_array();

    for (size_t i = 0; i < types->count; i++)
        json_array_append_new(array, json_pack("{s:s, s:s, s:i, s:i}", "Type", types->all[i].config->name, "Handler",
                                               types->all[i].handler->name, "Concurrency", types->all[i].concurrency,
                                               "Running", atomic_load(&types->all[i].running)));
    return array;
}

static json_t *page_json(const struct status_source *source)
{
    json_t *running = json_array();

    if (!source->identity)
        return json_pack("{s:s, s:o}", "state", "starting", "running", running);
    inflight_visit(source->inflight, add_running, running);
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:o, s:o}", "state", "serving", "instance", source->identity->instance,
                     "uri", source->identity->uri, "slots", source->slots->concurrency, "undelivered",
                     (json_int_t)source->undelivered(source->arg), "types", types_json(source->types), "running",
                     running);
}

/* ---- as HTML, made from the JSON: one description of what is shown ---- */

static void add_cell(struct buf *html, const json_t *value)
{
    char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);

    buf_append_string(html, "<td>");
    for (const char *c = text; *c; c++) {
        if (*c == '<' || *c == '>' || *c == '&')
            buf_printf(html, "&#%d;", *c);
        else
            buf_append_char(html, *c);
    }
    free(text);
}

static void add_table(struct buf *html, const char *title, const json_t *rows)
{
    const json_t *row, *value;
    const char *name;
    size_t i;

    buf_printf(html, "<h2>%s: %zu</h2><table>", title, json_array_size(rows));
    json_array_foreach(rows, i, row)
    {
        if (i == 0) {
            json_object_foreach((json_t *)(uintptr_t)row, name, value) buf_printf(html, "<th>%s", name);
        }
        buf_append_string(html, "<tr>");
        json_object_foreach((json_t *)(uintptr_t)row, name, value) add_cell(html, value);
    }
    buf_append_string(html, "</table>");
}

static void write_html(struct buf *html, const json_t *page)
{
    const char *name;
    const json_t *value;

    buf_append_string(html,
                      "<!doctype html><meta charset=utf-8><title>bgop-worker</title><style>body{font:15px sans-serif;"
                      "margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}</style><h1>bgop-worker</h1><table>");
    json_object_foreach((json_t *)(uintptr_t)page, name, value)
    {
        if (json_is_array(value))
            continue;
        buf_printf(html, "<tr><th>%s", name);
        add_cell(html, value);
    }
    buf_append_string(html, "</table>");
    add_table(html, "Running", json_object_get(page, "running"));
    add_table(html, "Types", json_object_get(page, "types"));
}

/* ---- HTTP ---- */

static int append_json(const char *data, size_t size, void *to)
{
    return buf_append(to, data, size) ? 0 : -1;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned code, const char *content_type,
                               struct buf *body)
{
    size_t size = body->size;
    char *data = buf_take(body);
    struct MHD_Response *response = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    MHD_add_response_header(response, "Content-Type", content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct status_page *page = arg;
    bool json = strcmp(url, "/json") == 0;
    struct buf body;
    json_t *shown;

    (void)version, (void)upload, (void)state;
    *upload_size = 0;
    buf_init(&body, PAGE_MAX_BYTES);
    if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) || (!json && strcmp(url, "/") != 0)) {
        buf_append_string(&body, "GET / or GET /json\n");
        return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", &body);
    }
    pthread_mutex_lock(&page->lock);
    shown = page_json(&page->source);
    pthread_mutex_unlock(&page->lock);
    if (json) {
        (void)json_dump_callback(shown, append_json, &body, JSON_COMPACT);
        buf_append_char(&body, '\n');
    } else {
        write_html(&body, shown);
    }
    json_decref(shown);
    return respond(connection, MHD_HTTP_OK, json ? "application/json" : "text/html; charset=utf-8", &body);
}

/* ---- listening ---- */

/* "host:port", "[v6]:port" */
static enum status resolve(const char *listen, struct addrinfo **found, char *host, size_t room, struct err *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    const char *colon = strrchr(listen, ':');
    bool bracketed = listen[0] == '[' && colon && colon > listen + 1 && colon[-1] == ']';
    size_t size = colon ? (size_t)(colon - listen) - (bracketed ? 2 : 0) : 0;
    int failure;

    if (!colon || size >= room)
        return err_set(err, ST_INVALID, "[worker] listen: \"%s\" is not address:port", listen);
    memcpy(host, listen + bracketed, size);
    host[size] = '\0';
    failure = getaddrinfo(size ? host : NULL, colon + 1, &hints, found);
    if (failure)
        return err_set(err, ST_INVALID, "[worker] listen: \"%s\": %s", listen, gai_strerror(failure));
    return ST_OK;
}

static bool is_any_address(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

struct status_page *status_page_start(const char *listen, struct identity *identity, struct err *err)
{
    struct status_page *page;
    struct addrinfo *at = NULL;
    char host[200];
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD;
    const char *shown;

    if (resolve(listen, &at, host, sizeof host, err) != ST_OK)
        return NULL;
    page = xcalloc(1, sizeof *page);
    pthread_mutex_init(&page->lock, NULL);
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    page->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, page, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                         MHD_OPTION_CONNECTION_LIMIT, 64u, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_END);
    freeaddrinfo(at);
    if (!page->daemon) {
        err_set(err, ST_FAILED, "the status page cannot listen at %s ([worker] listen): is the port taken?", listen);
        pthread_mutex_destroy(&page->lock);
        free(page);
        return NULL;
    }
    shown = is_any_address(host) ? identity->host : host;
    snprintf(identity->uri, sizeof identity->uri, strchr(shown, ':') ? "http://[%s]:%d" : "http://%s:%d", shown,
             (int)MHD_get_daemon_info(page->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    return page;
}

void status_page_show(struct status_page *page, const struct status_source *source)
{
    pthread_mutex_lock(&page->lock);
    page->source = *source;
    pthread_mutex_unlock(&page->lock);
}

void status_page_stop(struct status_page *page)
{
    MHD_stop_daemon(page->daemon);
    pthread_mutex_destroy(&page->lock);
    free(page);
}
