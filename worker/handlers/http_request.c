/* What is sent and what an answer means. The whole answer of a group is needed, of others the first 32 KiB. */
#include "worker/handlers/http_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "worker/execution/attempt_trace.h"
#include "worker/handlers/group.h"
#include "worker/handlers/retry_after.h"

enum { CONNECT_TIMEOUT_MS = 10000, INPUT_MAX_BYTES = 128 * 1024 * 1024 };

/* Fit to be sent as a header: a line break would begin another one, or another request. */
static bool is_one_line(const char *line)
{
    for (const char *c = line; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    }
    return true;
}

/* ---- a Type's options ---- */

/* As curl reads it: no blanks, a host, a port that is a number. */
static enum status check_url(const char *url, struct err *err)
{
    CURLU *parts = curl_url();
    CURLUcode code = parts ? curl_url_set(parts, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    char shown[256];

    curl_url_cleanup(parts);
    return code == CURLUE_OK ? ST_OK
                             : err_set(err, ST_INVALID, "url: \"%s\": %s", text_url_shown(shown, sizeof shown, url),
                                       curl_url_strerror(code));
}

/* What is sent with every operation is not for a configuration to say: nobody could tell which of two counts. */
static bool is_ours(const char *name, size_t size)
{
    static const char *const names[] = { "Idempotency-Key", "traceparent", "Content-Length", "Transfer-Encoding" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == size && strncasecmp(name, names[i], size) == 0)
            return true;
    }
    return size >= 7 && strncasecmp(name, "X-Bgop-", 7) == 0;
}

/* Errors name its place, not its value: that may be a secret. */
static enum status check_header(const char *line, int number, struct err *err)
{
    static const char token[] = "!#$%&'*+-.^_`0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ~";
    size_t name = strspn(line, token);

    if (name == 0 || line[name] != ':') {
        return err_set(err, ST_INVALID, "headers: the header number %d is not Name: value (several are separated by |)",
                       number);
    }
    if (is_ours(line, name))
        return err_set(err, ST_INVALID, "headers: %.*s is set by the worker itself", (int)name, line);
    if (!is_one_line(line))
        return err_set(err, ST_INVALID, "headers: %.*s holds a control character", (int)name, line);
    return ST_OK;
}

/* "Name: value | Name: value" */
static enum status add_headers(struct http_type *type, const char *headers, struct err *err)
{
    int number = 0;

    while (headers && *headers) {
        size_t size = strcspn(headers, "|");
        char *line = xmemdup(headers + strspn(headers, " \t"),
                             size > strspn(headers, " \t") ? size - strspn(headers, " \t") : 0);

        for (size_t end = strlen(line); end > 0 && strchr(" \t", line[end - 1]); end--)
            line[end - 1] = '\0';
        if (line[0] && check_header(line, ++number, err) != ST_OK) {
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

/* PEM, which is what the options ask for, names what it holds. */
static bool holds(FILE *file, const char *what)
{
    char line[256];

    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, what))
            return true;
    }
    return false;
}

/* path may be empty: nothing is asked for then. what: as a PEM file names it. */
static enum status check_pem(const char *option, const char *path, const char *what, struct err *err)
{
    FILE *file;
    struct stat about;
    bool fine;

    if (!path)
        return ST_OK;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return err_set(err, ST_INVALID, "%s = %s is no regular file", option, path);
    file = fopen(path, "re");
    if (!file)
        return err_set(err, ST_INVALID, "%s = %s: %s", option, path, strerror(errno));
    fine = holds(file, what);
    fclose(file);
    return fine ? ST_OK
                : err_set(err, ST_INVALID, "%s = %s holds no %s in PEM form (-----BEGIN %s-----)", option, path, what,
                          what);
}

static char *copy_unless_empty(const char *text)
{
    return text && text[0] ? xstrdup(text) : NULL;
}

/* Whom to trust, and who we are, on https. */
static enum status add_certificates(struct http_type *type, const struct type_config *config, struct err *err)
{
    type->ca_file = copy_unless_empty(config->ca_file);
    type->cert_file = copy_unless_empty(config->cert_file);
    type->key_file = copy_unless_empty(config->key_file);
    if (type->key_file && !type->cert_file) {
        return err_set(err, ST_INVALID, "key_file = %s needs cert_file, the certificate that it belongs to",
                       type->key_file);
    }
    if (check_pem("ca_file", type->ca_file, "CERTIFICATE", err) != ST_OK ||
        check_pem("cert_file", type->cert_file, "CERTIFICATE", err) != ST_OK ||
        check_pem("key_file", type->key_file, "PRIVATE KEY", err) != ST_OK)
        return ST_INVALID;
    if (type->cert_file && !type->key_file && check_pem("cert_file", type->cert_file, "PRIVATE KEY", NULL) != ST_OK) {
        return err_set(err, ST_INVALID, "cert_file = %s holds no PRIVATE KEY: key_file says where it is",
                       type->cert_file);
    }
    return ST_OK;
}

enum status http_type_new(const struct type_config *config, struct http_type **http_type, struct err *err)
{
    struct http_type *type;
    char shown[256];

    if (!config->url || !config->url[0])
        return err_set(err, ST_INVALID, "handler = http needs url = http://...");
    if (strncasecmp(config->url, "http://", 7) != 0 && strncasecmp(config->url, "https://", 8) != 0) {
        return err_set(err, ST_INVALID, "url: \"%s\" begins neither with http:// nor with https://",
                       text_url_shown(shown, sizeof shown, config->url));
    }
    if (check_url(config->url, err) != ST_OK)
        return ST_INVALID;
    type = xcalloc(1, sizeof *type);
    type->url = xstrdup(config->url);
    type->method = xstrdup(config->method && config->method[0] ? config->method : "POST");
    if (add_headers(type, config->headers, err) != ST_OK ||
        (strncasecmp(type->url, "https://", 8) == 0 && add_certificates(type, config, err) != ST_OK)) {
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
    free(type->ca_file);
    free(type->cert_file);
    free(type->key_file);
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
    if (is_one_line(line))
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
    char name[EXECUTION_NAME_SIZE], trace[TRACEPARENT_SIZE];

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
        add_header(request, "traceparent: %s", attempt_traceparent(trace, execution, leader));
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

/* Curl would have the socket's error lost: it says "could not connect" of a worker that is out of descriptors as well. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_request *request = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd < 0)
        request->socket_error = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void set_connection(struct http_request *request, const struct http_type *type)
{
    request->socket_error = 0;
    curl_easy_setopt(request->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(request->easy, CURLOPT_OPENSOCKETDATA, request);
    if (type->ca_file)
        curl_easy_setopt(request->easy, CURLOPT_CAINFO, type->ca_file);
    if (type->ca_file)
        curl_easy_setopt(request->easy, CURLOPT_CAPATH, NULL); /* that file alone */
    if (type->cert_file) {
        curl_easy_setopt(request->easy, CURLOPT_SSLCERT, type->cert_file);
        curl_easy_setopt(request->easy, CURLOPT_SSLKEY, type->key_file ? type->key_file : type->cert_file);
    }
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
    /* A handle of its own for each request (connections live in the multi handle): curl 7.88 goes on with the header that a
     * handle saw last, freed by then, when an answer begins with a continued one. Its server would corrupt our memory. */
    curl_easy_cleanup(request->easy);
    request->easy = curl_easy_init();
    BGOP_ASSERT(request->easy);
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
    set_connection(request, type);
    set_method(request, type->method, data, size);
    set_headers(request, data, size);
    set_limits(request);
}

/* ---- the answer ---- */

/* Of several headers the longest wait is heeded, and what cannot be read is told. */
static void set_retry_after(struct http_request *request)
{
    struct execution *execution = request->execution;
    struct curl_header *header;
    int64_t longest = -1, ms;

    for (size_t i = 0; curl_easy_header(request->easy, "Retry-After", i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++) {
        const char *wrong = retry_after_header(header->value, clock_wall_ms(), &ms);
        char quoted[64];

        if (!wrong)
            longest = ms > longest ? ms : longest;
        for (int m = 0; wrong && m < execution->member_count; m++) {
            outcome_add(&execution->members[m].outcome, "Retry-After %s: %s", wrong,
                        text_quote(quoted, sizeof quoted, header->value, strlen(header->value)));
        }
    }
    for (int m = 0; m < execution->member_count; m++)
        execution->members[m].outcome.retry_after_ms = longest;
}

/* "HTTP 500: first line of the body". A refusal of several operations at once says nothing of any one of them. */
static void settle_refused(struct http_request *request, long http_status)
{
    struct execution *execution = request->execution;
    enum entry_kind failure = execution_failure(execution);
    bool again = failure != ENTRY_ERROR || http_status == 429 || http_status < 400 || http_status >= 500;
    size_t line = request->body.size ? strcspn(request->body.data, "\r\n") : 0;

    execution_settlef(execution, again ? failure : ENTRY_PERMANENT, "HTTP %ld%s%.*s", http_status, line ? ": " : "",
                      (int)(line < 1000 ? line : 1000), line ? request->body.data : "");
    if (http_status == 429 || http_status == 503)
        set_retry_after(request);
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
    if (request->body_total > GROUP_ARRAY_MAX_BYTES) {
        execution_settlef(execution, execution_failure(execution), "the handler's answer is longer than %d bytes",
                          GROUP_ARRAY_MAX_BYTES);
    } else {
        group_answers_read_array(&answers, request->body.data, request->body.size);
    }
    group_answers_finish(&answers);
    group_answers_release(&answers);
}

/* Nothing came of it because this worker had no descriptor or no memory: for the socket, for the look-up of the name, for
 * a file of certificates. Where curl does not say, whether there is one now is as near as one gets. */
static bool was_short(const struct http_request *request, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY || is_shortage(request->socket_error) ||
           ((code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_SSL_CACERT_BADFILE) &&
            descriptors_short());
}

static void settle_failed(struct http_request *request, CURLcode code)
{
    struct execution *execution = request->execution;

    if (was_short(request, code)) {
        execution_settle_shortage(execution, "cannot connect: %s%s",
                                  request->socket_error ? strerror(request->socket_error) : curl_easy_strerror(code),
                                  request->socket_error ? "" : " (no descriptor, or no memory, is to be had)");
    } else if (code == CURLE_OPERATION_TIMEDOUT && clock_boot_ms() + 1 >= execution->deadline_boot_ms) {
        execution_settle_stopped(execution, STOP_TIMEOUT);
    } else {
        execution_settlef(execution, execution_failure(execution), "%s",
                          request->error[0] ? request->error : curl_easy_strerror(code));
    }
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
