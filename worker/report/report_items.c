/* Of a group that was split the execution counts the members that the log does not have yet (`unreported`): the leader's item
 * is made when it is the only one left. */
#include "worker/report/report_items.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { ENTRY_OVERHEAD_BYTES = 200 }; /* of one entry besides its texts, at most */

void items_release(struct items *items)
{
    free(items->all);
    *items = (struct items){ 0 };
}

/* ---- sizes ---- */

static size_t outcome_bytes(const struct outcome *outcome)
{
    return (outcome->text ? strlen(outcome->text) : 0) + outcome->result_size;
}

size_t execution_report_bytes(const struct execution *execution)
{
    size_t bytes = 0;

    for (int i = 0; i < execution->member_count; i++)
        bytes += outcome_bytes(&execution->members[i].outcome);
    return bytes;
}

size_t item_entries(const struct item *item)
{
    return item->member == ITEM_WHOLE ? (size_t)item->execution->member_count : 1;
}

static size_t item_bytes(const struct item *item)
{
    return item->member == ITEM_WHOLE ? execution_report_bytes(item->execution)
                                      : outcome_bytes(&item->execution->members[item->member].outcome);
}

static bool fits(size_t entries, size_t bytes)
{
    return entries <= STATUS_BATCH_MAX_ENTRIES && bytes + entries * ENTRY_OVERHEAD_BYTES <= STATUS_BATCH_MAX_BYTES;
}

/* ---- the list ---- */

void items_add(struct items *items, struct item item)
{
    GROW(items->all, items->count, items->capacity);
    items->all[items->count++] = item;
}

void items_add_execution(struct items *items, struct execution *execution)
{
    const struct item whole = { execution, ITEM_WHOLE };

    if (execution->member_count == 1 || fits(item_entries(&whole), item_bytes(&whole)))
        items_add(items, whole);
    else
        items_split(items, execution);
}

void items_split(struct items *items, struct execution *execution)
{
    execution->unreported = execution->member_count;
    for (int i = 0; i < execution->member_count; i++) {
        if (i != execution->leader)
            items_add(items, (struct item){ execution, i });
    }
}

bool items_done(struct items *items, const struct item *item)
{
    struct execution *execution = item->execution;

    if (item->member == ITEM_WHOLE || --execution->unreported == 0)
        return true;
    if (execution->unreported == 1)
        items_add(items, (struct item){ execution, execution->leader });
    return false;
}

size_t items_portion(const struct items *items, size_t first)
{
    size_t entries = 0, bytes = 0, count = 0;

    while (first + count < items->count) {
        const struct item *item = &items->all[first + count];

        entries += item_entries(item);
        bytes += item_bytes(item);
        if (count > 0 && (!fits(entries, bytes) || item->execution->report_alone))
            break;
        count++;
        if (item->execution->report_alone)
            break;
    }
    return count;
}

/* ---- entries ---- */

static void fill_entry(struct status_entry *entry, const struct execution *execution, int index)
{
    const struct member *member = &execution->members[index];
    const struct outcome *outcome = &member->outcome;

    *entry = (struct status_entry){
        .kind = outcome->kind,
        .token = member->token,
        .started_at_ms = execution->started_at_ms,
        .duration_ms = execution->duration_ms,
        .retry_after_ms = outcome->retry_after_ms,
        .text = outcome->text,
        .text_size = outcome->text ? strlen(outcome->text) : 0,
        .result = outcome->result,
        .result_size = outcome->result_size,
    };
    memcpy(entry->id, member->id, ID_SIZE);
    if (execution->orphans_of[0])
        memcpy(entry->leader_id, execution->orphans_of, ID_SIZE);
    else if (execution->member_count > 1) /* the leader's own, too: so the log says that others ran with it */
        memcpy(entry->leader_id, execution_leader(execution)->id, ID_SIZE);
}

size_t item_fill(const struct item *item, struct status_entry *entries)
{
    const struct execution *execution = item->execution;
    size_t count = 0;

    if (item->member != ITEM_WHOLE) {
        fill_entry(&entries[0], execution, item->member);
        return 1;
    }
    for (int i = 0; i < execution->member_count; i++) {
        if (i != execution->leader)
            fill_entry(&entries[count++], execution, i);
    }
    fill_entry(&entries[count++], execution, execution->leader);
    return count;
}
