#include "worker/daemon/descriptors_needed.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/descriptors.h"
#include "common/base/memory.h"

static int dearest_first(const void *left, const void *right)
{
    const struct served_type *a = *(const struct served_type *const *)left;
    const struct served_type *b = *(const struct served_type *const *)right;

    return b->handler->descriptors - a->handler->descriptors;
}

long long descriptors_of_executions(const struct types *types, int concurrency)
{
    const struct served_type **order = xmalloc(types->count * sizeof *order);
    long long count = 0;

    for (size_t i = 0; i < types->count; i++)
        order[i] = &types->all[i];
    qsort(order, types->count, sizeof *order, dearest_first);
    for (size_t i = 0; i < types->count && concurrency > 0; i++) {
        int executions = order[i]->concurrency < concurrency ? order[i]->concurrency : concurrency;

        count += (long long)executions * order[i]->handler->descriptors;
        concurrency -= executions;
    }
    free(order);
    return count;
}

/* "[type WebCart] concurrency = 256 (exec, 4 each), [type XClean] ..." */
static void name_users(struct buf *text, const struct types *types)
{
    for (size_t i = 0; i < types->count; i++) {
        const struct served_type *type = &types->all[i];

        if (type->handler->descriptors > 0) {
            buf_printf(text, "%s[type %s] concurrency = %d (%s, %d each)", text->size ? ", " : "", type->config->name,
                       type->concurrency, type->handler->name, type->handler->descriptors);
        }
    }
}

enum status descriptors_check(const struct types *types, int concurrency, struct err *err)
{
    long long needed = DESCRIPTORS_LEAST + descriptors_of_executions(types, concurrency);
    long long fit = descriptors_provide(needed);
    struct buf users;

    if (fit >= needed)
        return ST_OK;
    buf_init(&users, 1024 * 1024);
    name_users(&users, types);
    err_set(err, ST_INVALID,
            "%lld file descriptors are needed, the hard limit of this process is %lld: raise it (ulimit -Hn %lld; "
            "LimitNOFILE= in a systemd unit; --ulimit nofile= of a container), or lower a concurrency. They are for "
            "%.400s%s; [worker] concurrency = %d bounds them together",
            needed, fit, needed, users.size ? users.data : "the worker itself", users.size > 400 ? " ..." : "",
            concurrency);
    buf_release(&users);
    return ST_INVALID;
}
