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

static enum status fences_receive_submit(struct redis *redis, struct sources *sources, int shard, struct err *err)
{
    struct shard_fences fences = { 0 };
    enum status st = fences_receive(redis, &fences, err);

    if (st == ST_OK)
        fences_take_submit(sources, shard, &fences, clock_boot_ms());
    shard_fences_release(&fences);
    return st;
}

/* What was sent is received, whatever becomes of the rest. */
enum status fences_load_submit(struct redis *redis, struct sources *sources, struct err *err)
{
    enum status worst = ST_OK;
    int sent = 0;

    while (worst == ST_OK && sent < sources->cursors.shards) {
        worst = fences_send(redis, sent, err);
        sent += worst == ST_OK;
    }
    for (int s = 0; s < sent; s++) {
        enum status st = fences_receive_submit(redis, sources, s, err);

        worst = st != ST_OK ? st : worst;
    }
    return worst;
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
    enum status worst = ST_OK;
    int end = 0;

    for (; end < sources->cursors.partitions; end++) {
        if (source_loading(sources, end) && (worst = fences_send(redis, end, err)) != ST_OK)
            break;
    }
    for (int s = 0; s < end; s++) {
        enum status st = source_loading(sources, s) ? fence_receive_status(redis, sources, s, err) : ST_OK;

        worst = st != ST_OK ? st : worst;
    }
    return worst;
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
