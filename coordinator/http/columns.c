#include "coordinator/http/columns.h"

#include "common/record/id.h"

static const struct {
    const char *apex;
    bool boolean, number, text;
} types[] = {
    [FIELD_ID] = { "Id", false, false, true },         [FIELD_BOOLEAN] = { "Boolean", true, false, false },
    [FIELD_STRING] = { "String", false, false, true }, [FIELD_PICKLIST] = { "String", false, false, true },
    [FIELD_INT] = { "Integer", false, true, false },   [FIELD_DATETIME] = { "Datetime", false, false, false },
    [FIELD_REFERENCE] = { "Id", false, false, true },
};

/* type NULL: the leader, whose columns are in joins. */
static json_t *column(const char *name, const enum field_type *type, bool aggregate, json_t *joins)
{
    bool foreign = type && *type == FIELD_REFERENCE;

    return json_pack("{s:b, s:s, s:b, s:s, s:b, s:s, s:s?, s:b, s:o, s:b, s:b, s:b}", "aggregate", aggregate,
                     "apexType", type ? types[*type].apex : "BackgroundOperation", "booleanType",
                     type && types[*type].boolean, "columnName", name, "custom", false, "displayName", name,
                     "foreignKeyName", foreign ? "GroupLeader" : NULL, "insertable", false, "joinColumns", joins,
                     "numberType", type && types[*type].number, "textType", type && types[*type].text, "updatable",
                     false);
}

json_t *columns_json(const struct query *query)
{
    json_t *columns = json_array(), *leader = NULL;
    bool id_selected = false;

    for (size_t i = 0; i < query->item_count && !query->count_only; i++) {
        const struct query_item *item = &query->items[i];
        enum field_type type = query_item_type(item);
        json_t *to = columns;

        if (item->field.of_leader && item->function == QUERY_FIELD && !leader) {
            leader = json_array();
            json_array_append_new(columns, column("GroupLeader", NULL, false, leader));
        }
        if (item->field.of_leader && item->function == QUERY_FIELD)
            to = leader;
        else
            id_selected = id_selected || (item->field.index == FIELD_INDEX_ID && item->function == QUERY_FIELD);
        json_array_append_new(to, column(item->name, &type, item->function != QUERY_FIELD, json_array()));
    }
    return json_pack("{s:o, s:s, s:b, s:b, s:s}", "columnMetadata", columns, "entityName", "BackgroundOperation",
                     "groupBy", query->group_count > 0, "idSelected", id_selected, "keyPrefix", ID_PREFIX);
}
