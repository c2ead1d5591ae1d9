/* bgop_find: each shard answers in the order, so the next row is the first of the shards' next ones. What is compared is the
 * position that each shard gives with a row: it is also the cursor behind it, good for every shard alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/reading/parts.h"
#include "common/record/tables.h"

enum { LIMIT = 50, ROWS_LEAST = 8 };

struct order {
    char text[80]; /* Field or -Field */
    bool descending, numeric;
};

/* A row's place in the order. */
struct place {
    bool null;
    const char *id, *value; /* value: as the position has it, with %xx */
    size_t id_size;
};

struct stream { /* of one shard */
    json_t *page;
    size_t next;    /* row of the page */
    json_t *cursor; /* for its next page; NULL: it begins */
    bool ended;
};

struct find {
    const struct reading *reading;
    json_t *query;
    struct order order;
    size_t limit;
    struct stream *streams;
};

static struct order order_of(const json_t *query)
{
    const char *text = json_string_value(json_object_get(query, "order"));
    struct order order = { .numeric = false };
    const struct record_field *field;

    snprintf(order.text, sizeof order.text, "%s", text ? text : "-SubmittedAt");
    order.descending = order.text[0] == '-';
    field = record_field_find(order.text + order.descending);
    order.numeric = field && (field->type == FIELD_INT || field->type == FIELD_DATETIME);
    return order;
}

/* "order:Id:n", "order:Id:vVALUE" */
static struct place place_of(const struct order *order, const char *position)
{
    struct place place = { .null = true, .id = position + strlen(order->text) + 1 };
    const char *colon = strchr(place.id, ':');

    place.id_size = colon ? (size_t)(colon - place.id) : strlen(place.id);
    if (colon && colon[1] == 'v') {
        place.null = false;
        place.value = colon + 2;
    }
    return place;
}

static int next_byte(const char **text)
{
    unsigned byte;
    int size = 0;

    if (**text == '%' && sscanf(*text, "%%%2x%n", &byte, &size) == 1 && size == 3) {
        *text += 3;
        return (int)byte;
    }
    return **text ? (unsigned char)*(*text)++ : -1;
}

static int compare_texts(const char *a, const char *b)
{
    int x, y;

    do {
        x = next_byte(&a);
        y = next_byte(&b);
    } while (x == y && x >= 0);
    return x - y;
}

static int compare_numbers(const char *a, const char *b)
{
    double x = strtod(a, NULL), y = strtod(b, NULL);

    return x < y ? -1 : x > y;
}

/* Rising: null first, then by value, then by Id. */
static int compare_places(const struct order *order, const struct place *a, const struct place *b)
{
    int result = 0;
    size_t least = a->id_size < b->id_size ? a->id_size : b->id_size;

    if (a->null != b->null)
        result = a->null ? -1 : 1;
    else if (!a->null)
        result = order->numeric ? compare_numbers(a->value, b->value) : compare_texts(a->value, b->value);
    if (result == 0)
        result = memcmp(a->id, b->id, least);
    return order->descending ? -result : result;
}

/* ---- streams ---- */

static char *stream_query(const struct find *find, const struct stream *stream)
{
    json_t *query = json_copy(find->query);
    size_t share = find->limit / (size_t)find->reading->shards + ROWS_LEAST;
    char *text;

    json_object_set_new(query, "limit", json_integer((json_int_t)(share < find->limit ? share : find->limit)));
    json_object_set_new(query, "positions", json_true());
    if (stream->cursor)
        json_object_set(query, "cursor", stream->cursor);
    text = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    return text;
}

static bool wants_more(const struct stream *stream)
{
    return !stream->ended && stream->next == json_array_size(json_object_get(stream->page, "rows"));
}

static void stream_take(struct stream *stream, json_t *page)
{
    json_t *cursor = json_object_get(page, "cursor");

    json_decref(stream->page);
    json_decref(stream->cursor);
    stream->page = json_incref(page);
    stream->next = 0;
    stream->cursor = json_is_string(cursor) ? json_incref(cursor) : NULL;
    stream->ended = !stream->cursor;
}

/* The next pages of all that have no row at hand, side by side. */
static enum status fill(struct find *find, bool *filled)
{
    size_t shards = (size_t)find->reading->shards, count = 0;
    struct part *parts = xcalloc(shards, sizeof *parts);
    const char **texts = xcalloc(shards, sizeof *texts);
    enum status st;

    for (size_t s = 0; s < shards; s++) {
        if (!wants_more(&find->streams[s]))
            continue;
        texts[count] = stream_query(find, &find->streams[s]);
        parts[count] = (struct part){ .shard = (int)s, .args = &texts[count], .count = 1 };
        count++;
    }
    *filled = count == 0;
    st = parts_ask(find->reading, parts, count);
    for (size_t i = 0; i < count; i++) {
        if (st == ST_OK)
            stream_take(&find->streams[parts[i].shard], parts[i].answer);
        free((char *)(uintptr_t)texts[i]);
    }
    parts_release(parts, count);
    free(texts);
    return st;
}

static const char *position_at(const struct stream *stream)
{
    return json_string_value(json_array_get(json_object_get(stream->page, "positions"), stream->next));
}

/* The stream with the first row; NULL: all have ended. */
static struct stream *first_stream(const struct find *find)
{
    struct stream *first = NULL;
    struct place best = { .null = true };

    for (int s = 0; s < find->reading->shards; s++) {
        const char *position = position_at(&find->streams[s]);
        struct place place;

        if (!position)
            continue;
        place = place_of(&find->order, position);
        if (first && compare_places(&find->order, &place, &best) > 0)
            continue;
        first = &find->streams[s];
        best = place;
    }
    return first;
}

static enum status take_rows(struct find *find, json_t *rows, json_t **cursor)
{
    bool more = true;
    enum status st = ST_OK;

    while (more && st == ST_OK) {
        struct stream *stream;
        bool filled = false;

        while (!filled && st == ST_OK)
            st = fill(find, &filled);
        stream = st == ST_OK ? first_stream(find) : NULL;
        more = stream && json_array_size(rows) < find->limit;
        if (more) {
            json_array_append(rows, json_array_get(json_object_get(stream->page, "rows"), stream->next));
            json_decref(*cursor);
            *cursor = json_string(position_at(stream));
            stream->next++;
        } else if (st == ST_OK && !stream) {
            json_decref(*cursor);
            *cursor = json_null();
        }
    }
    return st;
}

/* A cursor of this merge is a position; a scan's of one shard would be none for others. */
static bool is_of_merge(const struct find *find, const json_t *cursor)
{
    const char *text = json_string_value(cursor);
    size_t size = strlen(find->order.text);

    return !text || (strncmp(text, find->order.text, size) == 0 && text[size] == ':');
}

enum status merge_find(const struct reading *reading, json_t **answer)
{
    struct find find = { .reading = reading,
                         .query = reading->count == 1 ? json_loads(reading->args[0], 0, NULL) : NULL };
    json_t *limit = json_object_get(find.query, "limit"), *rows, *cursor = json_null();
    enum status st;

    find.limit = json_is_integer(limit) && json_integer_value(limit) >= 1 && json_integer_value(limit) <= 200
                     ? (size_t)json_integer_value(limit)
                     : LIMIT;
    find.order = order_of(find.query);
    if (!json_is_object(find.query) || !is_of_merge(&find, json_object_get(find.query, "cursor")) ||
        (limit && !json_is_null(limit) && (json_int_t)find.limit != json_integer_value(limit))) {
        st = part_ask_one(reading, 0, answer); /* which says what is wrong */
        json_decref(find.query);
        json_decref(cursor);
        return st;
    }
    find.streams = xcalloc((size_t)reading->shards, sizeof *find.streams);
    for (int s = 0; s < reading->shards; s++)
        find.streams[s].cursor = json_incref(json_object_get(find.query, "cursor"));
    rows = json_array();
    st = take_rows(&find, rows, &cursor);
    *answer = json_pack("{s:o, s:o}", "rows", rows, "cursor", cursor);
    if (st != ST_OK) {
        json_decref(*answer);
        *answer = NULL;
    }
    for (int s = 0; s < reading->shards; s++) {
        json_decref(find.streams[s].page);
        json_decref(find.streams[s].cursor);
    }
    free(find.streams);
    json_decref(find.query);
    return st;
}
