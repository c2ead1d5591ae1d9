#include "coordinator/ctl/queue_types.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

static const json_t *type_field(const json_t *describes)
{
    json_t *fields = json_object_get(json_is_array(describes) ? json_array_get(describes, 0) : describes, "fields"),
           *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));

        if (name && strcmp(name, "Type") == 0)
            return field;
    }
    return NULL;
}

int queue_types_read(struct queue_types *types, struct session *session)
{
    json_t *describes = NULL, *values, *value;
    int code = session_call(session, &describes, "bgop_describe", NULL, 0);
    size_t i;

    *types = (struct queue_types){ 0 };
    if (code != EXIT_OK)
        return code;
    values = json_object_get(type_field(describes), "picklistValues");
    types->names = xcalloc(json_array_size(values) + 1, sizeof *types->names);
    json_array_foreach(values, i, value)
    {
        const char *name = json_string_value(json_object_get(value, "value"));

        if (name)
            types->names[types->count++] = xstrdup(name);
    }
    json_decref(describes);
    return types->count ? EXIT_OK : session_fail(EXIT_FAILED, "bgop_describe names no Types");
}

void queue_types_release(struct queue_types *types)
{
    for (size_t i = 0; i < types->count; i++)
        free(types->names[i]);
    free(types->names);
    *types = (struct queue_types){ 0 };
}

static const char *find_type(void *arg, const char *type, int *reserved)
{
    const struct queue_types *types = arg;
    const struct record_type *known = record_type_find(type);

    *reserved = known && known->reserved;
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->names[i], type) == 0)
            return types->names[i];
    }
    return NULL;
}

struct type_lookup queue_types_lookup(const struct queue_types *types)
{
    return (struct type_lookup){ .find = find_type, .arg = (void *)(uintptr_t)types };
}
