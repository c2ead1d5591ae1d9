/* What is sent and what an answer means. The whole answer of a group is needed, of others the first 32 KiB. */
#include "worker/handlers/http_request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "worker/handlers/group.h"

enum { CONNECT_TIMEOUT_MS = 10000, INPUT_MAX_BYTES = 128 * 1024 * 1024 };

/* ---- a Type's options ---- */

/* "Name: value | Name: value" */
static enum status add_headers(struct http_type *type, const char *headers, struct err *err)
{
    while (headers && *headers) {
        size_t size = strcspn(headers, "|");
        char *line = xmemdup(headers + strspn(headers, " \t"),
                             size > strspn(headers, " \t") ? size - strspn(headers, " \t") : 0);

        for (size_t end = strlen(line); end > 0 && strchr(" \t", line[end - 1]); end--)
            line[end - 1] = '\0';
        if (line[0] && !strchr(line, ':')) {
            err_set(err, ST_INVALID, "headers: \"%s\" is not Name: value (several are separated by |)", line);
            free(line);
            return ST_INVALID;
        }
        if (line[0])
            type->headers = curl_slist_append(type->headers, line);
        type->has_content_type |= strncasecmp(line, "Content-Type:", 13) == 0;
        free(line);
        headers += size + (headers[size] == '|');
    }
    return ST_OK;
}

enum status http_type_new(const struct type_config *config, struct http_type **http_type, struct err *err)
{
    struct http_type *type;

    if (!config->url || !config->url[0])
        return err_set(err, ST_INVALID, "handler = http needs url = http://...");
    if (strncasecmp(config->url, "http://", 7) != 0 && strncasecmp(config->url, "https://", 8) != 0)
        return err_set(err, ST_INVALID, "url: \"%s\" begins neither with http:// nor with https://", config->url);
    type = xcalloc(1, sizeof *type);
    type->url = xstrdup(config->url);
    type->method = xstrdup(config->method && config->method[0] ? config->method : "POST");
    if (add_headers(type, config->headers, err) != ST_OK) {
        http_type_free(type);
        return ST_INVALID;
    }
    *http_type = type;
    return ST_OK;
}

void http_type_free(struct http_type *type)
{
    free(type->url);
    free(type->method);
    curl_slist_free_all(type->headers);
    free(type);
}

/* ---- the request ---- */

struct http_request *http_request_new(void)
{
    struct http_request *request = xcalloc(1, sizeof *request);

    request->easy = curl_easy_init();
    BGOP_ASSERT(request->easy);
    buf_init(&request->input, INPUT_MAX_BYTES);
    buf_init(&request->body, GROUP_ARRAY_MAX_BYTES);
    return request;
}

void http_request_free(struct http_request *request)
{
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    buf_release(&request->input);
    buf_release(&request->body);
    free(request);
}

static size_t on_body(char *data, size_t unit, size_t size, void *arg)
{
    struct http_request *request = arg;
    size_t keep = request->execution->type->group ? GROUP_ARRAY_MAX_BYTES : RESULT_MAX_BYTES;
    size_t room = keep - request->body.size;

    (void)unit; /* always 1 */
    request->body_total += size;
    buf_append(&request->body, data, size < room ? size : room);
    return request->body_total > GROUP_ARRAY_MAX_BYTES ? 0 : size; /* 0: enough of it */
}

static void add_header(struct http_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_header(struct http_request *request, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    request->headers = curl_slist_append(request->headers, line);
}

static bool looks_like_json(const char *data, size_t size)
{
    return size > 0 && (data[0] == '{' || data[0] == '[');
}

static void set_headers(struct http_request *request, const char *data, size_t size)
{
    const struct execution *execution = request->execution;
    const struct http_type *type = execution->type->prepared;
    const struct member *leader = execution_leader(execution);
    char name[EXECUTION_NAME_SIZE];

    curl_slist_free_all(request->headers);
    request->headers = NULL;
    for (const struct curl_slist *header = type->headers; header; header = header->next)
        request->headers = curl_slist_append(request->headers, header->data);
    if (!type->has_content_type)
        add_header(request, "Content-Type: application/%s", looks_like_json(data, size) ? "json" : "octet-stream");
    add_header(request, "Expect:"); /* no round trip before the body */
    add_header(request, "Idempotency-Key: %s", execution_name(execution, name));
    add_header(request, "X-Bgop-Token: %" PRIu64, leader->token);
    add_header(request, "X-Bgop-Attempt: %" PRIu32, token_attempt(leader->token));
    add_header(request, "X-Bgop-Type: %s", execution->type->config->name);
    if (leader->op->traceparent[0])
        add_header(request, "traceparent: %s", leader->op->traceparent);
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
}

static void set_method(struct http_request *request, const char *method, const char *data, size_t size)
{
    if (strcasecmp(method, "GET") == 0 || strcasecmp(method, "HEAD") == 0) {
        curl_easy_setopt(request->easy, strcasecmp(method, "GET") == 0 ? CURLOPT_HTTPGET : CURLOPT_NOBODY, 1L);
        return; /* these carry no payload */
    }
    curl_easy_setopt(request->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, data ? data : "");
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_limits(struct http_request *request)
{
    int64_t left = request->execution->deadline_boot_ms - clock_boot_ms();

    left = left < 1 ? 1 : left;
    curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, (long)left);
    curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(left < CONNECT_TIMEOUT_MS ? left : CONNECT_TIMEOUT_MS));
    curl_easy_setopt(request->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(request->easy, CURLOPT_PROTOCOLS_STR, "http,https");
}

void http_request_start(struct http_request *request, struct execution *execution)
{
    const struct http_type *type = execution->type->prepared;
    const struct claimed *op = execution_leader(execution)->op;
    const char *data = op->payload;
    size_t size = op->payload_size;

    request->execution = execution;
    request->body_total = 0;
    buf_clear(&request->body);
    buf_clear(&request->input);
    curl_easy_reset(request->easy); /* options only: connections live in the multi handle */
    if (execution->type->group) {
        group_write_array(&request->input, execution);
        data = request->input.data;
        size = request->input.size;
    }
    request->error[0] = '\0';
    curl_easy_setopt(request->easy, CURLOPT_URL, type->url);
    curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(request->easy, CURLOPT_ERRORBUFFER, request->error);
    curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(request->easy, CURLOPT_USERAGENT, "bgop/" BGOP_VERSION);
    set_method(request, type->method, data, size);
    set_headers(request, data, size);
    set_limits(request);
}

/* ---- the answer ---- */

/* "HTTP 500: first line of the body". A refusal of several operations at once says nothing of any one of them. */
static void settle_refused(struct http_request *request, long http_status)
{
    struct execution *execution = request->execution;
    enum entry_kind failure = execution_failure(execution);
    bool again = failure != ENTRY_ERROR || http_status == 429 || http_status < 400 || http_status >= 500;
    size_t line = request->body.size ? strcspn(request->body.data, "\r\n") : 0;
    curl_off_t retry_after_s = 0;

    execution_settlef(execution, again ? failure : ENTRY_PERMANENT, "HTTP %ld%s%.*s", http_status, line ? ": " : "",
                      (int)(line < 1000 ? line : 1000), line ? request->body.data : "");
    if (http_status != 429 && http_status != 503)
        return;
    curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after_s); /* seconds, or an HTTP date */
    for (int i = 0; retry_after_s > 0 && i < execution->member_count; i++)
        execution->members[i].outcome.retry_after_ms = (int64_t)retry_after_s * 1000;
}

static void settle_answered(struct http_request *request)
{
    struct execution *execution = request->execution;
    struct group_answers answers;

    if (!execution->type->group) {
        execution_settle(execution, ENTRY_OK, NULL, 0);
        outcome_set_result(&execution_leader(execution)->outcome, request->body.data, request->body.size,
                           request->body_total);
        return;
    }
    group_answers_init(&answers, execution);
    if (request->body_total > GROUP_ARRAY_MAX_BYTES)
        execution_settlef(execution, execution_failure(execution), "the handler's answer is longer than %d bytes",
                          GROUP_ARRAY_MAX_BYTES);
    else
        group_answers_read_array(&answers, request->body.data, request->body.size);
    group_answers_finish(&answers);
    group_answers_release(&answers);
}

static void settle_failed(struct http_request *request, CURLcode code)
{
    struct execution *execution = request->execution;

    if (code == CURLE_OPERATION_TIMEDOUT && clock_boot_ms() + 1 >= execution->deadline_boot_ms)
        execution_settle_stopped(execution, STOP_TIMEOUT);
    else
        execution_settlef(execution, execution_failure(execution), "%s",
                          request->error[0] ? request->error : curl_easy_strerror(code));
}

void http_request_finish(struct http_request *request, CURLcode code, enum stop_reason why)
{
    long http_status = 0;
    bool enough = code == CURLE_WRITE_ERROR && request->body_total > GROUP_ARRAY_MAX_BYTES;

    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (why != STOP_NONE)
        execution_settle_stopped(request->execution, why);
    else if (code != CURLE_OK && !enough)
        settle_failed(request, code);
    else if (http_status >= 200 && http_status < 300)
        settle_answered(request);
    else
        settle_refused(request, http_status);
    request->execution = NULL;
    buf_release(&request->body);
    buf_release(&request->input);
}
