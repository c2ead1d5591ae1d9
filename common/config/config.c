/* The configuration's values: defaults, setting one, Types. */
#include "common/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/options.h"

enum { TYPE_NAME_MAX = 100 };

/* A Type that the record does not know. */
static const struct record_type declared_type = {
    .retry_backoff_ms = 1000, .retry_limit = 3, .timeout_ms = 60000, .merge_max = 1,
};

/* ---- life ---- */

static void type_init(struct type_config *type, const char *name, const struct record_type *record)
{
    *type = (struct type_config){
        .name = xstrdup(name),
        .retry_backoff_ms = record->retry_backoff_ms,
        .retry_limit = record->retry_limit,
        .timeout_ms = record->timeout_ms,
        .merge_max = record->merge_max,
        .reserved = record->reserved,
    };
    for (size_t i = 0; i < option_count; i++)
        if (option_is_of_types(&options[i]) && options[i].initial)
            option_set_initial(&options[i], type, options[i].initial);
}

static void type_release(struct type_config *type)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_is_of_types(&options[i]))
            option_release(&options[i], type);
    free(type->name);
}

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < option_count; i++)
        if (!option_is_of_types(&options[i]))
            option_set_initial(&options[i], config, options[i].initial);
    type_init(&config->types_default, "", &declared_type);
    config->types = xcalloc((size_t)record_type_count, sizeof *config->types);
    for (int i = 0; i < record_type_count; i++)
        type_init(&config->types[config->type_count++], record_types[i].name, &record_types[i]);
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < option_count; i++)
        if (!option_is_of_types(&options[i]))
            option_release(&options[i], config);
    for (size_t i = 0; i < config->type_count; i++)
        type_release(&config->types[i]);
    type_release(&config->types_default);
    for (size_t i = 0; i < config->property_count; i++) {
        free(config->properties[i].name);
        free(config->properties[i].value);
    }
    free(config->properties);
    free(config->types);
    memset(config, 0, sizeof *config);
}

/* ---- Types ---- */

struct type_config *config_type(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->type_count; i++)
        if (strcmp(config->types[i].name, name) == 0)
            return &config->types[i];
    return NULL;
}

static const char *find_type(void *arg, const char *name, int *reserved)
{
    const struct type_config *type = config_type(arg, name);

    *reserved = type && type->reserved;
    return type ? type->name : NULL;
}

struct type_lookup config_type_lookup(const struct config *config)
{
    return (struct type_lookup){ .find = find_type, .arg = (void *)(uintptr_t)config };
}

/* A Type's name is part of its topic's and of Redis keys. */
static enum status check_type_name(const char *name, struct err *err)
{
    static const char *const taken[] = { "submit", "command", "status", "control", "rejects" };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (name[0] == '\0' || name[strspn(name, letters)] != '\0' || strlen(name) > TYPE_NAME_MAX)
        return err_set(err, ST_INVALID, "a Type's name has 1 to %d letters, digits, _ . or -", TYPE_NAME_MAX);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return err_set(err, ST_INVALID, "no Type may be called %s: a topic of the queue has that name", name);
    return ST_OK;
}

static struct type_config *declare_type(struct config *config, const char *name)
{
    struct type_config *type;

    config->types = xrealloc(config->types, (config->type_count + 1) * sizeof *config->types);
    type = &config->types[config->type_count++];
    type_init(type, name, &declared_type);
    type->declared = true;
    for (size_t i = 0; i < option_count; i++)
        if (option_is_of_types(&options[i]) && (config->types_default.said & option_bit(&options[i])))
            option_copy(&options[i], type, &config->types_default);
    type->served = type->handler[0] != '\0';
    return type;
}

enum status config_declare(struct config *config, const char *name, struct err *err)
{
    const struct type_config *type = config_type(config, name);

    if (check_type_name(name, err) != ST_OK)
        return ST_INVALID;
    if (type && type->reserved)
        return err_set(err, ST_INVALID, "Type %s is reserved", name);
    if (!type)
        declare_type(config, name);
    return ST_OK;
}

/* ---- setting ---- */

static enum status set_for_type(struct config *config, const char *type_name, const struct option *option,
                                const char *value, struct err *err)
{
    enum status st = config_declare(config, type_name, err);
    struct type_config *type = config_type(config, type_name);

    if (st == ST_OK)
        st = option_set(option, type, value, err);
    if (st != ST_OK)
        return st;
    type->said |= option_bit(option);
    type->served = type->handler[0] != '\0';
    return ST_OK;
}

/* [types]: for every Type whose own section does not say otherwise, wherever in the file that stands. */
static enum status set_for_types(struct config *config, const struct option *option, const char *value,
                                 struct err *err)
{
    enum status st = option_set(option, &config->types_default, value, err);

    if (st != ST_OK)
        return st;
    config->types_default.said |= option_bit(option);
    for (size_t i = 0; i < config->type_count; i++) {
        struct type_config *type = &config->types[i];

        if (!(type->said & option_bit(option)))
            option_copy(option, type, &config->types_default);
        type->served = !type->reserved && type->handler[0] != '\0';
    }
    return ST_OK;
}

/* [kafka]: what is no option of ours is a property of librdkafka. */
static enum status set_property(struct config *config, const char *name, const char *value, struct err *err)
{
    enum status st = kafka_property_check(name, value, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < config->property_count; i++)
        if (strcmp(config->properties[i].name, name) == 0) {
            free(config->properties[i].value);
            config->properties[i].value = xstrdup(value);
            return ST_OK;
        }
    config->properties = xrealloc(config->properties, (config->property_count + 1) * sizeof *config->properties);
    config->properties[config->property_count++] = (struct kafka_property){ xstrdup(name), xstrdup(value) };
    return ST_OK;
}

static enum status unknown_section(const char *section, struct err *err)
{
    static const char *const sections[] = {
        "queue", "redis", "kafka", "log", "coordinator", "worker", "types", "type NAME",
    };
    const char *nearest = text_nearest(section, sections, sizeof sections / sizeof *sections);

    return err_set(err, ST_INVALID, "no such section%s%s%s", nearest ? " (did you mean [" : "", nearest ? nearest : "",
                   nearest ? "]?)" : "");
}

static bool section_is_known(const char *section)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].section, section) == 0)
            return true;
    return false;
}

enum status config_section_check(struct config *config, const char *section, struct err *err)
{
    if (strncmp(section, "type ", 5) == 0)
        return config_declare(config, section + 5 + strspn(section + 5, " "), err);
    return section_is_known(section) ? ST_OK : unknown_section(section, err);
}

static enum status set_option(struct config *config, const char *section, const char *name, const char *value,
                              struct err *err)
{
    bool of_type = strncmp(section, "type ", 5) == 0;
    const struct option *option = option_find(of_type ? "types" : section, name);

    if (!option && strcmp(section, "kafka") == 0)
        return set_property(config, name, value, err);
    if (!option)
        return of_type || section_is_known(section) ? option_unknown(of_type ? "types" : section, name, err)
                                                    : unknown_section(section, err);
    if (of_type)
        return set_for_type(config, section + 5 + strspn(section + 5, " "), option, value, err);
    if (option_is_of_types(option))
        return set_for_types(config, option, value, err);
    return option_set(option, config, value, err);
}

enum status config_set(struct config *config, const char *section, const char *name, const char *value,
                       struct err *err)
{
    enum status st = set_option(config, section, name, value, err);

    return st == ST_OK ? ST_OK : err_prefix(err, "[%s] %s", section, name);
}

/* ---- use ---- */

const char *config_topic(const struct config *config, const char *name, char *topic, size_t room)
{
    snprintf(topic, room, "%s.%s", config->prefix, name);
    return topic;
}

struct kafka_settings config_kafka(const struct config *config, const char *client_id)
{
    return (struct kafka_settings){
        .brokers = config->brokers,
        .properties = config->properties,
        .property_count = config->property_count,
        .client_id = client_id,
    };
}
