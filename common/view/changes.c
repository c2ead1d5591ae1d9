/* Who waits has a single server wake him: one XREAD with BLOCK over all shards. Else the shards are asked side by side by
 * XRANGE: of a cluster each server has some of them, and none may be waited for while others have news; and who only looks is
 * answered at once. */
#include "common/view/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/redis/each.h"

enum { APART_MS = 100 }; /* between two looks at the servers of a cluster */

void changes_init(struct changes *changes, struct redis *redis, int shards)
{
    *changes = (struct changes){ .redis = redis, .shards = shards };
    changes->positions = xcalloc((size_t)shards + 1, sizeof *changes->positions);
    for (int shard = 0; shard < shards; shard++)
        snprintf(changes->positions[shard], CHANGES_POSITION_SIZE, "0-0");
}

void changes_release(struct changes *changes)
{
    free(changes->positions);
    *changes = (struct changes){ 0 };
}

void changes_seek_time(struct changes *changes, int64_t at_ms)
{
    for (int shard = 0; shard < changes->shards; shard++)
        snprintf(changes->positions[shard], CHANGES_POSITION_SIZE, "%" PRId64 "-%" PRIu64, at_ms - 1, UINT64_MAX);
}

/* ---- what came ---- */

struct taking {
    change_take *take; /* NULL: only the positions move */
    void *arg;
    size_t entries;
};

static void take_entry(struct taking *taking, const struct redis_reply *entry)
{
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    struct change change = { .at_ms = strtoll(redis_reply_text(redis_reply_at(entry, 0), NULL), NULL, 10) };

    for (size_t i = 0; taking->take && i + 1 < redis_reply_count(fields); i += 2) {
        change.status = redis_reply_text(redis_reply_at(fields, i), NULL);
        change.ids = redis_reply_text(redis_reply_at(fields, i + 1), &change.ids_size);
        taking->take(taking->arg, &change);
    }
}

static void take_entries(struct changes *changes, struct taking *taking, int shard, const struct redis_reply *entries)
{
    size_t count = redis_reply_count(entries);

    for (size_t e = 0; e < count; e++) {
        const struct redis_reply *entry = redis_reply_at(entries, e);

        take_entry(taking, entry);
        snprintf(changes->positions[shard], CHANGES_POSITION_SIZE, "%s",
                 redis_reply_text(redis_reply_at(entry, 0), NULL));
    }
    taking->entries += count;
    changes->more = changes->more || count == CHANGES_ENTRIES_MAX;
}

/* ---- shard by shard ---- */

struct ranges {
    struct changes *changes;
    struct taking taking;
    bool newest; /* the last entry of each, and nothing else */
    char key[KEY_SIZE], behind[CHANGES_POSITION_SIZE + 1];
};

static void write_range(void *arg, int shard, struct redis_command *command)
{
    struct ranges *ranges = arg;

    snprintf(ranges->behind, sizeof ranges->behind, "(%s", ranges->changes->positions[shard]);
    redis_command_add_text(command, ranges->newest ? "XREVRANGE" : "XRANGE");
    redis_command_add_text(command, key_format(ranges->key, sizeof ranges->key, KEY_CHANGES, shard, NULL));
    redis_command_add_text(command, ranges->newest ? "+" : ranges->behind);
    redis_command_add_text(command, ranges->newest ? "-" : "+");
    redis_command_add_text(command, "COUNT");
    redis_command_add_int(command, ranges->newest ? 1 : CHANGES_ENTRIES_MAX);
}

static void take_range(void *arg, int shard, const struct redis_reply *reply)
{
    struct ranges *ranges = arg;

    if (ranges->newest && redis_reply_count(reply) == 0)
        snprintf(ranges->changes->positions[shard], CHANGES_POSITION_SIZE, "0-0");
    take_entries(ranges->changes, &ranges->taking, shard, reply);
}

static enum status read_ranges(struct ranges *ranges, struct err *err)
{
    return redis_ask_each(ranges->changes->redis, ranges->changes->shards, write_range, take_range, ranges, err);
}

enum status changes_seek_end(struct changes *changes, struct err *err)
{
    struct ranges ranges = { .changes = changes, .newest = true };

    return read_ranges(&ranges, err);
}

/* ---- all shards of one server ---- */

static void take_streams(struct changes *changes, struct taking *taking, const struct redis_reply *reply)
{
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const struct redis_reply *stream = redis_reply_at(reply, i);
        const char *key = redis_reply_text(redis_reply_at(stream, 0), NULL);
        long shard = strtol(key + strcspn(key, "{") + (strchr(key, '{') != NULL), NULL, 10);

        if (shard >= 0 && shard < changes->shards)
            take_entries(changes, taking, (int)shard, redis_reply_at(stream, 1));
    }
}

static enum status read_streams(struct changes *changes, int wait_ms, struct taking *taking, struct err *err)
{
    char(*keys)[KEY_SIZE] = xcalloc((size_t)changes->shards + 1, sizeof *keys);
    struct redis_command command;
    struct redis_reply *reply = NULL;
    enum status st;

    redis_command_init(&command);
    for (const char *const *word = (const char *const[]){ "XREAD", "COUNT", NULL }; *word; word++)
        redis_command_add_text(&command, *word);
    redis_command_add_int(&command, CHANGES_ENTRIES_MAX);
    redis_command_add_text(&command, "BLOCK");
    redis_command_add_int(&command, wait_ms);
    redis_command_add_text(&command, "STREAMS");
    for (int shard = 0; shard < changes->shards; shard++)
        redis_command_add_text(&command, key_format(keys[shard], sizeof *keys, KEY_CHANGES, shard, NULL));
    for (int shard = 0; shard < changes->shards; shard++)
        redis_command_add_text(&command, changes->positions[shard]);
    st = redis_send(changes->redis, &command, err);
    if (st == ST_OK)
        st = redis_receive(changes->redis, &reply, err);
    if (st == ST_OK)
        take_streams(changes, taking, reply);
    redis_reply_free(reply);
    redis_command_release(&command);
    free(keys);
    return st;
}

enum status changes_read(struct changes *changes, int wait_ms, change_take *take, void *arg, struct err *err)
{
    struct ranges ranges = { .changes = changes, .taking = { .take = take, .arg = arg } };
    enum status st;

    changes->more = false;
    if (wait_ms > 0 && !redis_is_cluster(changes->redis))
        return read_streams(changes, wait_ms, &ranges.taking, err);
    st = read_ranges(&ranges, err);
    if (st == ST_OK && ranges.taking.entries == 0 && wait_ms > 0)
        nanosleep(&(struct timespec){ 0, (wait_ms < APART_MS ? wait_ms : APART_MS) * 1000000L }, NULL);
    return st;
}
