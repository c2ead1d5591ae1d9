#include "coordinator/intake/removed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/keys.h"

enum { ENTRIES_AT_ONCE = 500 };
enum { FIELD_IDS = 1, FIELD_CRCS = 3, FIELDS = 4 }; /* of an entry: "ids", ..., "crcs", ... */

void removed_init(struct removed *removed, struct redis *redis, const struct epochs *epochs, int shards)
{
    *removed = (struct removed){ .redis = redis, .epochs = epochs, .shards = shards };
    removed->read_to = xcalloc((size_t)shards, sizeof *removed->read_to);
}

void removed_release(struct removed *removed)
{
    free(removed->read_to);
    free(removed->list);
    *removed = (struct removed){ 0 };
}

/* ---- learning ---- */

static size_t rewritings(const struct epochs *epochs)
{
    size_t count = 0;

    for (int p = 0; p < epochs->partitions; p++)
        count += epochs->of[p].count;
    return count;
}

/* What is known is of one server, and of the places that could be read again then. */
static void begin_anew_when_due(struct removed *removed)
{
    uint64_t connection = redis_connection_number(removed->redis);
    size_t count = rewritings(removed->epochs);

    if (redis_connected(removed->redis) && connection == removed->connection && count == removed->rewritings)
        return;
    removed->connection = connection;
    removed->rewritings = count;
    removed->count = 0;
    memset(removed->read_to, 0, (size_t)removed->shards * sizeof *removed->read_to);
}

static void take(struct removed *removed, const char *id, size_t size, uint32_t crc)
{
    struct id_parts parts;
    struct removed_op *op;

    if (!id_parse(id, size, &parts) || parts.partition >= removed->epochs->partitions ||
        !epoch_repeated(removed->epochs, parts.partition, parts.offset))
        return;
    GROW(removed->list, removed->count, removed->capacity);
    op = &removed->list[removed->count++];
    id_make(op->id, &parts);
    op->crc = crc;
    removed->sorted = false;
}

/* ids, crcs: joined by blanks, in the same order. */
static void take_entry(struct removed *removed, const char *ids, const char *crcs)
{
    while (*ids && *crcs) {
        size_t size = strcspn(ids, " "), digits = strcspn(crcs, " ");

        take(removed, ids, size, (uint32_t)strtoul(crcs, NULL, 10));
        ids += size + (ids[size] == ' ');
        crcs += digits + (crcs[digits] == ' ');
    }
}

static void take_entries(struct removed *removed, int shard, const struct redis_reply *entries)
{
    for (size_t i = 0; i < redis_reply_count(entries); i++) {
        const struct redis_reply *entry = redis_reply_at(entries, i), *fields = redis_reply_at(entry, 1);

        snprintf(removed->read_to[shard], sizeof *removed->read_to, "%s",
                 redis_reply_text(redis_reply_at(entry, 0), NULL));
        if (redis_reply_count(fields) < FIELDS)
            continue; /* one of an earlier version has no checksums */
        take_entry(removed, redis_reply_text(redis_reply_at(fields, FIELD_IDS), NULL),
                   redis_reply_text(redis_reply_at(fields, FIELD_CRCS), NULL));
    }
}

static enum status learn(struct removed *removed, int shard, struct err *err)
{
    char key[KEY_SIZE], from[40], most[16];
    size_t count;

    key_format(key, sizeof key, KEY_DELETED, shard, NULL);
    snprintf(most, sizeof most, "%d", ENTRIES_AT_ONCE);
    do {
        const char *last = removed->read_to[shard];
        struct redis_reply *reply;

        snprintf(from, sizeof from, "%s%s", *last ? "(" : "-", last);
        if (redis_call(removed->redis, &reply, err, "XRANGE", key, from, "+", "COUNT", most, NULL) != ST_OK)
            return err->status;
        count = redis_reply_count(reply);
        take_entries(removed, shard, reply);
        redis_reply_free(reply);
    } while (count == ENTRIES_AT_ONCE);
    return ST_OK;
}

/* ---- asking ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct removed_op *)a)->id, ((const struct removed_op *)b)->id);
}

static bool is_known(struct removed *removed, const char *id, uint32_t crc)
{
    struct removed_op wanted;
    const struct removed_op *op;

    if (!removed->sorted && removed->count > 0)
        qsort(removed->list, removed->count, sizeof *removed->list, by_id);
    removed->sorted = true;
    snprintf(wanted.id, sizeof wanted.id, "%s", id);
    op = removed->count ? bsearch(&wanted, removed->list, removed->count, sizeof *removed->list, by_id) : NULL;
    return op && op->crc == crc;
}

enum status removed_find(struct removed *removed, struct id_parts *parts, uint32_t crc, bool *found, struct err *err)
{
    char id[ID_SIZE];

    *found = false;
    begin_anew_when_due(removed);
    if (learn(removed, parts->shard, err) != ST_OK)
        return err->status;
    for (int number = epoch_of(removed->epochs, parts->partition, parts->offset); number >= 0 && !*found; number--) {
        parts->epoch = number;
        id_make(id, parts);
        *found = is_known(removed, id, crc);
    }
    return ST_OK;
}
