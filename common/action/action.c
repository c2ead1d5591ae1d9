#include "common/action/action.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/functions/wire_tables.h"
#include "common/record/keys.h"

/* ---- kinds ---- */

static const struct {
    const char *name, *done;
    bool operations;
} kinds[ACTION_KIND_COUNT] = {
#define XX(id, name, done, operations) { #name, done, operations },
    ACTION_KINDS(XX)
#undef XX
};

int action_kind_find(const char *name)
{
    for (int i = 0; i < ACTION_KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    }
    return -1;
}

const char *action_kind_name(enum action_kind kind)
{
    return kinds[kind].name;
}

const char *action_done_word(enum action_kind kind)
{
    return kinds[kind].done;
}

bool action_is_of_operations(enum action_kind kind)
{
    return kinds[kind].operations;
}

/* ---- what is asked for ---- */

static bool given(const char *text)
{
    return text && text[0];
}

static enum status check_text(const char *name, const char *text, struct err *err)
{
    int64_t length = text ? text_utf8_length(text, strlen(text)) : 0;

    if (length < 0 || length > RECORD_STRING_MAX_CHARACTERS) {
        return err_set(err, ST_INVALID, "%s: at most %d characters of UTF-8 are expected", name,
                       RECORD_STRING_MAX_CHARACTERS);
    }
    return ST_OK;
}

static enum status check_target(const struct action_request *request, struct err *err)
{
    int targets = given(request->where) + (request->id_count > 0) + given(request->type) + given(request->parent_key);
    bool selects = given(request->where) || request->id_count > 0;

    if (targets == 1 && selects == kinds[request->kind].operations)
        return ST_OK;
    return err_set(err, ST_INVALID,
                   kinds[request->kind].operations
                       ? "%s: either ids or where (a condition) is expected, and no type or "
                         "parentKey"
                       : "%s: either type or parentKey is expected, and no ids or where",
                   kinds[request->kind].name);
}

enum status action_check(const struct action_request *request, struct err *err)
{
    if (check_target(request, err) != ST_OK || check_text("reason", request->reason, err) != ST_OK ||
        check_text("type", request->type, err) != ST_OK || check_text("parentKey", request->parent_key, err) != ST_OK)
        return err->status;
    if (request->id_count > ACTION_BOUND_IDS) {
        return err_set(err, ST_INVALID, "ids: %zu are too many, %d may be named; where takes any number",
                       request->id_count, ACTION_BOUND_IDS);
    }
    if (request->rate < 0 || request->rate > ACTION_BOUND_RATE)
        return err_set(err, ST_INVALID, "rate: a number from 1 to %d a second is expected", ACTION_BOUND_RATE);
    return ST_OK;
}

void action_name_make(char name[ACTION_ID_SIZE])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv"; /* 32: every byte gives five bits */
    unsigned char bytes[16];

    BGOP_ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes); /* so few are never cut short */
    memcpy(name, "act", 3);
    for (size_t i = 0; i < sizeof bytes; i++)
        name[3 + i] = letters[bytes[i] & 31];
    name[3 + sizeof bytes] = '\0';
}

/* ---- calls ---- */

struct call {
    struct redis_command command;
    char key[KEY_SIZE];
    size_t head; /* its first field */
};

static void call_begin(struct call *call, const char *function, size_t head_size)
{
    redis_command_init(&call->command);
    redis_command_add_text(&call->command, "FCALL");
    redis_command_add_text(&call->command, function);
    redis_command_add_text(&call->command, "1");
    redis_command_add_text(&call->command, key_format(call->key, sizeof call->key, KEY_SHARD, 0, NULL));
    call->head = redis_command_add_fields(&call->command, head_size);
}

static void set_text(struct call *call, size_t field, const char *text)
{
    if (given(text))
        redis_command_set_text(&call->command, call->head + field, text);
}

static void set_int(struct call *call, size_t field, int64_t number)
{
    redis_command_set_int(&call->command, call->head + field, number);
}

/* Sends what was begun and releases it. Only of ST_OK is *reply to be freed. */
static enum status call_end(struct call *call, struct redis *redis, struct redis_reply **reply, struct err *err)
{
    enum status st = redis_send(redis, &call->command, err);
    const char *says;

    *reply = NULL;
    if (st == ST_OK)
        st = redis_receive(redis, reply, err);
    redis_command_release(&call->command);
    if (st != ST_OK)
        return st;
    says = redis_reply_text(redis_reply_at(*reply, WIRE_ANSWER_SAYS), NULL);
    if (strcmp(says, "WAIT") == 0)
        st = err_set(err, ST_RECOVERING, "RECOVERING no coordinator has set up a queue on this Redis yet");
    else if (strcmp(says, "MISSING") == 0)
        st = err_set(err, ST_MISSING, "there is no such action (those that ended long ago are gone)");
    else if (strcmp(says, "OK") != 0)
        st = err_set(err, ST_AGAIN, "is another version of our function library loaded? It answered \"%.40s\"", says);
    if (st != ST_OK) {
        redis_reply_free(*reply);
        *reply = NULL;
    }
    return st;
}

static enum status call_end_state(struct call *call, struct redis *redis, bool *runs, struct err *err)
{
    struct redis_reply *reply;
    enum status st = call_end(call, redis, &reply, err);

    if (st != ST_OK)
        return st;
    *runs = strcmp(redis_reply_text(redis_reply_at(reply, WIRE_ACTION_ANSWER_STATE), NULL), "Running") == 0;
    redis_reply_free(reply);
    return ST_OK;
}

/* ---- asking for one ---- */

/* The Ids of a chunk, joined by blanks; owned by the caller. */
static char *ids_join(const char (*ids)[ID_SIZE], size_t count)
{
    char *text = xcalloc(count, ID_SIZE);

    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * ID_SIZE, ids[i], ID_LENGTH);
        text[i * ID_SIZE + ID_LENGTH] = i + 1 < count ? ' ' : '\0';
    }
    return text;
}

enum status action_create(struct redis *redis, const char *name, const struct action_request *request, struct err *err)
{
    char *chunks[ACTION_BOUND_IDS / ACTION_BOUND_CHUNK] = { NULL };
    struct call call;
    bool runs;
    enum status st;

    BGOP_ASSERT(request->id_count <= ACTION_BOUND_IDS);
    call_begin(&call, "bgop_action_create", WIRE_ACTION_CREATE_SIZE);
    set_text(&call, WIRE_ACTION_CREATE_ACTION, name);
    set_text(&call, WIRE_ACTION_CREATE_KIND, kinds[request->kind].name);
    set_text(&call, WIRE_ACTION_CREATE_WHERE, request->where);
    set_text(&call, WIRE_ACTION_CREATE_TYPE, request->type);
    set_text(&call, WIRE_ACTION_CREATE_PARENT_KEY, request->parent_key);
    set_text(&call, WIRE_ACTION_CREATE_REASON, request->reason);
    set_text(&call, WIRE_ACTION_CREATE_WHO, request->who);
    if (request->rate)
        set_int(&call, WIRE_ACTION_CREATE_RATE, request->rate);
    for (size_t i = 0; i * ACTION_BOUND_CHUNK < request->id_count; i++) {
        size_t from = i * ACTION_BOUND_CHUNK, left = request->id_count - from;

        chunks[i] = ids_join(request->ids + from, left < ACTION_BOUND_CHUNK ? left : ACTION_BOUND_CHUNK);
        redis_command_add_text(&call.command, chunks[i]);
    }
    st = call_end_state(&call, redis, &runs, err);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        free(chunks[i]);
    return st;
}

enum status action_abort(struct redis *redis, const char *name, const char *who, const char *reason, struct err *err)
{
    struct call call;
    bool runs;

    call_begin(&call, "bgop_action_abort", WIRE_ACTION_ABORT_SIZE);
    set_text(&call, WIRE_ACTION_ABORT_ACTION, name);
    set_text(&call, WIRE_ACTION_ABORT_WHO, who);
    set_text(&call, WIRE_ACTION_ABORT_REASON, reason);
    return call_end_state(&call, redis, &runs, err);
}

enum status action_show(struct ask *ask, const char *which, json_t **actions)
{
    json_t *answer = NULL;
    enum status st = ask_function(ask, &answer, ASK_ALL_SHARDS, "bgop_actions", &which, 1);

    *actions = json_incref(json_object_get(answer, "actions"));
    json_decref(answer);
    if (st == ST_OK && !json_is_array(*actions))
        return err_set(ask->err, ST_FAILED, "bgop_actions answered without actions");
    return st;
}

/* ---- running one ---- */

enum status action_take(struct redis *redis, const char *instance, bool left, struct action_owner *owners,
                        size_t *count, struct err *err)
{
    struct redis_reply *reply;
    struct call call;
    enum status st;

    *count = 0;
    call_begin(&call, "bgop_action_take", WIRE_ACTION_TAKE_SIZE);
    set_text(&call, WIRE_ACTION_TAKE_INSTANCE, instance);
    set_text(&call, WIRE_ACTION_TAKE_STATE, left ? "left" : "runs");
    st = call_end(&call, redis, &reply, err);
    if (st != ST_OK)
        return st;
    for (size_t i = WIRE_ANSWER_SIZE; i < redis_reply_count(reply) && *count < ACTION_BOUND_RUNNING;
         i += WIRE_ACTION_TAKEN_SIZE) {
        struct action_owner *owner = &owners[(*count)++];
        size_t size;
        const char *name = redis_reply_text(redis_reply_at(reply, i + WIRE_ACTION_TAKEN_ACTION), &size);

        *owner = (struct action_owner){
            .instance = instance,
            .fence = redis_reply_int(redis_reply_at(reply, i + WIRE_ACTION_TAKEN_FENCE), 0),
        };
        if (!text_copy(owner->name, sizeof owner->name, name, size))
            --*count; /* made by hand: not one of ours */
    }
    redis_reply_free(reply);
    return ST_OK;
}

static char *job_text(const struct redis_reply *reply, size_t index)
{
    return xstrdup(redis_reply_text(redis_reply_at(reply, index), NULL));
}

enum status action_load(struct redis *redis, const char *name, struct action_job *job, struct err *err)
{
#define FIELD(layout, field, text) text,
    static const char *const names[] = { WIRE_ACTION_JOB(FIELD, ACTION_JOB) };
#undef FIELD
    struct redis_command command;
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE];
    enum status st;
    int kind;

    *job = (struct action_job){ .where = NULL };
    redis_command_init(&command);
    redis_command_add_text(&command, "HMGET");
    redis_command_add_text(&command, key_format(key, sizeof key, KEY_ACTION, 0, name));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        redis_command_add_text(&command, names[i]);
    st = redis_send(redis, &command, err);
    redis_command_release(&command);
    if (st == ST_OK)
        st = redis_receive(redis, &reply, err);
    if (st != ST_OK)
        return st;
    kind = action_kind_find(redis_reply_text(redis_reply_at(reply, WIRE_ACTION_JOB_KIND), NULL));
    *job = (struct action_job){
        .kind = (enum action_kind)(kind < 0 ? 0 : kind),
        .where = job_text(reply, WIRE_ACTION_JOB_WHERE),
        .type = job_text(reply, WIRE_ACTION_JOB_TYPE),
        .parent_key = job_text(reply, WIRE_ACTION_JOB_PARENT_KEY),
        .reason = job_text(reply, WIRE_ACTION_JOB_REASON),
        .rate = redis_reply_int(redis_reply_at(reply, WIRE_ACTION_JOB_RATE), 0),
        .started_ms = redis_reply_int(redis_reply_at(reply, WIRE_ACTION_JOB_STARTED), 0),
        .matching = redis_reply_int(redis_reply_at(reply, WIRE_ACTION_JOB_MATCHING), -1),
        .cursor = redis_reply_int(redis_reply_at(reply, WIRE_ACTION_JOB_CURSOR), 0),
    };
    redis_reply_free(reply);
    if (kind < 0) {
        action_job_release(job);
        return err_set(err, ST_MISSING, "%s is no action that this program knows", name);
    }
    return ST_OK;
}

void action_job_release(struct action_job *job)
{
    free(job->where);
    free(job->type);
    free(job->parent_key);
    free(job->reason);
    *job = (struct action_job){ .where = NULL };
}

static void call_begin_owned(struct call *call, const char *function, size_t head_size,
                             const struct action_owner *owner)
{
    call_begin(call, function, head_size);
    set_text(call, WIRE_ACTION_OWNED_ACTION, owner->name);
    set_text(call, WIRE_ACTION_OWNED_INSTANCE, owner->instance);
    set_int(call, WIRE_ACTION_OWNED_FENCE, owner->fence);
}

enum status action_found(struct redis *redis, const struct action_owner *owner, int64_t from, bool last,
                         const char *ids, size_t size, bool *runs, struct err *err)
{
    struct call call;

    call_begin_owned(&call, "bgop_action_found", WIRE_ACTION_FOUND_SIZE, owner);
    set_int(&call, WIRE_ACTION_FOUND_FROM, from);
    set_int(&call, WIRE_ACTION_FOUND_LAST, last);
    redis_command_set(&call.command, call.head + WIRE_ACTION_FOUND_IDS, size ? ids : "", size);
    return call_end_state(&call, redis, runs, err);
}

enum status action_ids(struct redis *redis, const char *name, int64_t cursor, char (*ids)[ID_SIZE], size_t *count,
                       struct err *err)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE], field[32];
    size_t size, skip = (size_t)(cursor % ACTION_BOUND_CHUNK);
    const char *text;
    enum status st;

    *count = 0;
    key_format(key, sizeof key, KEY_ACTION_IDS, 0, name);
    snprintf(field, sizeof field, "%" PRId64, cursor - (int64_t)skip);
    st = redis_call(redis, &reply, err, "HGET", key, field, NULL);
    if (st != ST_OK)
        return st;
    text = redis_reply_text(reply, &size);
    for (size_t at = skip * ID_SIZE; at + ID_LENGTH <= size && *count < ACTION_BOUND_CHUNK; at += ID_SIZE)
        (void)text_copy(ids[(*count)++], ID_SIZE, text + at, ID_LENGTH);
    redis_reply_free(reply);
    return *count > 0 ? ST_OK : err_set(err, ST_STALE, "the Ids from %" PRId64 " on are not there", cursor);
}

enum status action_step(struct redis *redis, const struct action_owner *owner, const struct action_step *step,
                        bool *runs, struct err *err)
{
    struct call call;

    call_begin_owned(&call, "bgop_action_step", WIRE_ACTION_STEP_SIZE, owner);
    set_int(&call, WIRE_ACTION_STEP_FROM, step->from);
    set_int(&call, WIRE_ACTION_STEP_DONE, (int64_t)step->done);
    set_int(&call, WIRE_ACTION_STEP_SKIPPED, (int64_t)step->skipped);
    set_int(&call, WIRE_ACTION_STEP_FAILED, (int64_t)step->failed);
    for (size_t i = 0; i < step->failure_count; i++) {
        size_t at = redis_command_add_fields(&call.command, WIRE_ACTION_FAILURE_SIZE);

        redis_command_set_text(&call.command, at + WIRE_ACTION_FAILURE_ID, step->failures[i].id);
        redis_command_set_text(&call.command, at + WIRE_ACTION_FAILURE_TEXT, step->failures[i].text);
    }
    return call_end_state(&call, redis, runs, err);
}

enum status action_fail(struct redis *redis, const struct action_owner *owner, const char *text, struct err *err)
{
    struct call call;
    bool runs;

    call_begin_owned(&call, "bgop_action_fail", WIRE_ACTION_FAIL_SIZE, owner);
    set_text(&call, WIRE_ACTION_FAIL_TEXT, text);
    return call_end_state(&call, redis, &runs, err);
}
