#include "tests/simulation/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

static const char *const event_names[] = {
#define XX(id, meaning, ...) #id,
    EVENTS(XX)
#undef XX
};

void history_init(struct history *history)
{
    memset(history, 0, sizeof *history);
}

void history_release(struct history *history)
{
    free(history->events);
    free(history->ops);
    history_init(history);
}

void history_add(struct history *history, struct event event)
{
    GROW(history->events, history->count, history->capacity);
    history->events[history->count++] = event;
}

void history_render_event(struct buf *to, const struct event *event)
{
    buf_printf(to, "%d %" PRId64 " %s %d %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", event->step,
               event->at_ms, event_names[event->kind], event->op, event->token, event->a, event->b, event->c, event->d);
}

uint64_t history_digest(const struct history *history)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    struct buf line;

    buf_init(&line, 1024);
    for (size_t i = 0; i < history->count; i++) {
        buf_clear(&line);
        history_render_event(&line, &history->events[i]);
        for (size_t n = 0; n < line.size; n++)
            digest = (digest ^ (unsigned char)line.data[n]) * UINT64_C(0x100000001b3);
    }
    buf_release(&line);
    return digest;
}

void history_copy(struct history *to, const struct history *from)
{
    *to = *from;
    to->events = xmemdup(from->events, from->count * sizeof *from->events);
    to->capacity = from->count;
    to->ops = xmemdup(from->ops, from->op_count * sizeof *from->ops);
    to->op_capacity = from->op_count;
}
