/* Which operations a cancel or redrive is about, and what speaks against it for each. */
#include "coordinator/ctl/steer/steer.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/query/query.h"
#include "coordinator/ctl/missing.h"

#define FIELDS "Id, Type, ParentKey, Status, Error"
enum { JUDGE_MAX = 500, REDRIVE_LIMIT_DEFAULT = 10 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    if (interrupted)
        _Exit(EXIT_FAILED);
    interrupted = 1;
}

bool steering_interrupted(void)
{
    return interrupted;
}

void steering_init(struct steering *steering, struct session *session, enum command_kind kind)
{
    struct sigaction action = { .sa_handler = on_signal };

    *steering = (struct steering){ .session = session, .kind = kind, .groups = json_object(), .names = json_object() };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void steering_release(struct steering *steering)
{
    for (size_t i = 0; i < steering->count; i++)
        free(steering->targets[i].text);
    free(steering->targets);
    json_decref(steering->groups);
    json_decref(steering->names);
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

static int64_t limit_read(struct session *session, const char *type)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE], field[320];
    int64_t limit = REDRIVE_LIMIT_DEFAULT;
    size_t size;
    const char *text;
    json_t *settings;

    key_format(key, sizeof key, KEY_TYPES, 0, NULL);
    if (redis_call(session->redis, &reply, NULL, "HGET", key, type, NULL) != ST_OK)
        return limit;
    snprintf(field, sizeof field, "%s:%s", type, redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    reply = NULL;
    if (redis_call(session->redis, &reply, NULL, "HGET", key, field, NULL) != ST_OK)
        return limit;
    text = redis_reply_text(reply, &size);
    settings = json_loadb(text, size, 0, NULL);
    if (json_is_integer(json_object_get(settings, "redrive_limit")))
        limit = json_integer_value(json_object_get(settings, "redrive_limit"));
    json_decref(settings);
    redis_reply_free(reply);
    return limit;
}

static int64_t limit_of(struct steering *steering, const char *type)
{
    return json_integer_value(json_object_get(steering->names, type));
}

/* The Type's name, kept as long as the run. */
static const char *keep_type(struct steering *steering, const char *type)
{
    if (!json_object_get(steering->names, type))
        json_object_set_new(steering->names, type, json_integer(limit_read(steering->session, type)));
    return json_object_iter_key(json_object_iter_at(steering->names, type));
}

/* ---- what speaks against it ---- */

/* Nothing to do: fine for what a condition found, wrong for what was named. */
static void refuse(const struct steering *steering, struct target *target, const char *text)
{
    target_settle(target, steering->where ? TARGET_PASSED : TARGET_FAILED, "is %s: %s", target->status, text);
}

/* What of the record decides, in the order it is read. */
struct state {
    bool final, timed, held, grouped;
};

static void judge_cancel(const struct steering *steering, struct target *target, const struct state *state)
{
    if (strcmp(target->status, "Canceled") == 0)
        target_settle(target, steering->where ? TARGET_PASSED : TARGET_DONE, "was canceled already");
    else if (strcmp(target->status, "Complete") == 0 || (strcmp(target->status, "Merged") == 0 && state->final) ||
             (strcmp(target->status, "Error") == 0 && !state->timed && !state->grouped))
        refuse(steering, target, "nothing is left to cancel");
}

static void judge_redrive(struct steering *steering, struct target *target, const struct state *state)
{
    int64_t limit = limit_of(steering, target->type);

    if (strcmp(target->status, "Error") != 0 || state->timed) {
        refuse(steering, target,
               state->timed ? "it is tried again by itself; only what ended in Error for good can be "
                              "redriven"
                            : "only what ended in Error can be redriven");
    } else if (steering->where && target->stamp_ms >= steering->begun_ms) {
        target_settle(target, TARGET_PASSED, "changed after this run began");
    } else if (target->redrives >= limit) {
        target_settle(target, TARGET_FAILED,
                      "refused: it was redriven %lld times, and redrive_limit of %s is %lld (see [type %s] of the "
                      "coordinator's configuration)",
                      (long long)target->redrives, target->type, (long long)limit, target->type);
    }
}

static bool is_there(const struct redis_reply *reply, size_t index)
{
    const struct redis_reply *at = redis_reply_at(reply, index);

    return at && redis_reply_kind(at) != REDIS_NIL;
}

/* A cancel meets what is still to be read: the status log keeps it until then. A redrive is for what has ended. */
static void judge_missing(struct steering *steering, struct target *target)
{
    if (steering->where)
        target_settle(target, TARGET_PASSED, "was removed meanwhile");
    else
        target->to_come = true; /* or not: asked once Redis is free */
}

static void explain_missing(struct steering *steering)
{
    struct missing missing;

    for (size_t i = 0; i < steering->count; i++) {
        struct target *target = &steering->targets[i];

        if (!target->to_come)
            continue;
        missing_explain(steering->session, target->id, &missing);
        target->to_come = missing_may_come(&missing);
        if (steering->kind == COMMAND_REDRIVE || !target->to_come)
            target_settle(target, TARGET_FAILED, "%s", missing.text);
    }
}

static void judge(struct steering *steering, struct target *target, const struct redis_reply *record,
                  const struct redis_reply *due)
{
    struct state state = {
        .final = is_there(record, 4) || is_there(record, 5),
        .timed = redis_reply_kind(due) != REDIS_NIL,
        .grouped = is_there(record, 6),
    };

    snprintf(target->status, sizeof target->status, "%s", redis_reply_text(redis_reply_at(record, 0), NULL));
    target->stamp_ms = redis_reply_int(redis_reply_at(record, 1), 0);
    target->token = (uint64_t)redis_reply_int(redis_reply_at(record, 2), 0);
    target->redrives = redis_reply_int(redis_reply_at(record, 3), 0);
    if (!*target->status)
        judge_missing(steering, target);
    else if (steering->kind == COMMAND_CANCEL)
        judge_cancel(steering, target, &state);
    else
        judge_redrive(steering, target, &state);
}

static bool is_any(const struct target *target)
{
    (void)target;
    return true;
}

/* Record and timer of some targets. */
static enum status judge_targets(struct steering *steering, size_t from, size_t count, struct err *err)
{
    const struct target_query query = {
        .fields = (const char *const[]){ "Status", "SystemModstamp", "token", "redrives", "ExpiresAt", "ok",
                                         "SequenceGroup", NULL },
        .verb = "ZSCORE",
        .key = KEY_DUE,
        .is_about = is_any,
        .on_answer = judge,
    };

    return steering_query(steering, &query, from, from + count, err);
}

/* ---- finding them ---- */

static const char *text_of(const json_t *row, const char *field)
{
    const char *text = json_string_value(json_object_get(row, field));

    return text ? text : "";
}

/* Which line of a dry run it belongs to. */
static void count_row(struct steering *steering, const struct target *target, const json_t *row)
{
    char key[4096];
    json_t *group;

    snprintf(key, sizeof key, "%s\x1f%s\x1f%s", target->type, text_of(row, "ParentKey"), text_of(row, "Error"));
    group = json_object_get(steering->groups, key);
    if (!group) {
        group = json_pack("{s:s, s:O?, s:O?, s:i, s:i}", "Type", target->type, "ParentKey",
                          json_object_get(row, "ParentKey"), "Error", json_object_get(row, "Error"), "count", 0,
                          "refused", 0);
        json_object_set_new(steering->groups, key, group);
    }
    if (target->progress == TARGET_OPEN || target->progress == TARGET_FAILED) {
        json_t *count = json_object_get(group, target->progress == TARGET_OPEN ? "count" : "refused");

        json_integer_set(count, json_integer_value(count) + 1);
    }
}

static struct target *add_target(struct steering *steering, const char *id, const char *type)
{
    struct target *target;

    GROW(steering->targets, steering->count, steering->capacity);
    target = &steering->targets[steering->count++];
    *target = (struct target){ .type = *type ? keep_type(steering, type) : "" };
    snprintf(target->id, sizeof target->id, "%s", id);
    return target;
}

/* Rows are kept until there are enough for a round trip. */
struct matching {
    struct steering *steering;
    json_t *rows;
    enum status st;
    struct err *err;
};

static bool judge_rows(struct matching *matching)
{
    struct steering *steering = matching->steering;
    size_t count = json_array_size(matching->rows), first = steering->count - count, i;
    const json_t *row;

    matching->st = judge_targets(steering, first, count, matching->err);
    json_array_foreach(matching->rows, i, row)
    {
        if (matching->st == ST_OK && steering->dry_run && json_is_object(row))
            count_row(steering, &steering->targets[first + i], row);
    }
    json_array_clear(matching->rows);
    return matching->st == ST_OK;
}

static bool on_row(void *arg, const json_t *row)
{
    struct matching *matching = arg;

    add_target(matching->steering, text_of(row, "Id"), text_of(row, "Type"));
    json_array_append_new(matching->rows, json_deep_copy(row));
    if (json_array_size(matching->rows) == JUDGE_MAX && !judge_rows(matching))
        return false;
    return !interrupted;
}

/* What has ended otherwise is not even looked at: there may be millions of those. */
static struct query *parse_where(const struct steering *steering, struct err *err)
{
    struct query *query = query_parse_condition(steering->where, strlen(steering->where), FIELDS, err);
    const char *open = steering->kind == COMMAND_REDRIVE
                           ? "Status = 'Error'"
                           : "Status IN ('New', 'Scheduled', 'Waiting', 'Running', 'Merged', 'Error')";

    if (query && query_narrow(query, open, err) != ST_OK) {
        query_free(query);
        return NULL;
    }
    return query;
}

static int match_where(struct steering *steering)
{
    struct err err = ERR_INIT;
    struct query *query = parse_where(steering, &err);
    struct matching matching = { .steering = steering, .rows = json_array(), .st = ST_OK, .err = &err };
    const struct query_options options = { .recovering_ms = SESSION_RECOVERING_MS };
    enum status st;

    if (!query) {
        json_decref(matching.rows);
        return session_fail(EXIT_USAGE_ERROR, "--where: %s", err.text);
    }
    st = query_run(query, steering->session->redis, &options, on_row, &matching, NULL, &err);
    if (st == ST_OK && matching.st == ST_OK)
        judge_rows(&matching);
    query_free(query);
    json_decref(matching.rows);
    if (st == ST_OK)
        st = matching.st;
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

static int match_ids(struct steering *steering, char **operands, int count)
{
    char(*ids)[ID_SIZE] = NULL;
    struct err err = ERR_INIT;
    struct matching matching = { .steering = steering, .st = ST_OK, .err = &err };
    json_t *row;
    size_t i;
    int code = session_resolve_all(steering->session, operands, count, &ids);

    if (code == EXIT_OK)
        session_await_records(steering->session, ids, (size_t)count);
    if (code == EXIT_OK)
        code = session_retrieve(steering->session, &matching.rows, FIELDS, ids, (size_t)count);
    json_array_foreach(matching.rows, i, row) add_target(steering, ids[i], text_of(row, "Type"));
    if (code == EXIT_OK && !judge_rows(&matching))
        code = session_fail_status(&err);
    json_decref(matching.rows);
    free(ids);
    return code;
}

int steering_match(struct steering *steering, char **operands, int count)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = session_shards(steering->session);

    if (code == EXIT_OK)
        code = session_redis(steering->session);
    if (code != EXIT_OK)
        return code;
    if (redis_call(steering->session->redis, &reply, &err, "TIME", NULL) != ST_OK)
        return session_fail_status(&err);
    steering->begun_ms =
        redis_reply_int(redis_reply_at(reply, 0), 0) * 1000 + redis_reply_int(redis_reply_at(reply, 1), 0) / 1000;
    redis_reply_free(reply);
    code = steering->where ? match_where(steering) : match_ids(steering, operands, count);
    if (code == EXIT_OK)
        explain_missing(steering);
    return code;
}
