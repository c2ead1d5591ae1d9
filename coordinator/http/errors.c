/* Errors as Salesforce's clients read them, and from what happened here to one of them. */
#include <stdarg.h>
#include <string.h>

#include "common/base/log.h"
#include "coordinator/http/surface.h"

#define CONTENT_TYPE "application/json;charset=UTF-8"

enum { MESSAGE_MAX_BYTES = 2048 };

void answer_error(struct http_answer *answer, int status, const char *code, const char *format, ...)
{
    struct buf message;
    va_list args;

    buf_init(&message, MESSAGE_MAX_BYTES);
    va_start(args, format);
    if (!buf_vprintf(&message, format, args))
        buf_append_string(&message, "what was sent is too long to be repeated here");
    va_end(args);
    buf_clear(&answer->body);
    buf_append_string(&answer->body, "[{\"message\":");
    buf_append_json(&answer->body, message.data, message.size);
    buf_printf(&answer->body, ",\"errorCode\":\"%s\"}]", code);
    buf_release(&message);
    answer->code = status;
    answer->content_type = CONTENT_TYPE;
}

void answer_not_found(struct http_answer *answer)
{
    answer_error(answer, 404, "NOT_FOUND", "The requested resource does not exist");
}

/* First words of errors of the Redis Functions and of queries: a client's mistakes. */
static const char *const mistakes[] = {
    "INVALID_FIELD", "INVALID_TYPE", "MALFORMED_ID", "INVALID_REPLICATION_DATE", "MALFORMED_QUERY", "EXCEEDED_ID_LIMIT",
};

/* Where a server is or what it said is for the log only. */
void answer_failure(struct http_answer *answer, const struct err *err)
{
    size_t size = strcspn(err->text, " ");

    for (size_t i = 0; err->status == ST_INVALID && i < sizeof mistakes / sizeof *mistakes; i++) {
        if (strlen(mistakes[i]) == size && memcmp(mistakes[i], err->text, size) == 0) {
            answer_error(answer, 400, mistakes[i], "%s", err->text + size + (err->text[size] == ' '));
            return;
        }
    }
    if (err->status == ST_RECOVERING) {
        answer_error(answer, 503, "SERVER_UNAVAILABLE", "The queue replays its log; try again shortly");
    } else if (err->status == ST_AGAIN || err->status == ST_FENCED || err->status == ST_STALE) {
        /* the loops tell of outages; a refusal of what only readers ask would be known to nobody else */
        if (redis_is_refusal(err))
            log_error_text(LOG_LEVEL_WARNING, "http answer failed", err->text, "code=503");
        answer_error(answer, 503, "SERVER_UNAVAILABLE",
                     "The queue's records cannot be read just now; try again shortly");
    } else {
        log_error_text(LOG_LEVEL_ERROR, "http answer failed", err->text, "code=500");
        answer_error(answer, 500, "UNKNOWN_EXCEPTION", "This went wrong here; the coordinator's log says what");
    }
}

/* ---- before any route is reached ---- */

static bool has_token(const struct endpoint *endpoint, const struct http_request *request)
{
    const char *given = token_of_header(http_header(request, "Authorization"));

    if (!given && request->route && request->route->access == ACCESS_TOKEN_ARGUMENT)
        given = http_query(request, "oauth_token");
    return token_fits(&endpoint->reader, given) || token_fits(&endpoint->operator, given);
}

static bool refuse_stranger(const struct endpoint *endpoint, const struct http_request *request,
                            struct http_answer *answer)
{
    if (has_token(endpoint, request))
        return false;
    answer_error(answer, 401, "INVALID_SESSION_ID", "Session expired or invalid");
    http_answer_header(answer, "WWW-Authenticate", "Bearer");
    return true;
}

static bool refuse_reader(const struct endpoint *endpoint, const struct http_request *request,
                          struct http_answer *answer)
{
    if (token_fits(&endpoint->operator, token_of_header(http_header(request, "Authorization"))))
        return false;
    answer_error(answer, 403, "INSUFFICIENT_ACCESS",
                 "This token may read and not act; the operator's may ([http] operator_token_file)");
    return true;
}

bool surface_admit(void *arg, const struct http_request *request, struct http_answer *answer)
{
    if (request->route->access == ACCESS_OPEN)
        return true;
    if (refuse_stranger(arg, request, answer))
        return false;
    return request->route->access != ACCESS_OPERATOR || !refuse_reader(arg, request, answer);
}

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* "HEAD, GET" -> "HEAD,GET" */
static const char *without_blanks(char *to, size_t room, const char *from)
{
    size_t size = 0;

    for (; *from && size + 1 < room; from++) {
        if (*from != ' ')
            to[size++] = *from;
    }
    to[size] = '\0';
    return to;
}

/* Who may not ask is not told what there is; only that this is no request. */
void surface_refuse(void *arg, const struct http_request *request, const char *methods, struct http_answer *answer)
{
    char list[64];

    if (!starts_with(request->path, "/services/") && !starts_with(request->path, "/id/") &&
        !starts_with(request->path, "/bgop/") && !starts_with(request->path, "/actions"))
        return;
    if (answer->code != 400 && refuse_stranger(arg, request, answer))
        return;
    if (answer->code == 400) {
        answer_error(answer, 400, "BAD_REQUEST", "A request of HTTP/1.1 has one Host header");
    } else if (answer->code == 405) {
        answer_error(answer, 405, "METHOD_NOT_ALLOWED", "HTTP Method '%.32s' not allowed. Allowed are %s",
                     request->method, without_blanks(list, sizeof list, methods));
    } else if (answer->code == 413) {
        answer_error(answer, 413, "REQUEST_LIMIT_EXCEEDED", "A body may have %zu bytes here",
                     request->route->body_max_bytes);
    } else if (answer->code == 414) {
        answer_error(answer, 414, "URI_TOO_LONG", "A path with its query may have %d bytes", HTTP_URL_MAX_BYTES);
    } else {
        answer_not_found(answer);
    }
}
