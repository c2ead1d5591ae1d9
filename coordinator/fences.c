#include "coordinator/fences.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"

static void fences_take_submit(struct sources *sources, int shard, const struct shard_fences *fences, int64_t now_ms)
{
    for (size_t i = 0; i < fences->submit_count; i++) {
        const struct fence *fence = &fences->submit[i];

        if (fence->partition < sources->cursors.partitions &&
            sources->cursors.sources[fence->partition].state == SOURCE_LOADING)
            cursors_load(&sources->cursors, fence->partition, shard, fence, now_ms);
    }
}

/* After an error the replies still to come would be taken for something else: the connection is given up. */
enum status fences_load_submit(struct redis *redis, struct sources *sources, struct err *err)
{
    int shards = sources->cursors.shards;
    int64_t now_ms = clock_boot_ms();

    for (int s = 0; s < shards; s++) {
        if (fences_send(redis, s, err) != ST_OK)
            return err->status;
    }
    for (int s = 0; s < shards; s++) {
        struct shard_fences fences = { 0 };

        if (fences_receive(redis, &fences, err) != ST_OK) {
            redis_disconnect(redis);
            return err->status;
        }
        fences_take_submit(sources, s, &fences, now_ms);
        shard_fences_release(&fences);
    }
    return ST_OK;
}

static bool source_loading(const struct sources *sources, int partition)
{
    return sources->cursors.sources[partition].state == SOURCE_LOADING;
}

enum status fences_load_status(struct redis *redis, struct sources *sources, struct err *err)
{
    int partitions = sources->cursors.partitions;
    int64_t now_ms = clock_boot_ms();

    for (int s = 0; s < partitions; s++) {
        if (source_loading(sources, s) && fences_send(redis, s, err) != ST_OK)
            return err->status;
    }
    for (int s = 0; s < partitions; s++) {
        struct shard_fences fences = { 0 };

        if (!source_loading(sources, s))
            continue;
        if (fences_receive(redis, &fences, err) != ST_OK) {
            redis_disconnect(redis);
            return err->status;
        }
        cursors_load(&sources->cursors, s, 0, &fences.status, now_ms);
        shard_fences_release(&fences);
    }
    return ST_OK;
}

/* One character of the Id's alphabet: 0-9 A-Z a-z. */
static char epoch_number(char c)
{
    if (c >= '0' && c <= '9')
        return (char)(c - '0');
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 10);
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 36 : 0);
}

enum status epochs_load(struct redis *redis, char *epochs, int partitions, struct err *err)
{
    struct redis_reply *reply;
    int64_t partition;

    if (redis_call(redis, &reply, err, "HGETALL", "bgop:epochs", NULL) != ST_OK)
        return err->status;
    memset(epochs, 0, (size_t)partitions);
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        if (text_parse_int64(redis_reply_text(redis_reply_at(reply, i), NULL), 0, partitions - 1, &partition))
            epochs[partition] = epoch_number(redis_reply_text(redis_reply_at(reply, i + 1), NULL)[0]);
    }
    redis_reply_free(reply);
    return ST_OK;
}
