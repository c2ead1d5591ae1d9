/* The thread's turn: wait until a batch is full or a second is over, take at most a batch, send it. A batch that could not
 * be sent stays the thread's, and the queue behind it fills up. */
#include "worker/traces/exporter.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/base/thread.h"
#include "common/base/wait.h"
#include "worker/execution/attempt_trace.h"
#include "worker/traces/header_file.h"
#include "worker/traces/span.h"

enum {
    EVERY_MS = 1000,
    REQUEST_MS = 10000,
    CONNECT_MS = 3000,
    AGAIN_LEAST_MS = 1000,
    AGAIN_MOST_MS = 30000,
    ANSWER_MAX_BYTES = 4096,
};

struct exporter {
    struct span_source source;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    struct buf request, answer;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct span *first, **end; /* waiting; under the lock */
    bool closing;
    atomic_int waiting;       /* their count; written under the lock */
    atomic_llong end_boot_ms; /* when it must have ended; 0: it goes on */
    atomic_ullong exported, dropped;

    struct span *batch; /* the thread's from here on */
    int batch_count, again_ms;
    unsigned long long dropped_told;
    struct outage outage;
};

/* ---- from any thread ---- */

static int collect(struct exporter *exporter, const struct execution *execution, struct span ***end)
{
    int count = 0;

    for (int i = 0; i < execution->member_count; i++) {
        if (!attempt_is_traced(execution, &execution->members[i]))
            continue;
        if (atomic_load(&exporter->waiting) + count >= EXPORTER_MOST_SPANS) {
            atomic_fetch_add(&exporter->dropped, 1);
            continue;
        }
        **end = span_new(execution, &execution->members[i]);
        *end = &(**end)->next;
        count++;
    }
    return count;
}

void exporter_add(struct exporter *exporter, struct execution *const *executions, size_t count)
{
    struct span *first = NULL, **end = &first;
    int added = 0, waiting;

    for (size_t i = 0; i < count; i++)
        added += collect(exporter, executions[i], &end);
    if (!first)
        return;
    pthread_mutex_lock(&exporter->lock);
    *exporter->end = first;
    exporter->end = end;
    waiting = atomic_fetch_add(&exporter->waiting, added);
    if (waiting < SPAN_BATCH_MAX && waiting + added >= SPAN_BATCH_MAX)
        pthread_cond_signal(&exporter->changed);
    pthread_mutex_unlock(&exporter->lock);
}

uint64_t exporter_exported(const struct exporter *exporter)
{
    return atomic_load(&exporter->exported);
}

uint64_t exporter_dropped(const struct exporter *exporter)
{
    return atomic_load(&exporter->dropped);
}

/* ---- the batch ---- */

static void batch_take(struct exporter *exporter)
{
    struct span **end = &exporter->batch;

    while (exporter->first && exporter->batch_count < SPAN_BATCH_MAX) {
        *end = exporter->first;
        exporter->first = exporter->first->next;
        end = &(*end)->next;
        exporter->batch_count++;
    }
    *end = NULL;
    if (!exporter->first)
        exporter->end = &exporter->first;
    atomic_fetch_sub(&exporter->waiting, exporter->batch_count);
}

static void batch_end(struct exporter *exporter, int exported)
{
    atomic_fetch_add(&exporter->exported, (unsigned long long)exported);
    atomic_fetch_add(&exporter->dropped, (unsigned long long)(exporter->batch_count - exported));
    while (exporter->batch) {
        struct span *span = exporter->batch;

        exporter->batch = span->next;
        free(span);
    }
    exporter->batch_count = 0;
    exporter->again_ms = 0;
}

/* ---- the request ---- */

static size_t on_answer(char *data, size_t unit, size_t size, void *arg)
{
    struct buf *answer = arg;
    size_t room = ANSWER_MAX_BYTES - answer->size;

    (void)unit; /* always 1 */
    buf_append(answer, data, size < room ? size : room);
    return size;
}

/* Not 0: enough. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct exporter *exporter = arg;
    int64_t end = atomic_load(&exporter->end_boot_ms);

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return end > 0 && clock_boot_ms() >= end;
}

static CURLcode post(struct exporter *exporter, long *status)
{
    CURLcode code;
    int64_t end = atomic_load(&exporter->end_boot_ms), left = end > 0 ? end - clock_boot_ms() : REQUEST_MS;

    left = left > REQUEST_MS ? REQUEST_MS : left < 1 ? 1 : left;
    buf_clear(&exporter->request);
    buf_clear(&exporter->answer);
    exporter->error[0] = '\0';
    spans_write(&exporter->request, exporter->batch, &exporter->source);
    curl_easy_setopt(exporter->easy, CURLOPT_POSTFIELDS, exporter->request.data);
    curl_easy_setopt(exporter->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exporter->request.size);
    curl_easy_setopt(exporter->easy, CURLOPT_TIMEOUT_MS, (long)left);
    code = curl_easy_perform(exporter->easy);
    *status = 0;
    curl_easy_getinfo(exporter->easy, CURLINFO_RESPONSE_CODE, status);
    return code;
}

/* A receiver may take a batch and yet not all of it: {"partialSuccess":{"rejectedSpans":"3"}}. */
static int rejected(const struct exporter *exporter)
{
    json_t *answer = json_loadb(exporter->answer.size ? exporter->answer.data : "", exporter->answer.size, 0, NULL);
    const json_t *count = json_object_get(json_object_get(answer, "partialSuccess"), "rejectedSpans");
    int64_t number = json_integer_value(count);

    if (json_is_string(count) && !text_parse_int64(json_string_value(count), 0, INT32_MAX, &number))
        number = 0;
    json_decref(answer);
    return number < 0 ? 0 : number > exporter->batch_count ? exporter->batch_count : (int)number;
}

static bool is_busy(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void tell_trouble(struct exporter *exporter, CURLcode code, long status)
{
    size_t line = exporter->answer.size ? strcspn(exporter->answer.data, "\r\n") : 0;
    char text[512];

    if (code != CURLE_OK) {
        snprintf(text, sizeof text, "%s", exporter->error[0] ? exporter->error : curl_easy_strerror(code));
    } else {
        snprintf(text, sizeof text, "HTTP %ld%s%.*s", status, line ? ": " : "", (int)(line < 300 ? line : 300),
                 line ? exporter->answer.data : "");
    }
    outage_begin(&exporter->outage, "traces", text);
}

/* false: it is to be sent again. */
static bool batch_send(struct exporter *exporter)
{
    long status;
    CURLcode code = post(exporter, &status);

    if (code == CURLE_OK && status >= 200 && status < 300) {
        outage_end(&exporter->outage, "traces");
        batch_end(exporter, exporter->batch_count - rejected(exporter));
        return true;
    }
    tell_trouble(exporter, code, status);
    if (code == CURLE_OK && !is_busy(status))
        batch_end(exporter, 0);
    return !exporter->batch;
}

/* ---- the thread ---- */

/* Once when the first is dropped, and how many in all when the receiver takes some again, and at the end. */
static void tell_dropped(struct exporter *exporter, bool at_end)
{
    unsigned long long dropped = atomic_load(&exporter->dropped);
    bool first = exporter->dropped_told == 0;

    if (dropped == exporter->dropped_told || !(first || at_end || !exporter->outage.on))
        return;
    exporter->dropped_told = dropped;
    log_event(LOG_LEVEL_WARNING, "spans dropped", "count=%llu exported=%llu", dropped,
              (unsigned long long)atomic_load(&exporter->exported));
}

static void wait_for(struct exporter *exporter, int ms, bool full)
{
    while (!exporter->closing && (!full || atomic_load(&exporter->waiting) < SPAN_BATCH_MAX) &&
           wait_cond(&exporter->changed, &exporter->lock, ms))
        ;
}

/* Answers whether there is something to send. */
static bool turn_wait(struct exporter *exporter, bool *closing)
{
    pthread_mutex_lock(&exporter->lock);
    wait_for(exporter, exporter->batch ? exporter->again_ms : EVERY_MS, !exporter->batch);
    if (!exporter->batch)
        batch_take(exporter);
    *closing = exporter->closing;
    pthread_mutex_unlock(&exporter->lock);
    return exporter->batch != NULL;
}

static void grow_pause(struct exporter *exporter)
{
    exporter->again_ms = exporter->again_ms == 0 ? AGAIN_LEAST_MS : 2 * exporter->again_ms;
    if (exporter->again_ms > AGAIN_MOST_MS)
        exporter->again_ms = AGAIN_MOST_MS;
}

static void *exporter_loop(void *arg)
{
    struct exporter *exporter = arg;
    bool closing = false, going = true;

    pthread_setname_np(pthread_self(), "traces");
    while (going) {
        if (!turn_wait(exporter, &closing)) {
            going = !closing;
        } else if (!batch_send(exporter)) {
            grow_pause(exporter);
            going = !closing;
        }
        tell_dropped(exporter, false);
    }
    return NULL;
}

/* ---- life ---- */

static void set_easy(struct exporter *exporter, const char *url)
{
    CURL *easy = exporter->easy;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exporter->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "bgop/" BGOP_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exporter->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exporter->answer);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exporter);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static void exporter_free(struct exporter *exporter)
{
    outage_drop(&exporter->outage);
    curl_easy_cleanup(exporter->easy);
    curl_slist_free_all(exporter->headers);
    curl_global_cleanup();
    buf_release(&exporter->request);
    buf_release(&exporter->answer);
    pthread_cond_destroy(&exporter->changed);
    pthread_mutex_destroy(&exporter->lock);
    free(exporter);
}

enum status exporter_start(struct exporter **exporter, const struct exporter_parts *parts, struct err *err)
{
    struct exporter *new = xcalloc(1, sizeof *new);
    enum status st;

    new->source = (struct span_source){
        .service_name = parts->service_name,
        .instance = parts->instance,
        .worker_uri = parts->worker_uri,
        .host = parts->host,
        .prefix = parts->prefix,
    };
    new->end = &new->first;
    buf_init(&new->request, SPAN_BATCH_MAX_BYTES);
    buf_init(&new->answer, ANSWER_MAX_BYTES);
    pthread_mutex_init(&new->lock, NULL);
    wait_cond_init(&new->changed);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    new->easy = curl_easy_init();
    new->headers = curl_slist_append(NULL, "Content-Type: application/json");
    st = header_file_read(parts->headers_file, &new->headers, err);
    if (st == ST_OK && !new->easy)
        st = err_set(err, ST_FAILED, "[traces] url: curl cannot start");
    if (st == ST_OK) {
        set_easy(new, parts->url);
        st = thread_start(&new->thread, exporter_loop, new, "the traces'", err);
    }
    if (st != ST_OK) {
        exporter_free(new);
        return st;
    }
    *exporter = new;
    return ST_OK;
}

void exporter_stop(struct exporter *exporter, int timeout_ms)
{
    atomic_store(&exporter->end_boot_ms, clock_boot_ms() + timeout_ms);
    pthread_mutex_lock(&exporter->lock);
    exporter->closing = true;
    pthread_cond_signal(&exporter->changed);
    pthread_mutex_unlock(&exporter->lock);
    pthread_join(exporter->thread, NULL);
    do { /* nobody will have these */
        batch_end(exporter, 0);
        batch_take(exporter);
    } while (exporter->batch);
    tell_dropped(exporter, true);
    exporter_free(exporter);
}
