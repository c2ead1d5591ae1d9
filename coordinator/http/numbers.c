/* /metrics for Prometheus, and what asks whether this process is alive and does its work. */
#include "coordinator/http/surface.h"

#include "common/metrics/process_metrics.h"
#include "common/metrics/queue_metrics.h"

void show_metrics(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct endpoint *endpoint = arg;
    struct metrics metrics;

    (void)request;
    metrics_begin(&metrics, &answer->body);
    pthread_mutex_lock(&endpoint->numbers_lock);
    queue_metrics_put(endpoint->numbers, &metrics);
    pthread_mutex_unlock(&endpoint->numbers_lock);
    if (endpoint->about.metrics)
        endpoint->about.metrics(endpoint->about.arg, &metrics);
    process_metrics_put(&metrics, "bgop-coordinator");
    answer->content_type = METRICS_CONTENT_TYPE;
}

/* A loop that stands still ends the process (the watchdog): who answers is alive. */
void show_alive(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    http_answer_text(answer, 200, "alive");
}

void show_ready(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct endpoint *endpoint = arg;
    char why[READY_WHY_SIZE] = "ready";
    bool ready = !endpoint->about.ready || endpoint->about.ready(endpoint->about.arg, why, sizeof why);

    (void)request;
    http_answer_text(answer, ready ? 200 : 503, "%s", why);
}
