/* Called for sources that are LOADING, before source_start finds where they begin. */
#include "coordinator/source/fences.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/source/round.h"

static void fences_take_submit(struct sources *sources, int shard, const struct shard_fences *fences, int64_t now_ms)
{
    for (size_t i = 0; i < fences->submit_count; i++) {
        const struct fence *fence = &fences->submit[i];

        if (cursors_has_partition(&sources->cursors, fence->partition) &&
            sources->cursors.sources[fence->partition].state == SOURCE_LOADING)
            cursors_load(&sources->cursors, fence->partition, shard, fence, now_ms);
    }
}

static enum status fences_receive_of(struct sources *sources, struct gate_copies *gates, int shard, struct err *err)
{
    struct shard_fences fences = { 0 };
    enum status st = fences_receive(gates->redis, &fences, err);

    if (st == ST_OK && sources->kind == LOG_SUBMIT)
        fences_take_submit(sources, shard, &fences, clock_boot_ms());
    else if (st == ST_OK)
        cursors_load(&sources->cursors, shard, 0, &fences.status, clock_boot_ms());
    else if (shard_waits(sources, gates, shard, err))
        st = ST_OK;
    shard_fences_release(&fences);
    return st;
}

static bool is_wanted(const struct sources *sources, int shard)
{
    return sources->kind == LOG_SUBMIT || sources->cursors.sources[shard].state == SOURCE_LOADING;
}

enum status fences_load(struct sources *sources, struct gate_copies *gates, struct err *err)
{
    struct round round = { 0 };
    int *shards = xcalloc((size_t)gates->shards, sizeof *shards), count = 0;

    sources_wait(sources, gates);
    for (int s = 0; s < gates->shards; s++) {
        if (is_wanted(sources, s) && !gates->away[s])
            shards[count++] = s;
    }
    while (round.sent < count && round_sent(&round, fences_send(gates->redis, shards[round.sent], &round.why)))
        ;
    for (int i = 0; i < round.sent; i++)
        round_note(&round, fences_receive_of(sources, gates, shards[i], &round.why));
    free(shards);
    return round_end(&round, err);
}
