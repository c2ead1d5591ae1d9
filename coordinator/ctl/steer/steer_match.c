/* Which operations a cancel or redrive is about, and what speaks against it for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/action/match.h"
#include "common/query/ask.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/missing.h"
#include "coordinator/ctl/steer/steer.h"

#define FIELDS "Id, Type, ParentKey, Status, Error"
enum { JUDGE_MAX = 500 };

void steering_init(struct steering *steering, struct session *session, enum action_kind kind)
{
    *steering = (struct steering){ .session = session, .kind = kind, .groups = json_object() };
    targets_init(&steering->targets, NULL, kind);
    interrupt_catch();
}

void steering_release(struct steering *steering)
{
    targets_release(&steering->targets);
    json_decref(steering->groups);
}

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

    steering->open += target->progress == TARGET_OPEN;
    steering->passed += target->progress == TARGET_PASSED;
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

static int begin(struct steering *steering)
{
    int code = session_shards(steering->session);

    if (code == EXIT_OK)
        code = session_redis(steering->session);
    steering->targets.redis = steering->session->redis;
    return code;
}

/* ---- a condition ---- */

static bool on_target(void *arg, const struct target *target, const json_t *row)
{
    count_row(arg, target, row);
    return !interrupted();
}

int steering_count(struct steering *steering)
{
    const struct query_options options = { .recovering_ms = SESSION_RECOVERING_MS };
    struct err err = ERR_INIT;
    struct ask ask = { .err = &err };
    struct query *query = match_parse(steering->kind, steering->where, FIELDS, &err);
    int code = query ? begin(steering) : session_fail(EXIT_USAGE_ERROR, "--where: %s", err.text);

    if (code == EXIT_OK) {
        ask.redis = steering->session->redis;
        steering->targets.found = true;
        if (ask_now(&ask, &steering->targets.begun_ms) != ST_OK ||
            match_judge(&steering->targets, query, &options, on_target, steering, &err) != ST_OK)
            code = session_fail_status(&err);
    }
    query_free(query);
    return code;
}

/* ---- those that were named ---- */

/* A cancel meets what is still to be read: the status log keeps it until then. A redrive is for what has ended. */
static void explain_missing(struct steering *steering)
{
    struct missing missing;

    for (size_t i = 0; i < steering->targets.count; i++) {
        struct target *target = &steering->targets.list[i];

        if (target->progress != TARGET_OPEN || target->status[0])
            continue;
        missing_explain(steering->session, target->id, &missing);
        target->to_come = missing_may_come(&missing);
        if (steering->kind == ACTION_REDRIVE || !target->to_come)
            target_settle(target, TARGET_FAILED, "%s", missing.text);
    }
}

static int judge_all(struct steering *steering, const json_t *rows)
{
    struct targets *targets = &steering->targets;
    struct err err = ERR_INIT;

    for (size_t from = 0; from < targets->count; from += JUDGE_MAX) {
        size_t to = from + JUDGE_MAX < targets->count ? from + JUDGE_MAX : targets->count;

        if (targets_judge(targets, from, to, &err) != ST_OK)
            return session_fail_status(&err);
    }
    for (size_t i = 0; steering->dry_run && i < targets->count; i++) {
        if (json_is_object(json_array_get(rows, i)))
            count_row(steering, &targets->list[i], json_array_get(rows, i));
    }
    explain_missing(steering);
    return EXIT_OK;
}

int steering_match(struct steering *steering, char **operands, int count)
{
    char(*ids)[ID_SIZE] = NULL;
    json_t *rows = NULL;
    int code = begin(steering);

    if (code == EXIT_OK)
        code = session_resolve_all(steering->session, operands, count, &ids);
    if (code == EXIT_OK)
        session_await_records(steering->session, ids, (size_t)count);
    if (code == EXIT_OK)
        code = session_retrieve(steering->session, &rows, FIELDS, ids, (size_t)count);
    for (int i = 0; code == EXIT_OK && i < count; i++)
        targets_add(&steering->targets, ids[i]);
    if (code == EXIT_OK)
        code = judge_all(steering, rows);
    json_decref(rows);
    free(ids);
    return code;
}
