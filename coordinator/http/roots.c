/* Versions, and what stands directly below one: constants. */
#include "coordinator/http/surface.h"

/* 35 was Winter '16; three a year follow. */
static json_t *version_label(int version)
{
    static const char *const seasons[] = { "Winter", "Spring", "Summer" };
    int since = version - VERSION_FIRST;

    return json_sprintf("%s '%d", seasons[since % 3], 16 + since / 3);
}

void show_versions(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call = { .endpoint = arg, .request = request, .answer = answer };
    json_t *versions = json_array();

    for (int version = VERSION_FIRST; version <= VERSION_LAST; version++) {
        json_array_append_new(versions, json_pack("{s:o, s:o, s:o}", "label", version_label(version), "url",
                                                  json_sprintf("/services/data/v%d.0", version), "version",
                                                  json_sprintf("%d.0", version)));
    }
    call_answer(&call, 200, versions);
}

void show_resources(void *arg, const struct http_request *request, struct http_answer *answer)
{
    static const char *const names[] = { "sobjects", "query", "queryAll", "composite", "limits" };
    struct call call;
    json_t *resources;
    char base[512];

    if (!call_begin(&call, arg, request, answer))
        return;
    resources = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_object_set_new(resources, names[i], json_sprintf("/services/data/v%d.0/%s", call.version, names[i]));
    call_base(&call, base, sizeof base);
    json_object_set_new(resources, "identity", identity_url(base));
    call_answer(&call, 200, resources);
}

void show_composite(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;

    if (!call_begin(&call, arg, request, answer))
        return;
    if (call.version < VERSION_COLLECTIONS) {
        answer_not_found(answer);
        return;
    }
    call_answer(&call, 200,
                json_pack("{s:o}", "sobjects", json_sprintf("/services/data/v%d.0/composite/sobjects", call.version)));
}

/* Nobody is counted: clients that look before they ask shall see room. */
void show_limits(void *arg, const struct http_request *request, struct http_answer *answer)
{
    enum { DAILY = 1000000 };
    struct call call;

    if (call_begin(&call, arg, request, answer))
        call_answer(&call, 200, json_pack("{s:{s:i, s:i}}", "DailyApiRequests", "Max", DAILY, "Remaining", DAILY));
}

void show_search(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;

    if (call_begin(&call, arg, request, answer))
        answer_error(answer, 400, "INVALID_TYPE_FOR_OPERATION", "entity type " OBJECT_NAME " does not support search");
}
