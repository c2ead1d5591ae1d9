#include "worker/handlers/types.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/memory.h"

static enum status type_check(const struct type_config *type, const struct handler **handler, struct err *err)
{
    if (type->reserved)
        return err_set(err, ST_INVALID, "Type %s is reserved: it cannot be served", type->name);
    if (!type->handler || !type->handler[0]) {
        return err_set(err, ST_INVALID,
                       "Type %s has no handler: set handler = %s in [type %s], or leave it out of [worker] types",
                       type->name, handler_names(), type->name);
    }
    *handler = handler_find(type->handler);
    if (!*handler) {
        return err_set(err, ST_INVALID, "[type %s] handler = %s: there is no such handler (%s)", type->name,
                       type->handler, handler_names());
    }
    return ST_OK;
}

static enum status add(struct types *types, const struct config *config, const struct type_config *type,
                       struct err *err)
{
    const struct handler *handler = NULL;
    struct served_type *served;
    void *prepared = NULL;

    for (size_t i = 0; i < types->count; i++) {
        if (types->all[i].config == type)
            return ST_OK; /* named twice */
    }
    if (type_check(type, &handler, err) != ST_OK)
        return ST_INVALID;
    if (handler->prepare && handler->prepare(type, &prepared, err) != ST_OK) {
        err_prefix(err, "[type %s]", type->name);
        return ST_INVALID;
    }
    types->all = xrealloc(types->all, (types->count + 1) * sizeof *types->all);
    types->topics = xrealloc(types->topics, (types->count + 1) * sizeof *types->topics);
    config_topic(config, type->name, types->topics[types->count], sizeof types->topics[0]);
    served = &types->all[types->count];
    memset(served, 0, sizeof *served);
    served->config = type;
    served->handler = handler;
    served->prepared = prepared;
    served->index = (int)types->count++;
    served->concurrency = type->concurrency > 0 ? (int)type->concurrency : handler->concurrency;
    served->group = type->merge_max > 1;
    served->traced = config->traces_url[0] != '\0';
    return ST_OK;
}

/* Names separated by blanks or commas. */
static enum status add_named(struct types *types, const struct config *config, const char *names, struct err *err)
{
    while (*(names += strspn(names, " \t,"))) {
        size_t size = strcspn(names, " \t,");
        char *name = xmemdup(names, size);
        const struct type_config *type = config_type(config, name);
        enum status st = type ? add(types, config, type, err)
                              : err_set(err, ST_INVALID, "[worker] types names %s: there is no such Type", name);

        free(name);
        if (st != ST_OK)
            return st;
        names += size;
    }
    return ST_OK;
}

static char *join_names(const struct types *types)
{
    struct buf names;

    buf_init(&names, 1024 * 1024);
    for (size_t i = 0; i < types->count; i++)
        buf_printf(&names, "%s%s", i ? " " : "", types->all[i].config->name);
    return buf_take(&names);
}

enum status types_choose(struct types *types, const struct config *config, struct err *err)
{
    enum status st = ST_OK;

    memset(types, 0, sizeof *types);
    if (config->worker_types && config->worker_types[strspn(config->worker_types, " \t,")]) {
        st = add_named(types, config, config->worker_types, err);
    } else {
        for (size_t i = 0; i < config->type_count && st == ST_OK; i++) {
            if (config->types[i].handler && config->types[i].handler[0])
                st = add(types, config, &config->types[i], err);
        }
    }
    if (st == ST_OK && types->count == 0) {
        st = err_set(err, ST_INVALID, "no Type has a handler: set handler = %s in a [type NAME] section",
                     handler_names());
    }
    if (st == ST_OK)
        types->names = join_names(types);
    else
        types_release(types);
    return st;
}

enum status types_open(struct types *types, const struct handler_sink *sink, struct err *err)
{
    for (size_t i = 0; i < types->count; i++) {
        struct served_type *type = &types->all[i];

        for (size_t j = 0; j < i && !type->state; j++) {
            if (types->all[j].handler == type->handler)
                type->state = types->all[j].state;
        }
        if (!type->state)
            type->state = type->handler->open(sink, err);
        if (!type->state) {
            types_close(types);
            return ST_FAILED;
        }
    }
    return ST_OK;
}

static bool is_first_of_its_handler(const struct types *types, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (types->all[i].state == types->all[index].state)
            return false;
    }
    return types->all[index].state != NULL;
}

void types_wake(const struct types *types)
{
    for (size_t i = 0; i < types->count; i++) {
        if (types->all[i].handler->wake && is_first_of_its_handler(types, i))
            types->all[i].handler->wake(types->all[i].state);
    }
}

void types_close(struct types *types)
{
    for (size_t i = types->count; i-- > 0;) {
        if (is_first_of_its_handler(types, i))
            types->all[i].handler->close(types->all[i].state);
        types->all[i].state = NULL;
    }
}

void types_release(struct types *types)
{
    for (size_t i = 0; i < types->count; i++) {
        if (types->all[i].handler->discard)
            types->all[i].handler->discard(types->all[i].prepared);
    }
    free(types->all);
    free(types->topics);
    free(types->names);
    memset(types, 0, sizeof *types);
}

int types_find_topic(const struct types *types, const char *topic)
{
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->topics[i], topic) == 0)
            return (int)i;
    }
    return -1;
}
