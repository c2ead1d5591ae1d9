/* What the page shows of the queue as a whole: the answers of the reading functions and of common/view, as they are. */
#include <string.h>

#include "common/reading/reading.h"
#include "common/view/view.h"
#include "coordinator/http/surface.h"

enum { RUNNING_IDS_MAX = 20 }; /* of each worker */

/* ---- who asks, and of what ---- */

static const char *role_of(const struct call *call)
{
    const char *given = token_of_header(http_header(call->request, "Authorization"));

    return token_fits(&call->endpoint->operator, given) ? "operator" : "reader";
}

/* The Types that the queue knows: the picklist of describe. */
static enum status read_types(struct call *call, json_t *types)
{
    json_t *answer = NULL, *field, *value;
    enum status st = ask_function(&call->ask, &answer, ASK_ALL_SHARDS, "bgop_describe", NULL, 0);
    size_t i, k;

    json_array_foreach(json_object_get(json_array_get(answer, 0), "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));

        if (!name || strcmp(name, "Type") != 0)
            continue;
        json_array_foreach(json_object_get(field, "picklistValues"), k, value)
        {
            if (json_is_true(json_object_get(value, "active")))
                json_array_append(types, json_object_get(value, "value"));
        }
    }
    json_decref(answer);
    return st;
}

void show_session(void *arg, const struct http_request *request, struct http_answer *answer)
{
    json_t *types = json_array(), *shards = NULL;
    int64_t now_ms = 0;
    struct call call;

    call_begin_own(&call, arg, request, answer);
    if (read_types(&call, types) == ST_OK && ask_now(&call.ask, &now_ms) == ST_OK &&
        view_shards(&call.ask, &shards) == ST_OK) {
        call_answer(&call, 200,
                    json_pack("{s:s, s:s, s:s, s:I, s:O, s:O}", "role", role_of(&call), "version", BGOP_VERSION,
                              "prefix", call.endpoint->config->prefix, "nowMs", (json_int_t)now_ms, "types", types,
                              "shards", shards));
    } else {
        call_failed(&call);
    }
    json_decref(types);
    json_decref(shards);
}

/* ---- reading functions ---- */

static void answer_function(void *arg, const struct http_request *request, struct http_answer *answer,
                            const char *function)
{
    json_t *value = NULL;
    struct call call;

    call_begin_own(&call, arg, request, answer);
    if (ask_function(&call.ask, &value, ASK_ALL_SHARDS, function, NULL, 0) == ST_OK)
        call_answer(&call, 200, value);
    else
        call_failed(&call);
}

void show_stats(void *arg, const struct http_request *request, struct http_answer *answer)
{
    answer_function(arg, request, answer, "bgop_stats");
}

void show_blocked(void *arg, const struct http_request *request, struct http_answer *answer)
{
    answer_function(arg, request, answer, "bgop_blocked");
}

/* Shard by shard: no call of Redis takes long, however many there are. */
void show_history(void *arg, const struct http_request *request, struct http_answer *answer)
{
    json_t *history = NULL;
    struct call call;

    call_begin_own(&call, arg, request, answer);
    if (reading_merged(call.ask.redis, &history, "bgop_history", NULL, 0, call.ask.err) == ST_OK)
        call_answer(&call, 200, history);
    else
        call_failed(&call);
}

/* ---- common/view ---- */

void show_workers(void *arg, const struct http_request *request, struct http_answer *answer)
{
    json_t *workers = NULL;
    struct call call;
    int64_t now_ms;

    call_begin_own(&call, arg, request, answer);
    if (ask_now(&call.ask, &now_ms) == ST_OK && view_workers(&call.ask, RUNNING_IDS_MAX, &workers) == ST_OK)
        call_answer(&call, 200, json_pack("{s:I, s:o}", "nowMs", (json_int_t)now_ms, "workers", workers));
    else
        call_failed(&call);
}

void show_paused(void *arg, const struct http_request *request, struct http_answer *answer)
{
    json_t *pauses = NULL;
    struct call call;

    call_begin_own(&call, arg, request, answer);
    if (view_pauses(&call.ask, &pauses) == ST_OK)
        call_answer(&call, 200, json_pack("{s:o}", "paused", pauses));
    else
        call_failed(&call);
}
