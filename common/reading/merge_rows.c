/* Ids, and rows that come in no order but that of their Ids: bgop_retrieve, bgop_lookup, the replication calls, bgop_blocked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/reading/parts.h"
#include "common/record/id.h"

enum { LOOKUP_PAGE = 500, BLOCKED_LIMIT = 100 };

/* ---- bgop_retrieve: each shard its own Ids, the rows back in their places ---- */

static void put_rows(const struct reading *reading, const struct part *part, const int *shard_of, json_t *rows)
{
    size_t next = 0;

    for (size_t i = 1; i < reading->count; i++) {
        if (shard_of[i] == part->shard)
            json_array_set(rows, i - 1, json_array_get(part->answer, next++));
    }
}

static size_t deal_ids(const struct reading *reading, const int *shard_of, struct part *parts)
{
    size_t count = 0;

    for (int s = 0; s < reading->shards; s++) {
        struct part part = { .shard = s, .args = xcalloc(reading->count, sizeof *part.args) };

        part.args[part.count++] = reading->args[0];
        for (size_t i = 1; i < reading->count; i++) {
            if (shard_of[i] == s)
                part.args[part.count++] = reading->args[i];
        }
        if (part.count > 1)
            parts[count++] = part;
        else
            free(part.args);
    }
    return count;
}

enum status merge_retrieve(const struct reading *reading, json_t **answer)
{
    struct part *parts;
    size_t count;
    int *shard_of;
    enum status st;

    if (reading->count < 2 || reading->count > 201) /* no Id or too many: it says so */
        return part_ask_one(reading, 0, answer);
    parts = xcalloc((size_t)reading->shards, sizeof *parts);
    shard_of = xcalloc(reading->count, sizeof *shard_of);
    for (size_t i = 1; i < reading->count; i++)
        shard_of[i] = part_of_id(reading, reading->args[i]);
    count = deal_ids(reading, shard_of, parts);
    st = parts_ask(reading, parts, count);
    if (st == ST_OK) {
        *answer = json_array();
        for (size_t i = 1; i < reading->count; i++)
            json_array_append_new(*answer, json_null());
    }
    for (size_t i = 0; i < count; i++) {
        if (st == ST_OK)
            put_rows(reading, &parts[i], shard_of, *answer);
        free(parts[i].args);
    }
    parts_release(parts, count);
    free(shard_of);
    return st;
}

/* ---- bgop_lookup ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted_texts(const struct part *parts, int count)
{
    json_t *all = json_array(), *sorted = json_array();
    json_t **texts;
    size_t size;

    for (int i = 0; i < count; i++)
        json_array_extend(all, json_object_get(parts[i].answer, "ids"));
    size = json_array_size(all);
    texts = xcalloc(size + 1, sizeof *texts);
    for (size_t i = 0; i < size; i++)
        texts[i] = json_array_get(all, i);
    qsort(texts, size, sizeof *texts, by_text);
    for (size_t i = 0; i < size; i++)
        json_array_append(sorted, texts[i]);
    free(texts);
    json_decref(all);
    return sorted;
}

/* A moment and an Id: newest first. */
struct point {
    json_int_t ms;
    const char *id;
};

static bool is_before(const struct point *a, const struct point *b)
{
    return a->ms != b->ms ? a->ms > b->ms : strcmp(a->id, b->id) > 0;
}

static struct point point_at(const struct part *part, size_t i)
{
    return (struct point){ json_integer_value(json_array_get(json_object_get(part->answer, "at"), i)),
                           json_string_value(json_array_get(json_object_get(part->answer, "ids"), i)) };
}

/* How far the shards have all been looked at: what comes behind it is for the next page. false: to their ends. */
static bool common_end(const struct part *parts, int count, struct point *end)
{
    bool any = false;

    for (int i = 0; i < count; i++) {
        const char *cursor = json_string_value(json_object_get(parts[i].answer, "cursor"));
        const char *colon = cursor ? strchr(cursor, ':') : NULL;
        struct point point;

        if (!colon)
            continue;
        point = (struct point){ strtoll(cursor, NULL, 10), colon + 1 };
        if (!any || is_before(&point, end))
            *end = point;
        any = true;
    }
    return any;
}

/* The part whose next row is the first of all; -1: none has one in front of the end. */
static int next_part(const struct part *parts, int count, const size_t *taken, const struct point *end)
{
    struct point best = { 0, "" };
    int found = -1;

    for (int i = 0; i < count; i++) {
        struct point point;

        if (taken[i] == json_array_size(json_object_get(parts[i].answer, "ids")))
            continue;
        point = point_at(&parts[i], taken[i]);
        if ((end && is_before(end, &point)) || (found >= 0 && !is_before(&point, &best)))
            continue;
        best = point;
        found = i;
    }
    return found;
}

static json_t *merged_page(const struct part *parts, int count)
{
    size_t *taken = xcalloc((size_t)count, sizeof *taken);
    struct point end, last = { 0, NULL };
    bool more = common_end(parts, count, &end);
    json_t *ids = json_array(), *cursor = json_null();
    int from;

    while ((from = next_part(parts, count, taken, more ? &end : NULL)) >= 0) {
        if (json_array_size(ids) == LOOKUP_PAGE) {
            end = last;
            more = true;
            break;
        }
        last = point_at(&parts[from], taken[from]++);
        json_array_append_new(ids, json_string(last.id));
    }
    if (more)
        cursor = json_sprintf("%lld:%s", (long long)end.ms, end.id);
    free(taken);
    return json_pack("{s:o, s:o}", "ids", ids, "cursor", cursor);
}

enum status merge_lookup(const struct reading *reading, json_t **answer)
{
    const char *field = reading->count > 1 ? reading->args[0] : "";
    const char *value = reading->count > 1 ? reading->args[1] : "";
    struct part *parts;
    enum status st;

    if (strcmp(field, "Id") == 0)
        return part_ask_one(reading, part_of_id(reading, value), answer);
    st = parts_ask_all(reading, &parts);
    if (st == ST_OK) {
        *answer = strcmp(field, "Name") == 0
                      ? json_pack("{s:o, s:n}", "ids", sorted_texts(parts, reading->shards), "cursor")
                      : merged_page(parts, reading->shards);
    }
    parts_release(parts, (size_t)reading->shards);
    return st;
}

/* ---- bgop_get_updated, bgop_get_deleted: the pages of one shard after the other ---- */

/* The cursor of the whole: "shard;latestDateCovered;earliestDateAvailable;" and that of the shard. What is covered is told by
 * the first page, before any shard was read: whatever changes from there on belongs to the next window. */
struct window_cursor {
    int shard;
    char covered[40], earliest[40];
    const char *rest; /* "": the shard's first page */
};

static bool read_cursor(struct window_cursor *cursor, const char *text, int shards)
{
    int size = 0;

    *cursor = (struct window_cursor){ .rest = "" };
    if (sscanf(text, "%d;%39[^;];%39[^;];%n", &cursor->shard, cursor->covered, cursor->earliest, &size) != 3 || !size ||
        cursor->shard < 0 || cursor->shard >= shards)
        return false;
    cursor->rest = text + size;
    return true;
}

static void take_bounds(struct window_cursor *cursor, const json_t *page)
{
    const char *covered = json_string_value(json_object_get(page, "latestDateCovered"));
    const char *earliest = json_string_value(json_object_get(page, "earliestDateAvailable"));

    if (covered && (!*cursor->covered || strcmp(covered, cursor->covered) < 0))
        snprintf(cursor->covered, sizeof cursor->covered, "%s", covered);
    if (earliest && (!*cursor->earliest || strcmp(earliest, cursor->earliest) > 0))
        snprintf(cursor->earliest, sizeof cursor->earliest, "%s", earliest);
}

/* The first page asks all shards, for what they cover; it is shard 0's. */
static enum status first_page(const struct reading *reading, struct window_cursor *cursor, json_t **page)
{
    struct part *parts;
    enum status st = parts_ask_all(reading, &parts);

    for (int s = 0; s < reading->shards && st == ST_OK; s++)
        take_bounds(cursor, parts[s].answer);
    if (st == ST_OK)
        *page = json_incref(parts[0].answer);
    if (!*cursor->earliest)
        snprintf(cursor->earliest, sizeof cursor->earliest, "-");
    parts_release(parts, (size_t)reading->shards);
    return st;
}

static enum status next_page(const struct reading *reading, const struct window_cursor *cursor, json_t **page)
{
    const char *args[] = { reading->args[0], reading->args[1], cursor->rest };
    struct part part = { .shard = cursor->shard, .args = args, .count = *cursor->rest ? 3 : 2 };
    enum status st = parts_ask(reading, &part, 1);

    *page = part.answer;
    return st;
}

static void put_window_cursor(const struct reading *reading, struct window_cursor *cursor, json_t *page)
{
    const char *rest = json_string_value(json_object_get(page, "cursor"));
    int shard = rest ? cursor->shard : cursor->shard + 1;
    json_t *next = json_null();

    if (shard < reading->shards)
        next = json_sprintf("%d;%s;%s;%s", shard, cursor->covered, cursor->earliest, rest ? rest : "");
    json_object_set_new(page, "latestDateCovered", json_string(cursor->covered));
    if (json_object_get(page, "earliestDateAvailable"))
        json_object_set_new(page, "earliestDateAvailable", json_string(cursor->earliest));
    json_object_set_new(page, "cursor", next);
}

enum status merge_window(const struct reading *reading, json_t **answer)
{
    struct window_cursor cursor = { .rest = "" };
    enum status st;

    if (reading->count != 3) {
        st = first_page(reading, &cursor, answer);
    } else if (read_cursor(&cursor, reading->args[2], reading->shards)) {
        st = next_page(reading, &cursor, answer);
    } else {
        st = err_set(reading->err, ST_INVALID, "MALFORMED_QUERY the cursor '%.80s' does not belong to this query",
                     reading->args[2]);
    }
    if (st == ST_OK)
        put_window_cursor(reading, &cursor, *answer);
    return st;
}

/* ---- bgop_blocked ---- */

static int by_since(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int order = strcmp(json_string_value(json_object_get(x, "since")), json_string_value(json_object_get(y, "since")));

    return order ? order
                 : strcmp(json_string_value(json_object_get(x, "Id")), json_string_value(json_object_get(y, "Id")));
}

enum status merge_blocked(const struct reading *reading, json_t **answer)
{
    int64_t limit = BLOCKED_LIMIT;
    json_t *all = json_array(), *groups = json_array(), **sorted;
    json_int_t total = 0;
    struct part *parts;
    enum status st = parts_ask_all(reading, &parts);
    size_t size;

    if (reading->count > 0)
        (void)text_parse_int64(reading->args[0], 1, 500, &limit); /* else the shards have refused it */
    for (int s = 0; s < reading->shards && st == ST_OK; s++) {
        json_array_extend(all, json_object_get(parts[s].answer, "groups"));
        total += json_integer_value(json_object_get(parts[s].answer, "total"));
    }
    size = json_array_size(all);
    sorted = xcalloc(size + 1, sizeof(json_t *));
    for (size_t i = 0; i < size; i++)
        sorted[i] = json_array_get(all, i);
    qsort(sorted, size, sizeof(json_t *), by_since);
    for (size_t i = 0; i < size && i < (size_t)limit; i++)
        json_array_append(groups, sorted[i]);
    *answer = json_pack("{s:o, s:I}", "groups", groups, "total", total);
    if (st != ST_OK) {
        json_decref(*answer);
        *answer = NULL;
    }
    free(sorted);
    json_decref(all);
    parts_release(parts, (size_t)reading->shards);
    return st;
}
