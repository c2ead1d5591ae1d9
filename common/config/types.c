/* Types: the record's own and the declared ones, and what [types] and [type NAME] say of them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/options.h"

enum { TYPE_NAME_MAX = 100 };

/* What a Type has that the record does not know. */
static const struct record_type declared_type = {
    .retry_backoff_ms = 1000,
    .retry_limit = 3,
    .timeout_ms = 60000,
    .merge_max = 1,
};

/* ---- life ---- */

void config_type_init(struct type_config *type, const char *name, const struct record_type *record)
{
    if (!record)
        record = &declared_type;
    *type = (struct type_config){
        .name = xstrdup(name),
        .retry_backoff_ms = record->retry_backoff_ms,
        .retry_limit = record->retry_limit,
        .timeout_ms = record->timeout_ms,
        .merge_max = record->merge_max,
        .reserved = record->reserved,
    };
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_of_types(&options[i]) && options[i].initial)
            option_set_initial(&options[i], type, options[i].initial);
    }
}

void config_type_release(struct type_config *type)
{
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_of_types(&options[i]))
            option_release(&options[i], type);
    }
    free(type->name);
}

/* ---- looking one up ---- */

struct type_config *config_type(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->type_count; i++) {
        if (strcmp(config->types[i].name, name) == 0)
            return &config->types[i];
    }
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

/* ---- declaring ---- */

/* A Type's name is part of its topic's and of Redis keys. */
static enum status check_type_name(const char *name, struct err *err)
{
    static const char *const taken[] = { "submit", "command", "status", "control", "rejects" };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (name[0] == '\0' || name[strspn(name, letters)] != '\0' || strlen(name) > TYPE_NAME_MAX)
        return err_set(err, ST_INVALID, "a Type's name has 1 to %d letters, digits, _ . or -", TYPE_NAME_MAX);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(name, taken[i]) == 0)
            return err_set(err, ST_INVALID, "no Type may be called %s: a topic of the queue has that name", name);
    }
    return ST_OK;
}

static struct type_config *declare_type(struct config *config, const char *name)
{
    struct type_config *type;

    config->types = xrealloc(config->types, (config->type_count + 1) * sizeof *config->types);
    type = &config->types[config->type_count++];
    config_type_init(type, name, NULL);
    type->declared = true;
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_of_types(&options[i]) && (config->types_default.said & option_bit(&options[i])))
            option_copy(&options[i], type, &config->types_default);
    }
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

enum status config_set_type(struct config *config, const char *name, const struct option *option, const char *value,
                            struct err *err)
{
    enum status st = config_declare(config, name, err);
    struct type_config *type = config_type(config, name);

    if (st == ST_OK)
        st = option_set(option, type, value, err);
    if (st != ST_OK)
        return st;
    type->said |= option_bit(option);
    type->served = type->handler[0] != '\0';
    return ST_OK;
}

enum status config_set_types(struct config *config, const struct option *option, const char *value, struct err *err)
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
