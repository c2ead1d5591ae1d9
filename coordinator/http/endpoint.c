#include "coordinator/http/endpoint.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/metrics/queue_metrics.h"
#include "coordinator/http/page_files.h"
#include "coordinator/http/surface.h"

enum { BODY_MAX_BYTES = 256 * 1024, BODY_ABORT_MAX_BYTES = 8 * 1024 };

#define VERSION "/services/data/{version}"
#define OBJECT  VERSION "/sobjects/{object}"
#define OWN     "/bgop/v1"

/* The first that fits is taken: names of resources stand before Ids. */
static const struct http_route routes[] = {
    { "GET", "/services/data", show_versions, 0, ACCESS_OPEN },
    { "GET", VERSION, show_resources, 0, ACCESS_TOKEN },
    { "GET", VERSION "/limits", show_limits, 0, ACCESS_TOKEN },
    { "GET", VERSION "/search", show_search, 0, ACCESS_TOKEN },
    { "GET", VERSION "/parameterizedSearch", show_search, 0, ACCESS_TOKEN },
    { "GET", VERSION "/sobjects", show_sobjects, 0, ACCESS_TOKEN },
    { "GET", OBJECT, show_object, 0, ACCESS_TOKEN },
    { "GET", OBJECT "/describe", show_describe, 0, ACCESS_TOKEN },
    { "GET", OBJECT "/updated", show_updated, 0, ACCESS_TOKEN },
    { "GET", OBJECT "/deleted", show_deleted, 0, ACCESS_TOKEN },
    { "GET", OBJECT "/{id}", show_record, 0, ACCESS_TOKEN },
    { "GET", OBJECT "/{field}/{value}", show_by_field, 0, ACCESS_TOKEN },
    { "GET", VERSION "/composite", show_composite, 0, ACCESS_TOKEN },
    { "GET", VERSION "/composite/sobjects/{object}", show_many, 0, ACCESS_TOKEN },
    { "POST", VERSION "/composite/sobjects/{object}", take_many, BODY_MAX_BYTES, ACCESS_TOKEN },
    { "GET", VERSION "/query", show_query, 0, ACCESS_TOKEN },
    { "GET", VERSION "/queryAll", show_query, 0, ACCESS_TOKEN },
    { "GET", VERSION "/query/{locator}", show_more, 0, ACCESS_TOKEN },
    { "GET", VERSION "/queryAll/{locator}", show_more, 0, ACCESS_TOKEN },
    { "GET", "/services/oauth2/userinfo", show_userinfo, 0, ACCESS_TOKEN },
    { "GET", "/id/{org}/{user}", show_identity, 0, ACCESS_TOKEN_ARGUMENT },
    { "GET", OWN "/session", show_session, 0, ACCESS_TOKEN },
    { "GET", OWN "/stats", show_stats, 0, ACCESS_TOKEN },
    { "GET", OWN "/history", show_history, 0, ACCESS_TOKEN },
    { "GET", OWN "/operations", show_operations, 0, ACCESS_TOKEN },
    { "GET", OWN "/operations/{id}", show_operation, 0, ACCESS_TOKEN },
    { "GET", OWN "/blocked", show_blocked, 0, ACCESS_TOKEN },
    { "GET", OWN "/workers", show_workers, 0, ACCESS_TOKEN },
    { "GET", OWN "/paused", show_paused, 0, ACCESS_TOKEN },
    { "GET", OWN "/events", show_events, 0, ACCESS_TOKEN },
    { "GET", OWN "/actions", show_actions, 0, ACCESS_TOKEN },
    { "POST", OWN "/actions", take_action, BODY_MAX_BYTES, ACCESS_OPERATOR },
    { "GET", OWN "/actions/{id}", show_action, 0, ACCESS_TOKEN },
    { "POST", OWN "/actions/{id}/abort", take_abort, BODY_ABORT_MAX_BYTES, ACCESS_OPERATOR },
    { "GET", "/actions", show_actions, 0, ACCESS_TOKEN }, /* the public contract's name for the same */
    { "POST", "/actions", take_action, BODY_MAX_BYTES, ACCESS_OPERATOR },
    { "GET", "/actions/{id}", show_action, 0, ACCESS_TOKEN },
    { "POST", "/actions/{id}/abort", take_abort, BODY_ABORT_MAX_BYTES, ACCESS_OPERATOR },
#define XX(name, path, type) { "GET", path, show_page, 0, ACCESS_OPEN },
    PAGE_FILES(XX)
#undef XX
        { "GET", "/metrics", show_metrics, 0, ACCESS_TOKEN },
    { "GET", "/healthz", show_alive, 0, ACCESS_OPEN },
    { "GET", "/readyz", show_ready, 0, ACCESS_OPEN },
    { NULL, NULL, NULL, 0, 0 },
};

static enum status read_tokens(struct endpoint *endpoint, struct err *err)
{
    const struct config *config = endpoint->config;

    if (!config->http_token_file[0])
        return err_set(err, ST_INVALID, "[http] listen needs token_file: who has what stands there may read");
    if (token_read(&endpoint->reader, "[http] token_file", config->http_token_file, err) != ST_OK)
        return err->status;
    return token_read(&endpoint->operator, "[http] operator_token_file", config->http_operator_token_file, err);
}

static enum status open_links(struct endpoint *endpoint, struct err *err)
{
    const struct config *config = endpoint->config;

    for (int i = 0; i < HANDLER_THREADS; i++) {
        endpoint->links[i].redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
        if (!endpoint->links[i].redis)
            return err->status;
    }
    endpoint->numbers = queue_metrics_new(config->redis_url, err);
    if (!endpoint->numbers)
        return err->status;
    endpoint->events = events_start(config->redis_url, err);
    return endpoint->events ? ST_OK : err->status;
}

static enum status listen_and_serve(struct endpoint *endpoint, struct err *err)
{
    const struct http_settings settings = {
        .listen = endpoint->config->http_listen,
        .option = "[http] listen",
        .routes = routes,
        .arg = endpoint,
        .threads = HANDLER_THREADS,
        .admit = surface_admit,
        .refuse = surface_refuse,
    };

    endpoint->server = http_server_start(&settings, err);
    if (!endpoint->server)
        return err->status;
    log_event(LOG_LEVEL_INFO, "http", "listen=%s port=%d", settings.listen, http_server_port(endpoint->server));
    return ST_OK;
}

enum status endpoint_start(struct endpoint **started, const struct config *config, const struct endpoint_about *about,
                           struct err *err)
{
    struct endpoint *endpoint;

    *started = NULL;
    if (!config->http_listen[0])
        return ST_OK;
    endpoint = xcalloc(1, sizeof *endpoint);
    endpoint->config = config;
    if (about)
        endpoint->about = *about;
    pthread_mutex_init(&endpoint->numbers_lock, NULL);
    locators_init(&endpoint->locators);
    if (read_tokens(endpoint, err) != ST_OK || open_links(endpoint, err) != ST_OK ||
        listen_and_serve(endpoint, err) != ST_OK) {
        endpoint_stop(endpoint);
        return err->status;
    }
    *started = endpoint;
    return ST_OK;
}

int endpoint_port(const struct endpoint *endpoint)
{
    return http_server_port(endpoint->server);
}

void endpoint_stop(struct endpoint *endpoint)
{
    if (!endpoint)
        return;
    atomic_store(&endpoint->stopping, true);
    if (endpoint->events)
        events_close(endpoint->events);
    http_server_stop(endpoint->server);
    events_free(endpoint->events);
    for (int i = 0; i < HANDLER_THREADS; i++)
        redis_free(endpoint->links[i].redis);
    queue_metrics_free(endpoint->numbers);
    pthread_mutex_destroy(&endpoint->numbers_lock);
    locators_release(&endpoint->locators);
    token_forget(&endpoint->reader);
    token_forget(&endpoint->operator);
    free(endpoint);
}
