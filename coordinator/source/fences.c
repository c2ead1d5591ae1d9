/* Called for sources that are LOADING, before source_start finds where they begin. */
#include "coordinator/source/fences.h"

#include "common/base/clock.h"
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

static enum status fences_receive_submit(struct redis *redis, struct sources *sources, int shard, struct err *err)
{
    struct shard_fences fences = { 0 };
    enum status st = fences_receive(redis, &fences, err);

    if (st == ST_OK)
        fences_take_submit(sources, shard, &fences, clock_boot_ms());
    shard_fences_release(&fences);
    return st;
}

enum status fences_load_submit(struct redis *redis, struct sources *sources, struct err *err)
{
    struct round round = { 0 };

    while (round.sent < sources->cursors.shards && round_sent(&round, fences_send(redis, round.sent, &round.why)))
        ;
    for (int s = 0; s < round.sent; s++)
        round_note(&round, fences_receive_submit(redis, sources, s, &round.why));
    return round_end(&round, err);
}

static bool source_loading(const struct sources *sources, int partition)
{
    return sources->cursors.sources[partition].state == SOURCE_LOADING;
}

static enum status fence_receive_status(struct redis *redis, struct sources *sources, int shard, struct err *err)
{
    struct shard_fences fences = { 0 };
    enum status st = fences_receive(redis, &fences, err);

    if (st == ST_OK)
        cursors_load(&sources->cursors, shard, 0, &fences.status, clock_boot_ms());
    shard_fences_release(&fences);
    return st;
}

enum status fences_load_status(struct redis *redis, struct sources *sources, struct err *err)
{
    struct round round = { 0 };
    int end = 0;

    while (end < sources->cursors.partitions &&
           (!source_loading(sources, end) || round_sent(&round, fences_send(redis, end, &round.why))))
        end++;
    for (int s = 0; s < end; s++) {
        if (source_loading(sources, s))
            round_note(&round, fence_receive_status(redis, sources, s, &round.why));
    }
    return round_end(&round, err);
}
