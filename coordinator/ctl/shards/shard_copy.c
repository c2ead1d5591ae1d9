#include "coordinator/ctl/shards/shard_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/server/cluster_map.h"
#include "coordinator/ctl/shards/server_slots.h"

enum {
    MIGRATE_MS = 10000, /* that the source may be held up by one MIGRATE whose target stands still */
    SCAN_COUNT = 500,
    REPLICAS_MS = 200, /* the shard stands still: a replica that is far behind is not waited for */
    CHUNK_MAX = 256,   /* keys of one MIGRATE, from SHARD_COPY_CHUNK on */
    SLOW_MS = 4,       /* that takes longer: fewer keys; less than half of it: more */
};

/* Copies of keys that may be gone or others now: the target drops them. One by one: a command with several is refused where
 * one of them is not there. */
static enum status target_drop(struct shard_copy *copy, const struct key_text *keys, size_t count, struct err *err)
{
    struct redis_command asking, drop;
    enum status st = ST_OK;
    size_t sent = 0;

    if (!copy->in_a_hurry)
        redis_disconnect(copy->target); /* it may have been idle for longer than its server bears */
    redis_command_init(&asking);
    redis_command_init(&drop);
    redis_command_add_text(&asking, "ASKING");
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        redis_command_clear(&drop);
        redis_command_add_text(&drop, "UNLINK");
        redis_command_add(&drop, keys[i].data, keys[i].size);
        st = redis_send(copy->target, &asking, err);
        sent += st == ST_OK;
        if (st == ST_OK)
            st = redis_send(copy->target, &drop, err);
        sent += st == ST_OK;
    }
    for (size_t i = 0; i < sent; i++) {
        struct redis_reply *reply = NULL;
        struct err later = ERR_INIT;
        enum status got = redis_receive(copy->target, &reply, st == ST_OK ? err : &later);

        redis_reply_free(reply);
        st = st == ST_OK ? got : st;
    }
    redis_command_release(&asking);
    redis_command_release(&drop);
    return st;
}

static enum status migrate(struct shard_copy *copy, const struct key_text *keys, size_t count, struct err *err)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    enum status st;

    redis_command_init(&command);
    redis_command_add_text(&command, "MIGRATE");
    redis_command_add_text(&command, copy->host);
    redis_command_add_text(&command, copy->port);
    redis_command_add_text(&command, "");
    redis_command_add_text(&command, "0");
    redis_command_add_int(&command, MIGRATE_MS);
    redis_command_add_text(&command, "COPY");
    redis_command_add_text(&command, "REPLACE");
    redis_command_add_login(&command, copy->target);
    redis_command_add_text(&command, "KEYS");
    for (size_t i = 0; i < count; i++)
        redis_command_add(&command, keys[i].data, keys[i].size);
    st = redis_send(copy->source, &command, err);
    if (st == ST_OK)
        st = redis_receive(copy->source, &reply, err);
    redis_reply_free(reply);
    redis_command_release(&command);
    return st == ST_OK ? ST_OK
                       : err_prefix(err, "Redis at %s: MIGRATE to %s", redis_address(copy->source),
                                    redis_address(copy->target));
}

static void pause_us(int64_t us)
{
    nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL);
}

/* Both servers do nothing else while MIGRATE works: it gets as many keys as take some ms, and pauses as long as it took. */
static void pace(struct shard_copy *copy, int64_t took_us)
{
    if (took_us > SLOW_MS * 1000 && copy->chunk > SHARD_COPY_CHUNK)
        copy->chunk /= 2;
    else if (took_us < SLOW_MS * 500 && copy->chunk < CHUNK_MAX)
        copy->chunk *= 2;
    if (!copy->in_a_hurry)
        pause_us(took_us);
}

/* Answers whether to go on. */
static bool go_on(struct shard_copy *copy, struct err *err)
{
    if (copy->in_a_hurry || copy->progress(copy->arg, copy->copied, copy->all))
        return true;
    err_set(err, ST_LIMIT, "given up");
    return false;
}

static bool goes_last(const struct shard_copy *copy, const char *key, size_t size)
{
    for (size_t i = 0; i < copy->last.count; i++) {
        if (copy->last.keys[i].size == size && memcmp(copy->last.keys[i].data, key, size) == 0)
            return true;
    }
    return false;
}

static enum status copy_list(struct shard_copy *copy, const struct key_list *list, struct err *err)
{
    enum status st = ST_OK;

    for (size_t i = 0; i < list->count && st == ST_OK;) {
        size_t rest = list->count - i, count = copy->in_a_hurry ? CHUNK_MAX : copy->chunk;
        int64_t began = clock_boot_us();

        count = count < rest ? count : rest;
        st = migrate(copy, list->keys + i, count, err);
        i += count;
        copy->copied += (long long)count;
        pace(copy, clock_boot_us() - began);
        if (st == ST_OK)
            st = changed_keys_take(&copy->changed, err);
        if (st == ST_OK && !go_on(copy, err))
            st = err->status;
    }
    return st;
}

/* What changed, and what was removed. */
enum status shard_copy_changed(struct shard_copy *copy, struct err *err)
{
    struct key_list list = { 0 };
    enum status st;

    key_list_unique(&copy->changed.keys);
    for (size_t i = 0; i < copy->changed.keys.count; i++) {
        const struct key_text *key = &copy->changed.keys.keys[i];

        if (!goes_last(copy, key->data, key->size))
            key_list_add(&list, key->data, key->size);
    }
    key_list_clear(&copy->changed.keys);
    st = target_drop(copy, list.keys, list.count, err);
    if (st == ST_OK)
        st = copy_list(copy, &list, err);
    key_list_release(&list);
    return st;
}

static bool is_ours(const struct shard_copy *copy, const char *key)
{
    for (size_t i = 0; i < copy->prefixes.count; i++) {
        if (strncmp(key, copy->prefixes.keys[i].data, copy->prefixes.keys[i].size) == 0)
            return true;
    }
    return false;
}

/* Of a page of all keys, those of the slot. What is no shard's is written to without a look at the shard: it would be lost. */
static enum status copy_page(struct shard_copy *copy, const struct redis_reply *page, struct err *err)
{
    struct key_list list = { 0 };
    enum status st = ST_OK;

    for (size_t i = 0; i < redis_reply_count(page) && st == ST_OK; i++) {
        char quoted[64];
        size_t size;
        const char *key = redis_reply_text(redis_reply_at(page, i), &size);

        if (cluster_slot(key, size) != copy->number)
            continue;
        if (is_ours(copy, key) && !goes_last(copy, key, size)) {
            key_list_add(&list, key, size);
        } else if (!is_ours(copy, key)) {
            st = err_set_server(err, ST_INVALID, "redis",
                                "its slot, %s, also has the key %s, which is no shard's: move the slot with redis-cli "
                                "--cluster reshard, which holds up the shard from its first key to its last",
                                copy->slot, text_quote(quoted, sizeof quoted, key, size));
        }
    }
    if (st == ST_OK)
        st = copy_list(copy, &list, err);
    key_list_release(&list);
    return st;
}

/* A walk over the whole server, since Redis has none over a slot; what is added meanwhile is told as changed. */
enum status shard_copy_all(struct shard_copy *copy, struct err *err)
{
    char cursor[32] = "0", count[16];
    enum status st = server_count_keys(copy->source, copy->number, &copy->all, err);

    snprintf(count, sizeof count, "%d", SCAN_COUNT);
    while (st == ST_OK) {
        struct redis_reply *reply = NULL;
        int64_t began = clock_boot_us();

        st = redis_call(copy->source, &reply, err, "SCAN", cursor, "COUNT", count, NULL);
        if (st != ST_OK)
            return err_prefix(err, "Redis at %s: SCAN", redis_address(copy->source));
        pause_us(clock_boot_us() - began);
        snprintf(cursor, sizeof cursor, "%s", redis_reply_text(redis_reply_at(reply, 0), NULL));
        st = copy_page(copy, redis_reply_at(reply, 1), err);
        redis_reply_free(reply);
        if (st == ST_OK && !go_on(copy, err))
            st = err->status;
        if (strcmp(cursor, "0") == 0)
            return st;
    }
    return st;
}

/* How many replicas the target has; -1: it does not say. */
static int64_t target_replicas(struct shard_copy *copy, struct err *err)
{
    static const char field[] = "connected_slaves:";
    struct redis_reply *reply = NULL;
    const char *at = NULL;
    int64_t count = -1;

    if (redis_call(copy->target, &reply, err, "INFO", "replication", NULL) == ST_OK)
        at = strstr(redis_reply_text(reply, NULL), field);
    if (at)
        count = strtoll(at + sizeof field - 1, NULL, 10);
    redis_reply_free(reply);
    return count;
}

enum status shard_copy_last(struct shard_copy *copy, struct err *err)
{
    struct redis_reply *reply = NULL;
    char replicas[24], within_ms[16];
    enum status st = migrate(copy, copy->last.keys, copy->last.count, err);
    int64_t count = st == ST_OK ? target_replicas(copy, err) : 0;

    if (st != ST_OK || count <= 0)
        return count < 0 ? err->status : st;
    snprintf(replicas, sizeof replicas, "%" PRId64, count);
    snprintf(within_ms, sizeof within_ms, "%d", REPLICAS_MS);
    st = redis_call(copy->target, &reply, err, "WAIT", replicas, within_ms, NULL);
    redis_reply_free(reply);
    return st;
}

/* Copies that an earlier move left behind, or this one: the target must not have the slot. */
enum status shard_copy_drop(struct shard_copy *copy, struct err *err)
{
    for (;;) {
        struct redis_reply *reply = NULL;
        struct key_list list = { 0 };
        enum status st = redis_call(copy->target, &reply, err, "CLUSTER", "GETKEYSINSLOT", copy->slot, "1000", NULL);
        bool done;

        if (st != ST_OK)
            return st;
        key_list_add_all(&list, reply);
        redis_reply_free(reply);
        done = list.count == 0;
        st = target_drop(copy, list.keys, list.count, err);
        key_list_release(&list);
        if (st != ST_OK || done)
            return st;
    }
}
