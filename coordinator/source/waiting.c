#include "coordinator/source/waiting.h"

static void source_waits(struct sources *sources, int shard)
{
    if (sources->kind == LOG_SUBMIT) {
        cursors_wait(&sources->cursors, shard);
    } else if (sources->cursors.sources[shard].state == SOURCE_READY) {
        sources->reload_why = "server-away";
        sources_assign(sources, shard);
    }
}

bool shard_waits(struct sources *sources, struct gate_copies *gates, int shard, const struct err *why)
{
    if (!gate_copies_lose(gates, shard, why))
        return false;
    source_waits(sources, shard);
    return true;
}

void sources_wait(struct sources *sources, const struct gate_copies *gates)
{
    bool back = false;

    for (int s = 0; s < gates->shards; s++) {
        if (gates->away[s])
            source_waits(sources, s);
        else
            back |= sources->kind == LOG_SUBMIT && cursors_waits(&sources->cursors, s);
    }
    if (back)
        sources_reload(sources, "server-returned");
}
