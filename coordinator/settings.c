#include "coordinator/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/checksum.h"
#include "common/base/memory.h"

static struct type_settings type_settings_of(const struct type_config *type)
{
    return (struct type_settings){
        .name = type->name,
        .retry_backoff_ms = type->retry_backoff_ms,
        .retry_limit = type->retry_limit,
        .timeout_ms = type->timeout_ms,
        .retention_s = type->retention_s,
        .retention_error_s = type->retention_error_s,
        .merge_max = type->merge_max,
        .merge_max_bytes = type->merge_max_bytes,
        .max_running_per_parent = type->max_running_per_parent,
        .on_sequence_failure = type->on_sequence_failure,
        .redrive_limit = type->redrive_limit,
        .declared = type->declared,
    };
}

static void settings_write(const struct settings *settings, struct buf *to)
{
    const struct queue_settings *queue = &settings->queue;

    buf_printf(to, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", queue->lease_ms, queue->retry_max_delay_ms,
               queue->log_days, queue->deleted_log_days);
    for (size_t i = 0; i < settings->type_count; i++) {
        const struct type_settings *type = &settings->types[i];

        buf_printf(to,
                   "%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                   " %s %" PRId64 " %d\n",
                   type->name, type->retry_backoff_ms, type->retry_limit, type->timeout_ms, type->retention_s,
                   type->retention_error_s, type->merge_max, type->merge_max_bytes, type->max_running_per_parent,
                   type->on_sequence_failure, type->redrive_limit, type->declared);
    }
}

static int type_compare(const void *a, const void *b)
{
    return strcmp(((const struct type_settings *)a)->name, ((const struct type_settings *)b)->name);
}

void settings_init(struct settings *settings, const struct config *config)
{
    struct buf text;

    *settings = (struct settings){
        .queue = { config->lease_ms, config->retry_max_delay_ms, config->log_days, config->deleted_log_days },
        .types = xcalloc(config->type_count + 1, sizeof *settings->types),
    };
    for (size_t i = 0; i < config->type_count; i++) {
        if (!config->types[i].reserved)
            settings->types[settings->type_count++] = type_settings_of(&config->types[i]);
    }
    qsort(settings->types, settings->type_count, sizeof *settings->types, type_compare);
    buf_init(&text, 16 * 1024 * 1024);
    settings_write(settings, &text);
    snprintf(settings->digest, sizeof settings->digest, "%016" PRIx64, checksum_crc64(0, text.data, text.size));
    buf_release(&text);
}

void settings_release(struct settings *settings)
{
    free(settings->types);
    *settings = (struct settings){ 0 };
}
