/* Actions: asked for, looked at, aborted. What is done for them is done by coordinators (coordinator/actions/README.md), not
 * here: an answer never waits for operations. */
#include <string.h>

#include "common/action/action.h"
#include "common/action/match.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/keys.h"
#include "coordinator/http/surface.h"

enum { EXAMPLES_MAX = 10 };

/* ---- what was sent ---- */

struct asked {
    struct call call;
    json_t *body;
    struct action_request request;
    char (*ids)[ID_SIZE];
    char who[ACTION_BOUND_WHO + 1];
    bool dry_run;
};

static void asked_release(struct asked *asked)
{
    json_decref(asked->body);
    free(asked->ids);
}

static bool wrong(struct asked *asked, const char *code, const char *text)
{
    answer_error(asked->call.answer, 400, code, "%s", text);
    return false;
}

/* "http:anna": whom the client names, in characters that any screen shows. */
static void read_who(struct asked *asked)
{
    const char *user = http_header(asked->call.request, "X-Bgop-User");

    snprintf(asked->who, sizeof asked->who, "http:%s", user && user[0] ? user : "operator");
    for (char *c = asked->who; *c; c++)
        *c = *c < ' ' || *c > '~' ? '?' : *c;
}

static bool read_body(struct asked *asked, bool needed)
{
    const struct http_request *request = asked->call.request;
    json_error_t error;

    if (!needed && request->body_size == 0) {
        asked->body = json_object();
        return true;
    }
    asked->body = request->body ? json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error) : NULL;
    return json_is_object(asked->body) ||
           wrong(asked, "JSON_PARSER_ERROR",
                 "a JSON object is expected; the README of coordinator/http has its members");
}

/* A member that may be left out; *text NULL then. */
static bool read_text(struct asked *asked, const char *name, const char **text)
{
    const json_t *value = json_object_get(asked->body, name);

    *text = json_string_value(value);
    if (!value || json_is_null(value) || (*text && strlen(*text) == json_string_length(value)))
        return true;
    answer_error(asked->call.answer, 400, "JSON_PARSER_ERROR", "%s: a string is expected", name);
    return false;
}

static bool read_kind(struct asked *asked)
{
    const char *name;
    int kind;

    if (!read_text(asked, "action", &name))
        return false;
    kind = name ? action_kind_find(name) : -1;
    asked->request.kind = (enum action_kind)(kind < 0 ? 0 : kind);
    return kind >= 0 || wrong(asked, "MALFORMED_QUERY", "action: cancel, redrive, pause or resume is expected");
}

static bool read_ids(struct asked *asked, int shards)
{
    const json_t *ids = json_object_get(asked->body, "ids"), *each;
    size_t i;

    if (!ids || json_is_null(ids))
        return true;
    if (!json_is_array(ids) || json_array_size(ids) == 0)
        return wrong(asked, "JSON_PARSER_ERROR", "ids: an array of Ids is expected");
    asked->request.id_count = json_array_size(ids);
    asked->ids = xcalloc(asked->request.id_count, sizeof *asked->ids);
    asked->request.ids = (const char(*)[ID_SIZE])asked->ids;
    json_array_foreach(ids, i, each)
    {
        const char *text = json_string_value(each);
        struct id_parts parts;

        if (!text || !id_parse(text, json_string_length(each), &parts) || parts.shard >= shards) {
            answer_error(asked->call.answer, 400, "MALFORMED_ID", "ids[%zu]: an Id of this queue is expected", i);
            return false;
        }
        id_make(asked->ids[i], &parts);
    }
    return true;
}

static bool read_number(struct asked *asked)
{
    const json_t *rate = json_object_get(asked->body, "rate"), *dry = json_object_get(asked->body, "dryRun");

    if (rate && !json_is_null(rate) && (!json_is_integer(rate) || json_integer_value(rate) < 1))
        return wrong(asked, "JSON_PARSER_ERROR", "rate: a whole number of operations a second is expected");
    if (dry && !json_is_boolean(dry))
        return wrong(asked, "JSON_PARSER_ERROR", "dryRun: true or false is expected");
    asked->request.rate = json_integer_value(rate);
    asked->dry_run = json_is_true(dry);
    return true;
}

static bool read_members(struct asked *asked)
{
    static const char *const known[] = { "action", "ids", "where", "type", "parentKey", "reason", "rate", "dryRun" };
    const char *name;
    json_t *value;

    json_object_foreach(asked->body, name, value)
    {
        bool found = false;

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found) {
            answer_error(asked->call.answer, 400, "JSON_PARSER_ERROR", "no such member: %.80s", name);
            return false;
        }
    }
    return read_kind(asked) && read_text(asked, "where", &asked->request.where) &&
           read_text(asked, "type", &asked->request.type) &&
           read_text(asked, "parentKey", &asked->request.parent_key) &&
           read_text(asked, "reason", &asked->request.reason) && read_number(asked);
}

/* A Type that the queue does not have is a slip of the pen: nothing would ever stop by it. One that is configured no more may
 * still be paused, so it may be resumed. */
static bool check_type(struct asked *asked)
{
    struct redis_reply *reply = NULL;
    const char *type = asked->request.type;
    char key[KEY_SIZE];
    bool there;

    if (!type || !type[0] || asked->request.kind == ACTION_RESUME)
        return true;
    key_format(key, sizeof key, KEY_TYPES, 0, NULL);
    if (redis_call(asked->call.ask.redis, &reply, &asked->call.err, "HEXISTS", key, type, NULL) != ST_OK) {
        call_failed(&asked->call);
        return false;
    }
    there = redis_reply_int(reply, 0) == 1;
    redis_reply_free(reply);
    return there || wrong(asked, "MALFORMED_QUERY", "type: the queue has no such Type");
}

/* *query: of where, NULL without one. */
static bool check(struct asked *asked, struct query **query)
{
    struct call *call = &asked->call;
    int shards = 0;

    if (ask_shards(&call->ask, &shards) != ST_OK) {
        call_failed(call);
        return false;
    }
    if (shards == 0) {
        err_set(&call->err, ST_RECOVERING, "no queue");
        call_failed(call);
        return false;
    }
    if (!read_ids(asked, shards))
        return false;
    if (action_check(&asked->request, &call->err) != ST_OK)
        return wrong(asked, "MALFORMED_QUERY", call->err.text);
    if (asked->request.where && asked->request.where[0]) {
        *query = match_parse(asked->request.kind, asked->request.where, NULL, &call->err);
        if (!*query) {
            call_failed(call);
            return false;
        }
    }
    return check_type(asked);
}

/* ---- a dry run ---- */

struct dry {
    struct endpoint *endpoint;
    size_t matching, skipped, refused;
    json_t *examples;
};

static void count_target(struct dry *dry, const struct target *target)
{
    dry->matching += target->progress == TARGET_OPEN;
    dry->skipped += target->progress == TARGET_PASSED || target->progress == TARGET_DONE;
    dry->refused += target->progress == TARGET_FAILED;
    if (target->progress == TARGET_OPEN && json_array_size(dry->examples) < EXAMPLES_MAX)
        json_array_append_new(dry->examples, json_string(target->id));
}

static bool on_target(void *arg, const struct target *target, const json_t *row)
{
    struct dry *dry = arg;

    (void)row;
    count_target(dry, target);
    return !atomic_load(&dry->endpoint->stopping);
}

static enum status dry_named(struct asked *asked, struct targets *targets, struct dry *dry)
{
    const struct action_request *request = &asked->request;
    enum status st = ST_OK;

    for (size_t from = 0; from < request->id_count && st == ST_OK; from += ACTION_BOUND_CHUNK) {
        for (size_t i = from; i < request->id_count && i < from + ACTION_BOUND_CHUNK; i++)
            targets_add(targets, request->ids[i]);
        st = targets_judge(targets, 0, targets->count, &asked->call.err);
        for (size_t i = 0; i < targets->count && st == ST_OK; i++) {
            if (!targets->list[i].status[0])
                target_settle(&targets->list[i], TARGET_FAILED, "has no record");
            count_target(dry, &targets->list[i]);
        }
        targets_clear(targets);
    }
    return st;
}

static void answer_dry(struct asked *asked, const struct query *query)
{
    struct call *call = &asked->call;
    struct dry dry = { .endpoint = call->endpoint, .examples = json_array() };
    struct targets targets;
    enum status st;

    targets_init(&targets, call->ask.redis, asked->request.kind);
    targets.found = query != NULL;
    st = ask_now(&call->ask, &targets.begun_ms);
    if (st == ST_OK && query)
        st = match_judge(&targets, query, NULL, on_target, &dry, &call->err);
    else if (st == ST_OK && asked->request.id_count > 0)
        st = dry_named(asked, &targets, &dry);
    else if (st == ST_OK)
        dry.matching = 1;
    targets_release(&targets);
    if (st == ST_OK) {
        call_answer(call, 200,
                    json_pack("{s:b, s:I, s:I, s:I, s:o}", "dryRun", 1, "matching", (json_int_t)dry.matching, "skipped",
                              (json_int_t)dry.skipped, "refused", (json_int_t)dry.refused, "examples", dry.examples));
    } else {
        json_decref(dry.examples);
        call_failed(call);
    }
}

/* ---- one, many ---- */

/* The action of this name, with what its state is now. */
static void answer_one(struct call *call, int status, const char *name)
{
    json_t *actions = NULL, *one;

    if (action_show(&call->ask, name, &actions) != ST_OK) {
        json_decref(actions);
        call_failed(call);
        return;
    }
    one = json_incref(json_array_get(actions, 0));
    json_decref(actions);
    if (one)
        call_answer(call, status, one);
    else
        answer_not_found(call->answer);
}

static void answer_created(struct asked *asked)
{
    struct call *call = &asked->call;
    char name[ACTION_ID_SIZE];

    action_name_make(name);
    switch (action_create(call->ask.redis, name, &asked->request, &call->err)) {
    case ST_OK: answer_one(call, 202, name); break;
    case ST_INVALID: /* what it is was checked here: there are too many */
        answer_error(call->answer, 400, "REQUEST_LIMIT_EXCEEDED", "%s", call->err.text);
        break;
    default: call_failed(call);
    }
}

void take_action(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct asked asked = { .body = NULL };
    struct query *query = NULL;

    call_begin_own(&asked.call, arg, request, answer);
    read_who(&asked);
    asked.request.who = asked.who;
    if (read_body(&asked, true) && read_members(&asked) && check(&asked, &query)) {
        if (asked.dry_run)
            answer_dry(&asked, query);
        else
            answer_created(&asked);
    }
    query_free(query);
    asked_release(&asked);
}

/* A name that comes from a path goes no further unless it can be one. */
static bool is_name(const char *name)
{
    return strncmp(name, "act", 3) == 0 && strlen(name) < ACTION_ID_SIZE &&
           strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz") == strlen(name);
}

void show_action(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;
    const char *name = http_param(request, "id");

    call_begin_own(&call, arg, request, answer);
    if (is_name(name))
        answer_one(&call, 200, name);
    else
        answer_not_found(answer);
}

void show_actions(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *limit = http_query(request, "limit");
    json_t *actions = NULL;
    struct call call;
    int64_t number;

    call_begin_own(&call, arg, request, answer);
    if (limit && !text_parse_int64(limit, 1, 500, &number)) {
        answer_error(answer, 400, "MALFORMED_QUERY", "limit: a number from 1 to 500 is expected");
        return;
    }
    if (action_show(&call.ask, limit ? limit : "50", &actions) == ST_OK) {
        call_answer(&call, 200, json_pack("{s:o}", "actions", actions));
    } else {
        json_decref(actions);
        call_failed(&call);
    }
}

void take_abort(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct asked asked = { .body = NULL };
    struct call *call = &asked.call;
    const char *name = http_param(request, "id");
    enum status st;

    call_begin_own(call, arg, request, answer);
    read_who(&asked);
    if (!is_name(name)) {
        answer_not_found(answer);
    } else if (read_body(&asked, false) && read_text(&asked, "reason", &asked.request.reason)) {
        st = action_abort(call->ask.redis, name, asked.who, asked.request.reason, &call->err);
        if (st == ST_OK)
            answer_one(call, 200, name);
        else if (st == ST_MISSING)
            answer_not_found(answer);
        else
            call_failed(call);
    }
    asked_release(&asked);
}
