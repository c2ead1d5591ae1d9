/* What changed, as it happens: the stream `changes` of each shard, read from a position on. One reader for everybody who
 * follows a queue (`bgopctl watch`, the page's stream of events). It is used by one thread, and borrows its connection. */
#ifndef BGOP_VIEW_CHANGES_H
#define BGOP_VIEW_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis/redis.h"

enum { CHANGES_POSITION_SIZE = 48 };

struct changes {
    struct redis *redis;
    int shards;
    char (*positions)[CHANGES_POSITION_SIZE]; /* of each shard: the last entry that was taken */
    bool more;                                /* the last read met as many entries of a shard as it takes at a time */
};

/* Ids: as they stand in the stream, "08P... 08P...", all of one shard; borrowed for the call. */
struct change {
    int64_t at_ms;
    const char *status, *ids;
    size_t ids_size;
};
typedef void change_take(void *arg, const struct change *change);

/* From the beginning on, as far as it is kept. */
void changes_init(struct changes *changes, struct redis *redis, int shards);
void changes_release(struct changes *changes);
void changes_seek_time(struct changes *changes, int64_t at_ms); /* what came at that time, and later */
enum status changes_seek_end(struct changes *changes, struct err *err) MUST_CHECK; /* only what comes from now on */

/* Takes what came, shard by shard, CHANGES_ENTRIES_MAX entries of each at most. When nothing has come, waits for it, wait_ms at
 * most; 0: only looks. Not ST_OK: what was taken is taken, the next read goes on behind it. */
enum { CHANGES_ENTRIES_MAX = 100 };
enum status changes_read(struct changes *changes, int wait_ms, change_take *take, void *arg,
                         struct err *err) MUST_CHECK;

#endif
