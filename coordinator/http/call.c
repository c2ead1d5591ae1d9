/* What every route of a version does first, and the URLs that answers have. */
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "coordinator/http/surface.h"

enum { LINK_TRUSTED_MS = 1000 };

/* "v66.0"; 0: none of ours. */
static int version_of(const char *text)
{
    size_t size = strlen(text);
    int64_t number;
    char digits[8];

    if (size < 4 || size > sizeof digits || text[0] != 'v' || strcmp(text + size - 2, ".0") != 0)
        return 0;
    if (!text_copy(digits, sizeof digits, text + 1, size - 3) || digits[0] < '1' || digits[0] > '9')
        return 0;
    return text_parse_int64(digits, VERSION_FIRST, VERSION_LAST, &number) ? (int)number : 0;
}

/* A connection that was quiet for a while may have been closed by the server: that is found out here, and not by the
 * request, which would fail for nothing. */
static void link_check(struct link *link)
{
    int64_t now_ms = clock_boot_ms();
    struct err err = ERR_INIT;
    struct ask ask = { .redis = link->redis, .err = &err };
    int64_t redis_ms;

    if (redis_connected(link->redis) && now_ms - link->used_at_ms > LINK_TRUSTED_MS)
        (void)!ask_now(&ask, &redis_ms); /* an error closes it, and the request connects anew */
    link->used_at_ms = now_ms;
}

void call_begin_own(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct endpoint *endpoint = arg;
    struct link *link = &endpoint->links[request->thread];

    *call = (struct call){ .endpoint = endpoint, .request = request, .answer = answer, .err = ERR_INIT };
    link_check(link);
    call->ask = (struct ask){ .redis = link->redis, .err = &call->err };
}

bool call_begin(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer)
{
    int version = version_of(http_param(request, "version"));

    if (!version) {
        answer_not_found(answer);
        return false;
    }
    call_begin_own(call, arg, request, answer);
    call->version = version;
    return true;
}

bool call_begin_object(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer)
{
    if (!call_begin(call, arg, request, answer))
        return false;
    if (strcasecmp(http_param(request, "object"), OBJECT_NAME) == 0)
        return true;
    answer_not_found(answer);
    return false;
}

void call_failed(struct call *call)
{
    answer_failure(call->answer, &call->err);
}

void call_answer(struct call *call, int status, json_t *value)
{
    http_answer_json(call->answer, status, value);
    call->answer->content_type = "application/json;charset=UTF-8";
}

json_t *call_url(const struct call *call, const char *id)
{
    return json_sprintf("/services/data/v%d.0/sobjects/" OBJECT_NAME "%s%s", call->version, id ? "/" : "",
                        id ? id : "");
}

json_t *call_attributes(const struct call *call, const char *id)
{
    return json_pack("{s:s, s:o}", "type", OBJECT_NAME, "url", call_url(call, id));
}

/* A Host header goes into the answer only when it is one. */
static bool is_host(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";

    return text && text[0] && strlen(text) < 256 && text[strspn(text, letters)] == '\0';
}

void call_base(const struct call *call, char *to, size_t room)
{
    const char *given = call->endpoint->config->http_page_url, *host = http_header(call->request, "Host");
    size_t size = strlen(given);

    while (size > 0 && given[size - 1] == '/')
        size--;
    if (size > 0)
        snprintf(to, room, "%.*s", (int)size, given);
    else
        snprintf(to, room, "http://%s", is_host(host) ? host : call->endpoint->config->http_listen);
}
