/* The server is started first, since its port is part of the worker's identity, and says "starting" until there is something
 * to show. Pages are made from what is true at the moment of the request, under locks that are held for microseconds. */
#include "worker/daemon/status_page.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/http/http.h"
#include "common/metrics/process_metrics.h"
#include "common/metrics/queue_metrics.h"
#include "worker/daemon/readiness.h"
#include "worker/daemon/worker_metrics.h"

struct status_page {
    struct http_server *server;
    struct queue_metrics *queue; /* the server's thread only */
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

    for (size_t i = 0; i < types->count; i++) {
        json_array_append_new(array, json_pack("{s:s, s:s, s:i, s:i}", "Type", types->all[i].config->name, "Handler",
                                               types->all[i].handler->name, "Concurrency", types->all[i].concurrency,
                                               "Running", atomic_load(&types->all[i].running)));
    }
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
                     (json_int_t)reporter_undelivered(source->reporter), "types", types_json(source->types), "running",
                     running);
}

/* ---- as HTML, made from the JSON: one description of what is shown ---- */

static void add_cell(struct buf *html, const json_t *value)
{
    char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);

    buf_append_string(html, "<td>");
    http_append_escaped(html, text);
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
        if (i == 0)
            json_object_foreach((json_t *)(uintptr_t)row, name, value) buf_printf(html, "<th>%s", name);

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

/* ---- routes ---- */

static json_t *page_snapshot(struct status_page *page)
{
    json_t *shown;

    pthread_mutex_lock(&page->lock);
    shown = page_json(&page->source);
    pthread_mutex_unlock(&page->lock);
    return shown;
}

static void show_json(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_answer_json(answer, 200, page_snapshot(arg));
}

static void show_html(void *arg, const struct http_request *request, struct http_answer *answer)
{
    json_t *shown = page_snapshot(arg);

    (void)request;
    write_html(&answer->body, shown);
    http_answer_html(answer, 200);
    json_decref(shown);
}

/* Redis is asked before the lock is taken: the worker waits for that when it shows and hides what it is. */
static void show_metrics(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct status_page *page = arg;
    struct metrics metrics;

    (void)request;
    metrics_begin(&metrics, &answer->body);
    queue_metrics_put(page->queue, &metrics);
    pthread_mutex_lock(&page->lock);
    worker_metrics_put(&metrics, &page->source);
    pthread_mutex_unlock(&page->lock);
    process_metrics_put(&metrics, "bgop-worker");
    answer->content_type = METRICS_CONTENT_TYPE;
}

static void show_state(struct status_page *page, struct http_answer *answer,
                       bool (*is)(const struct status_source *source, char *why, size_t size))
{
    char why[READINESS_SIZE];
    bool fine;

    pthread_mutex_lock(&page->lock);
    fine = is(&page->source, why, sizeof why);
    pthread_mutex_unlock(&page->lock);
    http_answer_text(answer, fine ? 200 : 503, "%s", why);
}

static void show_alive(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    show_state(arg, answer, worker_is_alive);
}

static void show_ready(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    show_state(arg, answer, worker_is_ready);
}

static const struct http_route routes[] = {
    { "GET", "/", show_html, 0, 0 },           { "GET", "/json", show_json, 0, 0 },
    { "GET", "/metrics", show_metrics, 0, 0 }, { "GET", "/healthz", show_alive, 0, 0 },
    { "GET", "/readyz", show_ready, 0, 0 },    { NULL, NULL, NULL, 0, 0 },
};

static void page_free(struct status_page *page)
{
    queue_metrics_free(page->queue);
    pthread_mutex_destroy(&page->lock);
    free(page);
}

struct status_page *status_page_start(const struct config *config, struct identity *identity, struct err *err)
{
    struct status_page *page = xcalloc(1, sizeof *page);
    const char *host;

    pthread_mutex_init(&page->lock, NULL);
    page->queue = queue_metrics_new(config->redis_url, err);
    if (page->queue) {
        page->server = http_server_start(
            &(struct http_settings){
                .listen = config->listen, .option = "[worker] listen", .routes = routes, .arg = page },
            err);
    }
    if (!page->server) {
        page_free(page);
        return NULL;
    }
    host = http_server_host(page->server);
    host = host[0] ? host : identity->host;
    snprintf(identity->uri, sizeof identity->uri, strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host,
             http_server_port(page->server));
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
    http_server_stop(page->server);
    page_free(page);
}
