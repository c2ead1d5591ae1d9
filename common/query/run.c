/* A query is run as planned: page after page is asked for, joined with its leaders where they decide something, tested,
 * and handed on. */
#include <stdlib.h>
#include <string.h>

#include "common/query/rows.h"

enum way { AS_THEY_COME, SORTED, GROUPED };

struct run {
    const struct plan *plan;
    const struct query_options *options; /* NULL: none */
    enum way way;
    bool one_walk; /* rows come in the order of bgop_find, from one run of it */
    bool settled;  /* no further row can matter */
    struct ask ask;
    struct answer answer;
    struct sort sort;
    struct groups groups;
};

/* Whether one run of bgop_find answers everything: then its order is the order of all rows. */
static void walk_is_one(struct run *run, bool one)
{
    run->one_walk = one;
    if (one && run->way == SORTED && run->plan->ordered)
        run->way = AS_THEY_COME;
}

/* ---- one page ---- */
static enum status take_row(struct run *run, json_t *row)
{
    if (run->way == GROUPED)
        return groups_add(&run->groups, row, 1);
    if (run->way == AS_THEY_COME)
        return answer_add(&run->answer, json_incref(row));
    if (run->one_walk && run->plan->by_submission && sort_settled(&run->sort, row)) {
        run->settled = true;
        return ST_OK;
    }
    return sort_add(&run->sort, json_incref(row), NULL);
}

static enum status take_page(struct run *run, json_t *rows)
{
    const struct plan *plan = run->plan;
    enum status st = ST_OK;
    json_t *row;
    size_t i;

    if (plan->leaders_early && json_array_size(rows) > 0)
        st = ask_leaders(&run->ask, rows, &plan->leader_fields);
    json_array_foreach(rows, i, row)
    {
        if (st != ST_OK || run->settled || answer_full(&run->answer))
            break;
        if (condition_matches(plan->rest, row))
            st = take_row(run, row);
    }
    if (st == ST_OK && plan->query->count_only && plan->query->limit >= 0)
        run->settled = groups_count(&run->groups) >= plan->query->limit + plan->query->offset;
    if (st == ST_OK && run->way == AS_THEY_COME)
        st = answer_flush(&run->answer);
    run->settled = run->settled || (run->way == AS_THEY_COME && answer_full(&run->answer));
    return st;
}

/* ---- pages of one bgop_find, with one more condition ---- */
static void tell_page(struct run *run)
{
    const struct query_options *options = run->options;

    if (options && options->on_page && !options->on_page(options->page_arg))
        run->settled = true;
}

static enum status find_in(struct run *run, int shard, json_t *condition)
{
    json_t *query = json_deep_copy(run->plan->find), *page = NULL;
    enum status st = ST_OK;
    bool more = true;

    if (condition)
        json_array_append_new(json_object_get(query, "where"), condition);
    while (more && st == ST_OK) {
        char *text = json_dumps(query, JSON_COMPACT);

        st = ask_function(&run->ask, &page, shard, "bgop_find", (const char *[]){ text }, 1);
        free(text);
        if (st == ST_OK)
            st = take_page(run, json_object_get(page, "rows"));
        if (st == ST_OK)
            tell_page(run);
        more = st == ST_OK && !run->settled && json_is_string(json_object_get(page, "cursor"));
        if (more)
            json_object_set(query, "cursor", json_object_get(page, "cursor"));
        json_decref(page);
        page = NULL;
    }
    json_decref(query);
    return st;
}

static enum status find(struct run *run, json_t *condition)
{
    return find_in(run, ASK_ALL_SHARDS, condition);
}

/* Where the order of records means nothing, one shard after the other: a call has nothing to merge then. */
static enum status find_shards(struct run *run)
{
    int shards = 0;
    enum status st = ask_shards(&run->ask, &shards);

    if (st == ST_OK && shards == 0)
        return find(run, NULL); /* which says what is missing */
    for (int s = 0; s < shards && st == ST_OK && !run->settled; s++)
        st = find_in(run, s, NULL);
    return st;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct query_value *)a)->text, ((const struct query_value *)b)->text);
}

/* Ids of one IN, each once, in lots that one call takes. */
static enum status find_ids(struct run *run, const struct query_condition *ids)
{
    struct query_value *sorted = query_keep(run->plan->memory, ids->value_count * sizeof *sorted);
    json_t *lot = json_array();
    enum status st = ST_OK;

    memcpy(sorted, ids->values, ids->value_count * sizeof *sorted);
    qsort(sorted, ids->value_count, sizeof *sorted, compare_ids);
    walk_is_one(run, ids->value_count <= PLAN_VALUES_MAX);
    for (size_t i = 0; i < ids->value_count && st == ST_OK && !run->settled; i++) {
        bool last = i + 1 == ids->value_count;

        if (last || strcmp(sorted[i].text, sorted[i + 1].text) != 0)
            json_array_append_new(lot, json_string(sorted[i].text));
        if (last || json_array_size(lot) == PLAN_VALUES_MAX) {
            st = find(run, json_pack("[s,s,o]", "Id", "in", lot));
            lot = json_array();
        }
    }
    json_decref(lot);
    return st;
}

/* A Name leads to its records at once; every ParentKey has an index of its own. */
static enum status find_spelled(struct run *run, const struct query_condition *spelled)
{
    const char *field = record_fields[spelled->field.index].name;
    json_t *spellings = NULL, *spelling;
    enum status st = ask_spellings(&run->ask, &spellings, spelled);
    size_t i;

    walk_is_one(run, json_array_size(spellings) <= 1);
    json_array_foreach(spellings, i, spelling)
    {
        if (st == ST_OK && !run->settled)
            st = find(run, json_pack("[s,s,O]", field, "=", spelling));
    }
    json_decref(spellings);
    return st;
}

/* ---- counts ---- */
static enum status count_status(struct run *run, const char *type, const char *status, int64_t count)
{
    json_t *row = json_pack("{s:s,s:s}", "Type", type, "Status", status);
    enum status st = ST_OK;

    if (count > 0 && condition_matches(run->plan->where, row))
        st = groups_add(&run->groups, row, count);
    json_decref(row);
    return st;
}

/* Of records, so only while all shards are open: before, and behind that still. */
static enum status find_counts(struct run *run)
{
    json_t *by_type = NULL, *by_status, *count;
    const char *type, *status;
    enum status st = ask_open(&run->ask);

    if (st == ST_OK)
        st = ask_counts(&run->ask, &by_type);
    if (st == ST_OK)
        st = ask_open(&run->ask);
    json_object_foreach(by_type, type, by_status)
    {
        json_object_foreach(by_status, status, count)
        {
            if (st == ST_OK)
                st = count_status(run, type, status, json_integer_value(count));
        }
    }
    json_decref(by_type);
    return st;
}

/* ---- the whole ---- */
static enum status find_all(struct run *run)
{
    const struct plan *plan = run->plan;

    if (plan->way == PLAN_NOTHING)
        return ST_OK;
    if (plan->way == PLAN_COUNTS)
        return find_counts(run);
    if (plan->ids)
        return find_ids(run, plan->ids);
    if (plan->spelled)
        return find_spelled(run, plan->spelled);
    if (plan->by_shard)
        return find_shards(run);
    walk_is_one(run, true);
    return find(run, NULL);
}

/* What was held until all was seen. */
static enum status answer_held(struct run *run)
{
    enum status st = ST_OK;

    if (run->way == GROUPED)
        st = groups_sort(&run->groups, &run->sort);
    if (st == ST_OK)
        sort_finish(&run->sort);
    for (size_t i = 0; st == ST_OK && i < run->sort.count; i++)
        st = answer_add(&run->answer, sort_take(&run->sort, i));
    return st == ST_OK ? answer_flush(&run->answer) : st;
}

static int64_t counted(const struct run *run)
{
    const struct query *query = run->plan->query;
    int64_t count = groups_count(&run->groups) - query->offset;

    count = count > 0 ? count : 0;
    return query->limit >= 0 && query->limit < count ? query->limit : count;
}

static void run_start(struct run *run, const struct plan *plan, int64_t held_max, query_on_row *on_row, void *arg)
{
    const struct query *query = plan->query;

    run->plan = plan;
    run->way = query->aggregate ? GROUPED : query->order_count > 0 ? SORTED : AS_THEY_COME;
    answer_start(&run->answer, plan, &run->ask, on_row, arg);
    sort_start(&run->sort, plan, held_max, run->ask.err);
    groups_start(&run->groups, plan, held_max, run->ask.err);
}

enum status query_run(const struct query *query, struct redis *redis, const struct query_options *options,
                      query_on_row *on_row, void *arg, int64_t *total, struct err *err)
{
    int64_t held_max = options && options->rows_held_max > 0 ? options->rows_held_max : QUERY_ROWS_HELD_MAX;
    struct run run = { .ask = { redis, options ? options->recovering_ms : 0, err } };
    int64_t now_ms = options ? options->now_ms : 0;
    struct plan plan;
    enum status st = ST_OK;

    if (query->relative && now_ms == 0)
        st = ask_now(&run.ask, &now_ms);
    if (st != ST_OK)
        return st;
    plan_make(&plan, query, now_ms);
    run_start(&run, &plan, held_max, on_row, arg);
    run.options = options;
    run.answer.identified = options && options->identified;
    st = find_all(&run);
    if (st == ST_OK && !query->count_only)
        st = answer_held(&run);
    if (total)
        *total = query->count_only ? counted(&run) : run.answer.total;
    groups_release(&run.groups);
    sort_release(&run.sort);
    answer_release(&run.answer);
    plan_release(&plan);
    return st;
}
