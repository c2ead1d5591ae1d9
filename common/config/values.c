/* The configuration's values: defaults, setting one, what others are made of them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/options.h"

/* ---- life ---- */

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < option_count; i++) {
        if (!option_is_of_types(&options[i]))
            option_set_initial(&options[i], config, options[i].initial);
    }
    config_type_init(&config->types_default, "", NULL);
    config->types = xcalloc((size_t)record_type_count, sizeof *config->types);
    for (int i = 0; i < record_type_count; i++)
        config_type_init(&config->types[config->type_count++], record_types[i].name, &record_types[i]);
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < option_count; i++) {
        if (!option_is_of_types(&options[i]))
            option_release(&options[i], config);
    }
    for (size_t i = 0; i < config->type_count; i++)
        config_type_release(&config->types[i]);
    config_type_release(&config->types_default);
    for (size_t i = 0; i < config->property_count; i++) {
        free(config->properties[i].name);
        free(config->properties[i].value);
    }
    free(config->properties);
    free(config->types);
    memset(config, 0, sizeof *config);
}

/* ---- setting ---- */

/* [kafka]: what is no option of ours is a property of librdkafka. */
static enum status set_property(struct config *config, const char *name, const char *value, struct err *err)
{
    enum status st = config_value_check(value, err);

    if (st == ST_OK)
        st = kafka_property_check(name, value, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < config->property_count; i++) {
        if (strcmp(config->properties[i].name, name) == 0) {
            free(config->properties[i].value);
            config->properties[i].value = xstrdup(value);
            return ST_OK;
        }
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
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(options[i].section, section) == 0)
            return true;
    }
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
    if (!option) {
        return of_type || section_is_known(section) ? option_unknown(of_type ? "types" : section, name, err)
                                                    : unknown_section(section, err);
    }
    if (of_type)
        return config_set_type(config, section + 5 + strspn(section + 5, " "), option, value, err);
    if (option_is_of_types(option))
        return config_set_types(config, option, value, err);
    if (strcmp(section, "queue") == 0 && strcmp(name, "shards") == 0)
        config->shards_given = true;
    return option_set(option, config, value, err);
}

enum status config_set(struct config *config, const char *section, const char *name, const char *value, struct err *err)
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
