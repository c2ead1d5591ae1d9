#include "common/action/match.h"

#include <string.h>

enum { JUDGE_MAX = 500 };

struct query *match_parse(enum action_kind kind, const char *where, const char *fields, struct err *err)
{
    struct query *query = query_parse_condition(where, strlen(where), fields, err);
    const char *open = kind == ACTION_REDRIVE
                           ? "Status = 'Error'"
                           : "Status IN ('New', 'Scheduled', 'Waiting', 'Running', 'Merged', 'Error')";

    if (query && query_narrow(query, open, err) != ST_OK) {
        query_free(query);
        return NULL;
    }
    return query;
}

/* Rows are kept until there are enough for a round trip. */
struct matching {
    struct targets *targets;
    json_t *rows;
    match_on_target *on_target;
    void *arg;
    bool stopped;
    enum status st;
    struct err *err;
};

static void judge_rows(struct matching *matching)
{
    struct targets *targets = matching->targets;

    matching->st = targets_judge(targets, 0, targets->count, matching->err);
    for (size_t i = 0; i < targets->count && matching->st == ST_OK && !matching->stopped; i++) {
        struct target *target = &targets->list[i];

        if (!target->status[0] && target->progress == TARGET_OPEN)
            target_settle(target, TARGET_PASSED, "was removed meanwhile");
        matching->stopped = !matching->on_target(matching->arg, target, json_array_get(matching->rows, i));
    }
    json_array_clear(matching->rows);
    targets_clear(targets);
}

static bool on_row(void *arg, const json_t *row)
{
    struct matching *matching = arg;
    const char *id = json_string_value(json_object_get(row, "Id"));

    targets_add(matching->targets, id ? id : "");
    json_array_append_new(matching->rows, json_deep_copy(row));
    if (matching->targets->count == JUDGE_MAX)
        judge_rows(matching);
    return matching->st == ST_OK && !matching->stopped;
}

enum status match_judge(struct targets *targets, const struct query *query, const struct query_options *options,
                        match_on_target *on_target, void *arg, struct err *err)
{
    struct matching matching = {
        .targets = targets, .rows = json_array(), .on_target = on_target, .arg = arg, .st = ST_OK, .err = err
    };
    enum status st = query_run(query, targets->redis, options, on_row, &matching, NULL, err);

    if (st == ST_OK && matching.st == ST_OK && !matching.stopped && targets->count > 0)
        judge_rows(&matching);
    targets_clear(targets);
    json_decref(matching.rows);
    return st == ST_OK ? matching.st : st;
}
