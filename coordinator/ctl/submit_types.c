#include "coordinator/ctl/submit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"

static const json_t *type_field(const json_t *describes)
{
    json_t *fields = json_object_get(json_is_array(describes) ? json_array_get(describes, 0) : describes, "fields"),
           *field;
    size_t i;

    json_array_foreach(fields, i, field) {
        const char *name = json_string_value(json_object_get(field, "name"));

        if (name && strcmp(name, "Type") == 0)
            return field;
    }
    return NULL;
}

int submit_types_read(struct submit_types *types, struct session *session)
{
    json_t *describes = NULL, *values, *value;
    int code = session_ask(session, &describes, "bgop_describe", NULL, 0);
    size_t i;

    *types = (struct submit_types){ 0 };
    if (code != EXIT_OK)
        return code;
    values = json_object_get(type_field(describes), "picklistValues");
    types->names = xcalloc(json_array_size(values) + 1, sizeof *types->names);
    json_array_foreach(values, i, value) {
        const char *name = json_string_value(json_object_get(value, "value"));

        if (name)
            types->names[types->count++] = xstrdup(name);
    }
    json_decref(describes);
    return types->count ? EXIT_OK : session_fail(EXIT_FAILED, "bgop_describe names no Types");
}

void submit_types_release(struct submit_types *types)
{
    for (size_t i = 0; i < types->count; i++)
        free(types->names[i]);
    free(types->names);
    *types = (struct submit_types){ 0 };
}

static const char *find_type(void *arg, const char *type, int *reserved)
{
    const struct submit_types *types = arg;
    const struct record_type *known = record_type_find(type);

    *reserved = known && known->reserved;
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->names[i], type) == 0)
            return types->names[i];
    }
    return NULL;
}

struct type_lookup submit_types_lookup(const struct submit_types *types)
{
    return (struct type_lookup){ .find = find_type, .arg = (void *)(uintptr_t)types };
}

enum status submit_check(const struct submission *submission, const struct submit_types *types,
                         size_t payload_max_bytes, struct err *err)
{
    struct type_lookup lookup = submit_types_lookup(types);
    enum status st = submission_check(submission, &lookup, payload_max_bytes, err);
    int reserved;

    if (st == ST_INVALID && *submission->type && !find_type(lookup.arg, submission->type, &reserved)) {
        const char *nearest = text_nearest(submission->type, (const char *const *)types->names, types->count);

        if (nearest && !strstr(err->text, "did you mean")) {
            char text[sizeof err->text];

            memcpy(text, err->text, sizeof text);
            st = err_set(err, ST_INVALID, "%.900s; did you mean %.100s?", text, nearest);
        }
    }
    return st;
}

struct bgop_submission submit_borrow(const struct submission *submission)
{
    return (struct bgop_submission){
        .type = submission->type, .parent_key = submission->parent_key, .name = submission->name,
        .process_after_ms = submission->process_after_ms, .retry_backoff_ms = submission->retry_backoff_ms,
        .retry_limit = submission->retry_limit, .timeout_ms = submission->timeout_ms,
        .sequence_group = submission->sequence_group, .sequence_number = submission->sequence_number,
        .payload = submission->payload, .payload_size = submission->payload_size,
    };
}
