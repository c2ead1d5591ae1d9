/* What a BackgroundOperation is: bgop_describe answers it, made from the record's one table; the URLs are added here. */
#include "coordinator/http/surface.h"

static json_t *urls(const struct call *call)
{
    return json_pack("{s:o, s:o, s:o}", "rowTemplate", call_url(call, "{ID}"), "describe", call_url(call, "describe"),
                     "sobject", call_url(call, NULL));
}

/* The whole describe; NULL: answered why not. */
static json_t *describe(struct call *call)
{
    json_t *answer = NULL, *object;

    if (ask_function(&call->ask, &answer, ASK_ALL_SHARDS, "bgop_describe", (const char *[]){ OBJECT_NAME }, 1) !=
        ST_OK) {
        call_failed(call);
        return NULL;
    }
    object = json_incref(json_array_get(answer, 0));
    json_decref(answer);
    json_object_set_new(object, "urls", urls(call));
    return object;
}

/* What is said of an object in a list of objects. */
static json_t *global_entry(struct call *call)
{
    static const char *const names[] = {
        "activateable",
        "associateEntityType",
        "associateParentEntity",
        "createable",
        "custom",
        "customSetting",
        "deepCloneable",
        "deletable",
        "deprecatedAndHidden",
        "feedEnabled",
        "hasSubtypes",
        "isInterface",
        "isSubtype",
        "keyPrefix",
        "label",
        "labelPlural",
        "layoutable",
        "mergeable",
        "mruEnabled",
        "name",
        "queryable",
        "replicateable",
        "retrieveable",
        "searchable",
        "triggerable",
        "undeletable",
        "updateable",
        "urls",
    };
    json_t *whole = describe(call), *entry = whole ? json_object() : NULL;

    for (size_t i = 0; entry && i < sizeof names / sizeof *names; i++)
        json_object_set(entry, names[i], json_object_get(whole, names[i]));
    json_decref(whole);
    return entry;
}

void show_sobjects(void *arg, const struct http_request *request, struct http_answer *answer)
{
    enum { BATCH = 200 };
    struct call call;
    json_t *entry = call_begin(&call, arg, request, answer) ? global_entry(&call) : NULL;

    if (entry) {
        call_answer(&call, 200,
                    json_pack("{s:s, s:i, s:[o]}", "encoding", "UTF-8", "maxBatchSize", BATCH, "sobjects", entry));
    }
}

void show_object(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;
    json_t *entry = call_begin_object(&call, arg, request, answer) ? global_entry(&call) : NULL;

    if (entry)
        call_answer(&call, 200, json_pack("{s:o, s:[]}", "objectDescribe", entry, "recentItems"));
}

void show_describe(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;
    json_t *object = call_begin_object(&call, arg, request, answer) ? describe(&call) : NULL;

    if (object)
        call_answer(&call, 200, object);
}
