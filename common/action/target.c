#include "common/action/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/keys.h"

enum { REDRIVE_LIMIT_DEFAULT = 10 };

void targets_init(struct targets *targets, struct redis *redis, enum action_kind kind)
{
    *targets = (struct targets){ .redis = redis, .kind = kind, .types = json_object() };
}

void targets_clear(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->list[i].text);
    targets->count = 0;
}

void targets_release(struct targets *targets)
{
    targets_clear(targets);
    free(targets->list);
    json_decref(targets->types);
    *targets = (struct targets){ .redis = NULL };
}

struct target *targets_add(struct targets *targets, const char *id)
{
    struct target *target;

    GROW(targets->list, targets->count, targets->capacity);
    target = &targets->list[targets->count++];
    *target = (struct target){ .type = "" };
    snprintf(target->id, sizeof target->id, "%s", id);
    return target;
}

void target_settle(struct target *target, enum target_progress progress, const char *format, ...)
{
    char text[512];
    va_list args;

    target->progress = progress;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    free(target->text);
    target->text = xstrdup(text);
}

/* ---- redrive limits ---- */

static int64_t limit_read(struct redis *redis, const char *type)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE], field[320];
    int64_t limit = REDRIVE_LIMIT_DEFAULT;
    size_t size;
    const char *text;
    json_t *settings;

    key_format(key, sizeof key, KEY_TYPES, 0, NULL);
    if (redis_call(redis, &reply, NULL, "HGET", key, type, NULL) != ST_OK)
        return limit;
    snprintf(field, sizeof field, "%s:%s", type, redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    reply = NULL;
    if (redis_call(redis, &reply, NULL, "HGET", key, field, NULL) != ST_OK)
        return limit;
    text = redis_reply_text(reply, &size);
    settings = json_loadb(text, size, 0, NULL);
    if (json_is_integer(json_object_get(settings, "redrive_limit")))
        limit = json_integer_value(json_object_get(settings, "redrive_limit"));
    json_decref(settings);
    redis_reply_free(reply);
    return limit;
}

/* Reads the limit of a Type that was not met before: not while answers are outstanding. */
static int64_t limit_of(struct targets *targets, const char *type)
{
    if (!json_is_integer(json_object_get(targets->types, type)))
        json_object_set_new(targets->types, type, json_integer(limit_read(targets->redis, type)));
    return json_integer_value(json_object_get(targets->types, type));
}

/* ---- what Redis is asked ---- */

static const char *const fields[] = { "Status", "SystemModstamp", "token", "redrives", "ExpiresAt",
                                      "ok",     "SequenceGroup",  "Type" };
enum { STATUS, MODSTAMP, TOKEN, REDRIVES, EXPIRES_AT, SUCCEEDED, SEQUENCE_GROUP, TYPE, FIELDS };

static enum status send_record(struct targets *targets, const struct target *target, struct redis_command *command,
                               int shard, struct err *err)
{
    char key[KEY_SIZE];

    redis_command_clear(command);
    redis_command_add_text(command, "HMGET");
    redis_command_add_text(command, key_format(key, sizeof key, KEY_OP, shard, target->id));
    for (size_t i = 0; i < FIELDS; i++)
        redis_command_add_text(command, fields[i]);
    return redis_send(targets->redis, command, err);
}

/* verb key Id, of a key of its shard. */
static enum status send_other(struct targets *targets, const struct target *target, struct redis_command *command,
                              const char *verb, enum redis_key of, int shard, struct err *err)
{
    char key[KEY_SIZE];

    redis_command_clear(command);
    redis_command_add_text(command, verb);
    redis_command_add_text(command, key_format(key, sizeof key, of, shard, NULL));
    redis_command_add_text(command, target->id);
    return redis_send(targets->redis, command, err);
}

static enum status send_history(struct targets *targets, const struct target *target, struct redis_command *command,
                                int shard, struct err *err)
{
    char key[KEY_SIZE];

    redis_command_clear(command);
    redis_command_add_text(command, "LRANGE");
    redis_command_add_text(command, key_format(key, sizeof key, KEY_COMMANDS, shard, target->id));
    redis_command_add_text(command, "0");
    redis_command_add_text(command, "-1");
    return redis_send(targets->redis, command, err);
}

/* A round of questions, two or three for each target: its record, one more key of its shard, its commands. */
struct round {
    struct targets *targets;
    const char *verb;
    enum redis_key key;
    bool (*is_about)(const struct target *target); /* the answer to one target changes it for no other */
    void (*on_answer)(struct targets *targets, struct target *target, const struct redis_reply *record,
                      const struct redis_reply *other);
};

static enum status round_send(const struct round *round, const struct target *target, struct redis_command *command,
                              struct err *err)
{
    struct targets *targets = round->targets;
    struct id_parts parts;
    enum status st;

    if (!id_parse(target->id, ID_LENGTH, &parts))
        return err_set(err, ST_FAILED, "%s is not an Id", target->id);
    st = send_record(targets, target, command, parts.shard, err);
    if (st == ST_OK)
        st = send_other(targets, target, command, round->verb, round->key, parts.shard, err);
    return st == ST_OK && targets->action ? send_history(targets, target, command, parts.shard, err) : st;
}

/* Is a command of our action among those that had an effect? */
static bool is_noted(const char *action, const struct redis_reply *history)
{
    char member[ACTION_ID_SIZE + 32];

    snprintf(member, sizeof member, "\"commandId\":\"%s\"", action);
    for (size_t i = 0; i < redis_reply_count(history); i++) {
        if (strstr(redis_reply_text(redis_reply_at(history, i), NULL), member))
            return true;
    }
    return false;
}

static enum status round_receive(const struct round *round, struct target *target, struct err *err)
{
    struct targets *targets = round->targets;
    struct redis_reply *record = NULL, *other = NULL, *history = NULL;
    enum status st = redis_receive(targets->redis, &record, err);

    if (st == ST_OK)
        st = redis_receive(targets->redis, &other, err);
    if (st == ST_OK && targets->action)
        st = redis_receive(targets->redis, &history, err);
    if (st == ST_OK && targets->action && is_noted(targets->action, history))
        target_settle(target, TARGET_DONE, "done");
    else if (st == ST_OK)
        round->on_answer(targets, target, record, other);
    redis_reply_free(record);
    redis_reply_free(other);
    redis_reply_free(history);
    return st;
}

static enum status round_go(const struct round *round, size_t from, size_t to, struct err *err)
{
    struct targets *targets = round->targets;
    struct redis_command command;
    enum status st = ST_OK;

    redis_command_init(&command);
    for (size_t i = from; i < to && st == ST_OK; i++) {
        if (round->is_about(&targets->list[i]))
            st = round_send(round, &targets->list[i], &command, err);
    }
    for (size_t i = from; i < to && st == ST_OK; i++) {
        if (round->is_about(&targets->list[i]))
            st = round_receive(round, &targets->list[i], err);
    }
    redis_command_release(&command);
    if (st != ST_OK)
        redis_disconnect(targets->redis);
    return st;
}

/* ---- what speaks against it ---- */

/* What of the record decides, in the order it is read. */
struct state {
    bool final, timed, grouped;
};

/* Nothing to do: fine for what a condition found, wrong for what was named. */
static void refuse(const struct targets *targets, struct target *target, const char *text)
{
    target_settle(target, targets->found ? TARGET_PASSED : TARGET_FAILED, "is %s: %s", target->status, text);
}

static void judge_cancel(const struct targets *targets, struct target *target, const struct state *state)
{
    if (strcmp(target->status, "Canceled") == 0)
        target_settle(target, targets->found ? TARGET_PASSED : TARGET_DONE, "was canceled already");
    else if (strcmp(target->status, "Complete") == 0 || (strcmp(target->status, "Merged") == 0 && state->final) ||
             (strcmp(target->status, "Error") == 0 && !state->timed && !state->grouped))
        refuse(targets, target, "nothing is left to cancel");
}

static void judge_redrive(const struct targets *targets, struct target *target, const struct state *state)
{
    if (strcmp(target->status, "Error") != 0 || state->timed) {
        refuse(targets, target,
               state->timed ? "it is tried again by itself; only what ended in Error for good can be "
                              "redriven"
                            : "only what ended in Error can be redriven");
    } else if (targets->found && target->stamp_ms >= targets->begun_ms) {
        target_settle(target, TARGET_PASSED, "changed after this run began");
    }
}

static void judge_limit(struct targets *targets, struct target *target)
{
    int64_t limit = limit_of(targets, target->type);

    if (target->redrives < limit)
        return;
    target_settle(target, TARGET_FAILED,
                  "refused: it was redriven %lld times, and redrive_limit of %s is %lld (see [type %s] of the "
                  "coordinator's configuration)",
                  (long long)target->redrives, target->type, (long long)limit, target->type);
}

static bool is_there(const struct redis_reply *reply, size_t index)
{
    const struct redis_reply *at = redis_reply_at(reply, index);

    return at && redis_reply_kind(at) != REDIS_NIL;
}

/* The Type's name, kept as long as the targets are; its limit is read later. */
static const char *keep_type(struct targets *targets, const char *type)
{
    if (!json_object_get(targets->types, type))
        json_object_set_new(targets->types, type, json_null());
    return json_object_iter_key(json_object_iter_at(targets->types, type));
}

static void judge(struct targets *targets, struct target *target, const struct redis_reply *record,
                  const struct redis_reply *due)
{
    struct state state = {
        .final = is_there(record, EXPIRES_AT) || is_there(record, SUCCEEDED),
        .timed = redis_reply_kind(due) != REDIS_NIL,
        .grouped = is_there(record, SEQUENCE_GROUP),
    };

    snprintf(target->status, sizeof target->status, "%s", redis_reply_text(redis_reply_at(record, STATUS), NULL));
    target->stamp_ms = redis_reply_int(redis_reply_at(record, MODSTAMP), 0);
    target->token = (uint64_t)redis_reply_int(redis_reply_at(record, TOKEN), 0);
    target->redrives = redis_reply_int(redis_reply_at(record, REDRIVES), 0);
    if (!*target->status)
        return;
    target->type = keep_type(targets, redis_reply_text(redis_reply_at(record, TYPE), NULL));
    if (targets->kind == ACTION_CANCEL)
        judge_cancel(targets, target, &state);
    else
        judge_redrive(targets, target, &state);
}

static bool is_open(const struct target *target)
{
    return target->progress == TARGET_OPEN && !target->sent;
}

enum status targets_judge(struct targets *targets, size_t from, size_t to, struct err *err)
{
    const struct round round = {
        .targets = targets, .verb = "ZSCORE", .key = KEY_DUE, .is_about = is_open, .on_answer = judge
    };
    enum status st = round_go(&round, from, to, err);

    for (size_t i = from; i < to && st == ST_OK && targets->kind == ACTION_REDRIVE; i++) {
        if (is_open(&targets->list[i]) && targets->list[i].status[0])
            judge_limit(targets, &targets->list[i]);
    }
    return st;
}

/* ---- effects ---- */

static bool is_waited_for(const struct target *target)
{
    return target->progress == TARGET_OPEN && target->sent;
}

static void settle_cancel(struct target *target, const char *status, bool requested)
{
    if (strcmp(status, "Canceled") == 0)
        target_settle(target, TARGET_DONE, "canceled");
    else if (strcmp(status, "Complete") == 0)
        target_settle(target, TARGET_FAILED, "became Complete before the cancel was read");
    else if ((strcmp(status, "Running") == 0 || strcmp(status, "Merged") == 0) && requested)
        target_settle(target, TARGET_DONE, "runs: cancel requested; the handler is told, and the first outcome wins");
}

static void settle_by_record(struct targets *targets, struct target *target, const struct redis_reply *record,
                             const struct redis_reply *requested)
{
    const char *status = redis_reply_text(redis_reply_at(record, STATUS), NULL);

    if (!*status && target->to_come)
        return;
    target->to_come = false;
    if (!*status)
        target_settle(target, TARGET_FAILED, "was removed meanwhile");
    else if (targets->kind == ACTION_CANCEL)
        settle_cancel(target, status, redis_reply_int(requested, 0) == 1);
    else if (strcmp(status, target->status) != 0 ||
             redis_reply_int(redis_reply_at(record, MODSTAMP), 0) > target->stamp_ms ||
             redis_reply_int(redis_reply_at(record, REDRIVES), 0) > target->redrives)
        target_settle(target, TARGET_DONE, "redriven, now %s", status);
}

enum status targets_look(struct targets *targets, size_t from, size_t to, size_t *open, struct err *err)
{
    const struct round round = { .targets = targets,
                                 .verb = "HEXISTS",
                                 .key = KEY_CANCELS,
                                 .is_about = is_waited_for,
                                 .on_answer = settle_by_record };
    enum status st = round_go(&round, from, to, err);

    *open = 0;
    for (size_t i = from; i < to; i++)
        *open += is_waited_for(&targets->list[i]);
    return st;
}
