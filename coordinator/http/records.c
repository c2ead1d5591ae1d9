/* Records by Id, by a field that leads to them, and many at once. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "coordinator/http/surface.h"

enum {
    LOT = 200, /* Ids of one bgop_retrieve */
    MANY_MAX = 2000,
    LOOKUP_MAX = 2000, /* records that one value leads to, as listed */
};

/* ---- fields ---- */

/* In the order they were asked for, each once; Id always. */
struct fields {
    enum field_index list[FIELD_COUNT];
    size_t count;
};

static void fields_put(struct fields *fields, enum field_index index)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->list[i] == index)
            return;
    }
    fields->list[fields->count++] = index;
}

static bool fields_add(struct fields *fields, const char *name, size_t size, struct http_answer *answer)
{
    for (enum field_index i = 0; i < FIELD_COUNT; i++) {
        if (strlen(record_fields[i].name) == size && strncasecmp(record_fields[i].name, name, size) == 0) {
            fields_put(fields, i);
            return true;
        }
    }
    answer_error(answer, 400, "INVALID_FIELD", "No such column '%.*s' on sobject of type " OBJECT_NAME, (int)size,
                 name);
    return false;
}

/* The next of a list with commas, without the blanks around it; false: there is none. */
static bool list_next(const char **rest, const char **word, size_t *size)
{
    const char *from = *rest;

    if (!from)
        return false;
    *size = strcspn(from, ",");
    *rest = from[*size] ? from + *size + 1 : NULL;
    for (; *size > 0 && *from == ' '; from++)
        (*size)--;
    while (*size > 0 && from[*size - 1] == ' ')
        (*size)--;
    *word = from;
    return true;
}

/* list: "Status,Error"; NULL or empty: all. false: answered what is wrong. */
static bool fields_read(struct fields *fields, const char *list, struct http_answer *answer)
{
    const char *word;
    size_t size;

    *fields = (struct fields){ .count = 0 };
    fields_put(fields, FIELD_INDEX_ID);
    if (!list || !list[0]) {
        for (enum field_index i = 0; i < FIELD_COUNT; i++)
            fields_put(fields, i);
        return true;
    }
    while (list_next(&list, &word, &size)) {
        if (size > 0 && !fields_add(fields, word, size, answer))
            return false;
    }
    return true;
}

static char *fields_text(const struct fields *fields)
{
    struct buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; i < fields->count; i++)
        buf_printf(&text, "%s%s", i ? "," : "", record_fields[fields->list[i]].name);
    return buf_take(&text);
}

/* ---- rows ---- */

/* As it is answered; null stays null. */
static json_t *dressed(const struct call *call, const struct fields *fields, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, record_fields[FIELD_INDEX_ID].name));
    json_t *out;

    if (!id)
        return json_null();
    out = json_pack("{s:o}", QUERY_IDENTITY, call_attributes(call, id));
    for (size_t i = 0; i < fields->count; i++) {
        const char *name = record_fields[fields->list[i]].name;

        json_object_set(out, name, json_object_get(row, name));
    }
    return out;
}

/* Appends a row, or null, for each Id. */
static enum status retrieve(struct call *call, const struct fields *fields, const char *const *ids, size_t count,
                            json_t *rows)
{
    const char *args[1 + LOT];
    char *names = fields_text(fields);
    enum status st = ST_OK;

    args[0] = names;
    for (size_t at = 0; at < count && st == ST_OK; at += LOT) {
        size_t lot = count - at < LOT ? count - at : LOT, i;
        json_t *answer = NULL;
        const json_t *row;

        memcpy(args + 1, ids + at, lot * sizeof *ids);
        st = ask_function(&call->ask, &answer, ASK_ALL_SHARDS, "bgop_retrieve", args, 1 + lot);
        json_array_foreach(answer, i, row) json_array_append_new(rows, dressed(call, fields, row));
        json_decref(answer);
    }
    free(names);
    return st;
}

static void answer_record(struct call *call, const struct fields *fields, const char *id)
{
    json_t *rows = json_array(), *row;

    if (retrieve(call, fields, &id, 1, rows) != ST_OK) {
        call_failed(call);
    } else {
        row = json_array_get(rows, 0);
        if (json_is_object(row))
            call_answer(call, 200, json_incref(row));
        else
            answer_not_found(call->answer);
    }
    json_decref(rows);
}

/* ---- by Id ---- */

static void answer_no_field(struct http_answer *answer, const char *name)
{
    answer_error(answer, 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", name);
}

static bool is_alphanumeric(const char *text)
{
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text))
            return false;
    }
    return true;
}

/* Writes the Id in 18 characters; false: it is none of ours, and answered so. */
static bool read_id(struct call *call, char id[ID_SIZE], const char *text)
{
    size_t size = strlen(text);
    struct id_parts parts;
    char suffix[4] = "";

    if ((size != ID_LENGTH && size != ID_LENGTH - 3) || !is_alphanumeric(text)) {
        answer_no_field(call->answer, text);
        return false;
    }
    if (id_read(id, text, size, &parts))
        return true;
    id_suffix(text, suffix);
    if (size == ID_LENGTH && strcmp(text + ID_LENGTH - 3, suffix) != 0)
        answer_error(call->answer, 400, "MALFORMED_ID", "malformed id %s", text);
    else
        answer_not_found(call->answer);
    return false;
}

static void answer_by_id(struct call *call, const char *text)
{
    struct fields fields;
    char id[ID_SIZE];

    if (read_id(call, id, text) && fields_read(&fields, http_query(call->request, "fields"), call->answer))
        answer_record(call, &fields, id);
}

void show_record(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;

    if (!call_begin(&call, arg, request, answer))
        return;
    if (strcasecmp(http_param(request, "object"), OBJECT_NAME) == 0)
        answer_by_id(&call, http_param(request, "id"));
    else if (strcasecmp(http_param(request, "object"), "User") != 0 || !show_user(&call, http_param(request, "id")))
        answer_not_found(answer);
}

/* ---- by another field ---- */

/* Appends the Ids that the value leads to. */
static enum status look_up(struct call *call, const char *field, const char *value, json_t *ids)
{
    const char *args[3] = { field, value, NULL };
    json_t *page = NULL;
    enum status st = ST_OK;

    do {
        json_t *next = NULL;

        st = ask_function(&call->ask, &next, ASK_ALL_SHARDS, "bgop_lookup", args, args[2] ? 3 : 2);
        json_decref(page);
        page = next;
        json_array_extend(ids, json_object_get(page, "ids"));
        args[2] = json_string_value(json_object_get(page, "cursor"));
    } while (st == ST_OK && args[2] && json_array_size(ids) < LOOKUP_MAX);
    json_decref(page);
    return st;
}

/* A client writes a blank in a path as '+', where it means itself: so first it is taken at its word. */
static enum status look_up_both(struct call *call, const char *field, const char *value, json_t *ids)
{
    enum status st = look_up(call, field, value, ids);
    char *blanks;

    if (st != ST_OK || json_array_size(ids) > 0 || !strchr(value, '+'))
        return st;
    blanks = xstrdup(value);
    for (char *c = blanks; *c; c++)
        *c = *c == '+' ? ' ' : *c;
    st = look_up(call, field, blanks, ids);
    free(blanks);
    return st;
}

static void answer_choices(struct call *call, const json_t *ids)
{
    json_t *urls = json_array();
    const json_t *id;
    size_t i;

    json_array_foreach(ids, i, id)
    {
        if (i < LOOKUP_MAX)
            json_array_append_new(urls, call_url(call, json_string_value(id)));
    }
    call_answer(call, 300, urls);
}

/* Exactly; NULL: no such field, or none that leads to records. */
static const struct record_field *field_of_lookup(const char *name)
{
    for (enum field_index i = 0; i < FIELD_COUNT; i++) {
        if (strcasecmp(record_fields[i].name, name) == 0)
            return record_fields[i].properties & FIELD_L ? &record_fields[i] : NULL;
    }
    return NULL;
}

void show_by_field(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call;
    const struct record_field *field;
    struct fields fields;
    json_t *ids;

    if (!call_begin_object(&call, arg, request, answer))
        return;
    field = field_of_lookup(http_param(request, "field"));
    if (!field) {
        answer_no_field(answer, http_param(request, "field"));
        return;
    }
    if (field == &record_fields[FIELD_INDEX_ID]) {
        answer_by_id(&call, http_param(request, "value"));
        return;
    }
    if (!fields_read(&fields, http_query(request, "fields"), answer))
        return;
    ids = json_array();
    if (look_up_both(&call, field->name, http_param(request, "value"), ids) != ST_OK)
        call_failed(&call);
    else if (json_array_size(ids) == 0)
        answer_not_found(answer);
    else if (json_array_size(ids) > 1)
        answer_choices(&call, ids);
    else
        answer_record(&call, &fields, json_string_value(json_array_get(ids, 0)));
    json_decref(ids);
}

/* ---- many ---- */

static bool begin_many(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer)
{
    if (!call_begin_object(call, arg, request, answer))
        return false;
    if (call->version >= VERSION_COLLECTIONS)
        return true;
    answer_not_found(answer);
    return false;
}

static void answer_many(struct call *call, const struct fields *fields, const json_t *ids)
{
    size_t count = json_array_size(ids);
    const char **texts;
    json_t *rows;

    if (count > MANY_MAX) {
        answer_error(call->answer, 400, "EXCEEDED_ID_LIMIT", "%zu ids are more than %d", count, MANY_MAX);
        return;
    }
    texts = xcalloc(count + 1, sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] = json_string_value(json_array_get(ids, i));
    rows = json_array();
    if (retrieve(call, fields, texts, count, rows) == ST_OK) {
        call_answer(call, 200, rows);
    } else {
        call_failed(call);
        json_decref(rows);
    }
    free(texts);
}

void show_many(void *arg, const struct http_request *request, struct http_answer *answer)
{
    const char *list = http_query(request, "ids"), *names = http_query(request, "fields"), *word;
    struct fields fields;
    struct call call;
    json_t *ids;
    size_t size;

    if (!begin_many(&call, arg, request, answer))
        return;
    if (!list || !list[0] || !names || !names[0]) {
        answer_error(answer, 400, "MISSING_ARGUMENT", "ids and fields are required");
        return;
    }
    if (!fields_read(&fields, names, answer))
        return;
    ids = json_array();
    while (list_next(&list, &word, &size)) {
        json_t *id = json_stringn(word, size);

        json_array_append_new(ids, id ? id : json_string("")); /* no UTF-8: no Id */
    }
    answer_many(&call, &fields, ids);
    json_decref(ids);
}

static bool all_texts(const json_t *array)
{
    const json_t *each;
    size_t i;

    json_array_foreach(array, i, each)
    {
        if (!json_is_string(each))
            return false;
    }
    return json_is_array(array);
}

void take_many(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct fields fields = { .count = 0 };
    struct call call;
    json_error_t error;
    json_t *body;
    const json_t *ids, *names, *name;
    bool fine = true;
    size_t i;

    if (!begin_many(&call, arg, request, answer))
        return;
    body = request->body ? json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error) : NULL;
    ids = json_object_get(body, "ids");
    names = json_object_get(body, "fields");
    if (!all_texts(ids) || !all_texts(names)) {
        answer_error(answer, 400, "JSON_PARSER_ERROR",
                     "a JSON object is expected with ids and fields, both arrays of strings");
        json_decref(body);
        return;
    }
    fields_put(&fields, FIELD_INDEX_ID);
    json_array_foreach(names, i, name) fine =
        fine && fields_add(&fields, json_string_value(name), json_string_length(name), answer);
    if (fine)
        answer_many(&call, &fields, ids);
    json_decref(body);
}
