/* The tables of tables.h as data. */
#include "common/record/tables.h"

#include <stddef.h>
#include <string.h>

const struct record_field record_fields[FIELD_COUNT] = {
#define XX(id, name, type, properties, label) { #name, FIELD_##type, properties, label },
    RECORD_FIELDS(XX)
#undef XX
};

const struct record_status record_statuses[OP_STATUS_COUNT] = {
#define XX(id, name, terminal) { #name, terminal },
    RECORD_STATUSES(XX)
#undef XX
};

const struct record_type record_types[] = {
#define XX(name, retry_backoff_ms, retry_limit, timeout_ms, merge_max, reserved) \
    { #name, retry_backoff_ms, retry_limit, timeout_ms, merge_max, reserved },
    RECORD_TYPES(XX)
#undef XX
};
const int record_type_count = sizeof record_types / sizeof *record_types;

const struct record_field *record_field_find(const char *name)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(record_fields[i].name, name) == 0)
            return &record_fields[i];
    }
    return NULL;
}

const struct record_type *record_type_find(const char *name)
{
    for (int i = 0; i < record_type_count; i++) {
        if (strcmp(record_types[i].name, name) == 0)
            return &record_types[i];
    }
    return NULL;
}

int record_status_find(const char *name)
{
    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        if (strcmp(record_statuses[i].name, name) == 0)
            return i;
    }
    return -1;
}
