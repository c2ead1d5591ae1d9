#include "common/query/rows.h"

void answer_start(struct answer *answer, const struct plan *plan, struct ask *ask, query_on_row *on_row, void *arg)
{
    *answer = (struct answer){ .plan = plan,
                               .ask = ask,
                               .on_row = on_row,
                               .arg = arg,
                               .waiting = json_array(),
                               .skip = plan->query->offset,
                               .left = plan->query->limit };
}

void answer_release(struct answer *answer)
{
    json_decref(answer->waiting);
}

bool answer_full(const struct answer *answer)
{
    return answer->stopped || answer->left == 0;
}

/* An object of the answer, with the Id that this field of the row holds when that is wanted. */
static json_t *record_of(const struct answer *answer, const json_t *row, enum field_index field)
{
    json_t *out = json_object();

    if (answer->identified)
        json_object_set(out, QUERY_IDENTITY, json_object_get(row, record_fields[field].name));
    return out;
}

/* The members of SELECT in their order; those of the leader in one object, where the first of them stands. */
static json_t *selected(const struct answer *answer, const json_t *row)
{
    const struct query *query = answer->plan->query;
    json_t *out = record_of(answer, row, FIELD_INDEX_ID), *leader = NULL;
    bool has_leader = json_is_object(json_object_get(row, QUERY_LEADER));

    for (size_t i = 0; i < query->item_count; i++) {
        const struct query_item *item = &query->items[i];
        const json_t *value = row_json(row, item->field);
        json_t *own = value ? json_incref((json_t *)(uintptr_t)value) : json_null();

        if (!item->field.of_leader) {
            json_object_set_new(out, item->name, own);
            continue;
        }
        if (!leader) {
            leader = has_leader ? record_of(answer, row, FIELD_INDEX_GROUP_LEADER_ID) : json_null();
            json_object_set_new(out, QUERY_LEADER, leader);
        }
        if (has_leader)
            json_object_set_new(leader, item->name, own);
        else
            json_decref(own);
    }
    return out;
}

enum status answer_flush(struct answer *answer)
{
    const struct plan *plan = answer->plan;
    bool aggregate = plan->query->aggregate;
    enum status st = ST_OK;
    json_t *row, *out;
    size_t i;

    if (!aggregate && plan->leader_fields.count > 0 && !plan->leaders_early && json_array_size(answer->waiting) > 0)
        st = ask_leaders(answer->ask, answer->waiting, &plan->leader_fields);
    json_array_foreach(answer->waiting, i, row)
    {
        if (st != ST_OK || answer->stopped)
            break;
        out = aggregate ? json_incref(row) : selected(answer, row);
        answer->stopped = !answer->on_row(answer->arg, out);
        answer->total++;
        json_decref(out);
    }
    json_array_clear(answer->waiting);
    return st;
}

enum status answer_add(struct answer *answer, json_t *row)
{
    if (answer->skip > 0 || answer_full(answer)) {
        answer->skip -= answer->skip > 0;
        json_decref(row);
        return ST_OK;
    }
    if (answer->left > 0)
        answer->left--;
    json_array_append_new(answer->waiting, row);
    return json_array_size(answer->waiting) < PLAN_PAGE_ROWS ? ST_OK : answer_flush(answer);
}
