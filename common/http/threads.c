/* Threads that run handlers, so that a handler that waits for another server makes nobody else wait. A connection is
 * suspended while its request is with them: libmicrohttpd neither reads from it nor counts its time. */
#include "common/http/edge.h"

#include "common/base/thread.h"

static struct http_exchange *next_exchange(struct http_threads *threads)
{
    struct http_exchange *exchange;

    pthread_mutex_lock(&threads->lock);
    while (STAILQ_EMPTY(&threads->queue) && !threads->stopping)
        pthread_cond_wait(&threads->more, &threads->lock);
    exchange = STAILQ_FIRST(&threads->queue);
    if (exchange)
        STAILQ_REMOVE_HEAD(&threads->queue, entry);
    pthread_mutex_unlock(&threads->lock);
    return exchange;
}

static void *run(void *arg)
{
    struct http_thread *self = arg;
    struct http_exchange *exchange;

    while ((exchange = next_exchange(self->threads)) != NULL) {
        struct MHD_Connection *connection = exchange->request.connection;

        exchange->request.thread = self->number;
        http_exchange_handle(exchange, self->threads->settings);
        MHD_resume_connection(connection); /* from here on the exchange is the server's again */
    }
    return NULL;
}

enum status http_threads_start(struct http_threads *threads, const struct http_settings *settings, struct err *err)
{
    threads->settings = settings;
    threads->count = 0;
    threads->stopping = false;
    STAILQ_INIT(&threads->queue);
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->more, NULL);
    BGOP_ASSERT(settings->threads >= 0 && settings->threads <= HTTP_THREADS_MAX);
    while (threads->count < settings->threads) {
        struct http_thread *each = &threads->each[threads->count];

        *each = (struct http_thread){ .threads = threads, .number = threads->count };
        if (thread_start(&each->thread, run, each, "an HTTP handler's", err) != ST_OK) {
            http_threads_stop(threads);
            return err->status;
        }
        threads->count++;
    }
    return ST_OK;
}

bool http_threads_take(struct http_threads *threads, struct http_exchange *exchange)
{
    bool taken;

    pthread_mutex_lock(&threads->lock);
    taken = !threads->stopping;
    if (taken) {
        MHD_suspend_connection(exchange->request.connection);
        STAILQ_INSERT_TAIL(&threads->queue, exchange, entry);
        pthread_cond_signal(&threads->more);
    }
    pthread_mutex_unlock(&threads->lock);
    return taken;
}

void http_threads_stop(struct http_threads *threads)
{
    pthread_mutex_lock(&threads->lock);
    threads->stopping = true;
    pthread_cond_broadcast(&threads->more);
    pthread_mutex_unlock(&threads->lock);
    for (int i = 0; i < threads->count; i++)
        pthread_join(threads->each[i].thread, NULL);
    threads->count = 0;
}

void http_threads_release(struct http_threads *threads)
{
    pthread_cond_destroy(&threads->more);
    pthread_mutex_destroy(&threads->lock);
}
