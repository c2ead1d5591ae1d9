#include "coordinator/status/armed_settings.h"

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
#define COPY(name, ...) .name = type->name,
        TYPE_SETTINGS(COPY, COPY)
#undef COPY
            .declared = type->declared,
    };
}

static void armed_settings_write(const struct armed_settings *settings, struct buf *to)
{
    const struct queue_settings *queue = &settings->queue;

    buf_printf(to, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", queue->lease_ms, queue->retry_max_delay_ms,
               queue->log_days, queue->deleted_log_days);
    for (size_t i = 0; i < settings->type_count; i++) {
        const struct type_settings *type = &settings->types[i];

#define INT_TEXT(name, ...)    " %" PRId64
#define CHOICE_TEXT(name, ...) " %s"
#define VALUE(name, ...)       type->name,
        buf_printf(to, "%s" TYPE_SETTINGS(INT_TEXT, CHOICE_TEXT) " %d\n", type->name,
                   TYPE_SETTINGS(VALUE, VALUE) type->declared);
#undef INT_TEXT
#undef CHOICE_TEXT
#undef VALUE
    }
}

static int type_compare(const void *a, const void *b)
{
    return strcmp(((const struct type_settings *)a)->name, ((const struct type_settings *)b)->name);
}

void armed_settings_init(struct armed_settings *settings, const struct config *config)
{
    struct buf text;

    *settings = (struct armed_settings){
        .queue = { config->lease_ms, config->retry_max_delay_ms, config->log_days, config->deleted_log_days },
        .types = xcalloc(config->type_count + 1, sizeof *settings->types),
    };
    for (size_t i = 0; i < config->type_count; i++) {
        if (!config->types[i].reserved)
            settings->types[settings->type_count++] = type_settings_of(&config->types[i]);
    }
    qsort(settings->types, settings->type_count, sizeof *settings->types, type_compare);
    buf_init(&text, 16 * 1024 * 1024);
    armed_settings_write(settings, &text);
    snprintf(settings->digest, sizeof settings->digest, "%016" PRIx64, checksum_crc64(0, text.data, text.size));
    buf_release(&text);
}

void armed_settings_release(struct armed_settings *settings)
{
    free(settings->types);
    *settings = (struct armed_settings){ 0 };
}
