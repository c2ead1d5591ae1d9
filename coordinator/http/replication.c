/* getUpdated and getDeleted: pages of the functions, joined into one answer as they come. */
#include <string.h>

#include "coordinator/http/surface.h"

enum { REPLICATED_MAX = 600000 };

struct replication {
    const char *function;
    const char *list;  /* the member that has the page */
    const char *dates; /* the members that are the same on every page, NUL-separated, closed by an empty one */
};
static const struct replication updated = { "bgop_get_updated", "ids", "latestDateCovered\0" };
static const struct replication deleted = { "bgop_get_deleted", "deletedRecords",
                                            "earliestDateAvailable\0latestDateCovered\0" };

/* ,"latestDateCovered":"..." */
static void append_dates(struct buf *to, const char *names, const json_t *page)
{
    for (const char *name = names; *name; name += strlen(name) + 1) {
        buf_printf(to, ",\"%s\":", name);
        http_append_json(to, json_object_get(page, name));
    }
}

/* How many there were on it. */
static size_t append_page(struct buf *to, const json_t *list, bool first)
{
    const json_t *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        if (i > 0 || !first)
            buf_append_char(to, ',');
        http_append_json(to, each);
    }
    return json_array_size(list);
}

static enum status append_all(struct call *call, const struct replication *what, const char *args[3])
{
    struct buf *body = &call->answer->body;
    json_t *page = NULL, *dates = NULL;
    size_t count = 0;
    enum status st;

    buf_printf(body, "{\"%s\":[", what->list);
    do {
        json_t *next = NULL; /* args have the cursor of the page before, which lives until then */

        st = ask_function(&call->ask, &next, ASK_ALL_SHARDS, what->function, args, args[2] ? 3 : 2);
        json_decref(page);
        page = next;
        if (st != ST_OK)
            break;
        count += append_page(body, json_object_get(page, what->list), count == 0);
        if (count > REPLICATED_MAX) {
            st = err_set(&call->err, ST_INVALID, "EXCEEDED_ID_LIMIT more than %d Ids: ask for a shorter time",
                         REPLICATED_MAX);
        }
        dates = dates ? dates : json_incref(page);
        args[2] = json_string_value(json_object_get(page, "cursor"));
    } while (st == ST_OK && args[2] && !atomic_load(&call->endpoint->stopping));
    buf_append_char(body, ']');
    append_dates(body, what->dates, dates);
    buf_append_char(body, '}');
    json_decref(dates);
    json_decref(page);
    return st == ST_OK && args[2] ? err_set(&call->err, ST_AGAIN, "the coordinator ends") : st;
}

static void show(const struct replication *what, void *arg, const struct http_request *request,
                 struct http_answer *answer)
{
    const char *args[3] = { http_query(request, "start"), http_query(request, "end"), NULL };
    struct call call;

    if (!call_begin_object(&call, arg, request, answer))
        return;
    if (!args[0] || !args[0][0] || !args[1] || !args[1][0]) {
        answer_error(answer, 400, "MISSING_ARGUMENT", "start and end are required");
        return;
    }
    if (append_all(&call, what, args) != ST_OK)
        call_failed(&call);
    else
        answer->content_type = "application/json;charset=UTF-8";
}

void show_updated(void *arg, const struct http_request *request, struct http_answer *answer)
{
    show(&updated, arg, request, answer);
}

void show_deleted(void *arg, const struct http_request *request, struct http_answer *answer)
{
    show(&deleted, arg, request, answer);
}
