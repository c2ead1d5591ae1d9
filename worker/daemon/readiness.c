#include "worker/daemon/readiness.h"

#include <stdio.h>

#include "common/base/log.h"

bool worker_is_alive(const struct status_source *source, char *why, size_t size)
{
    int64_t stalled_ms = source->identity ? guard_stalled_ms(source->guard) : 0;
    bool alive = stalled_ms < ALIVE_STALL_MS;

    if (alive)
        snprintf(why, size, "alive");
    else
        snprintf(why, size, "stalled: the main loop has not come round for %lld s", (long long)(stalled_ms / 1000));
    return alive;
}

/* "redis: its text" when this process sees such an outage. */
static bool sees_outage(const char *server, char *why, size_t size)
{
    char text[256];
    bool on = outage_is_on(server, text, sizeof text);

    if (on)
        snprintf(why, size, "%s outage: %s", server, text);
    return on;
}

bool worker_is_ready(const struct status_source *source, char *why, size_t size)
{
    if (sees_outage("redis", why, size) || sees_outage("kafka", why, size))
        return false;
    if (!source->identity) {
        snprintf(why, size, "starting, or gone: it waits for its queue, or has left it");
        return false;
    }
    if (atomic_load(source->draining)) {
        snprintf(why, size, "draining: it claims nothing more");
        return false;
    }
    if (gate_cache_ready_count(source->gates) < source->gates->shard_count) {
        snprintf(why, size, "%d of %d shards are open", gate_cache_ready_count(source->gates),
                 source->gates->shard_count);
        return false;
    }
    snprintf(why, size, "ready");
    return true;
}
