/* How the texts of a condition on Name or ParentKey are spelled in the queue: every way to write them in large and small
 * letters is looked for, some hundred at a time, in as few round trips as there can be: somebody waits for the page. A ParentKey
 * has an index of its own in the shard that its spelling leads to (few spellings are looked for in all shards: nothing then
 * depends on the routing); Names of all kinds of operations are in all shards. */
#include "common/query/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/routing.h"
#include "common/redis/each.h"

enum { LOT = 256, ANYWHERE_KEYS = 16384 };

struct search {
    struct ask *ask;
    struct redis_command command;
    json_t *found;
    int shards;
    bool anywhere; /* ParentKeys are looked for in every shard */
    char texts[LOT][RECORD_STRING_SIZE];
    size_t count;           /* of texts: the present lot */
    char (*keys)[KEY_SIZE]; /* of one command */
    size_t of[LOT];         /* which text each of these is of */
};

static void add_found(struct search *search, const char *text)
{
    json_t *known;
    size_t i;

    json_array_foreach(search->found, i, known)
    {
        if (strcmp(json_string_value(known), text) == 0)
            return;
    }
    json_array_append_new(search->found, json_string(text));
}

/* Writes the key that a spelling has in a shard; false: it has none there. */
typedef bool key_of(char key[KEY_SIZE], const char *text, int shard);

/* The keys of the lot in a shard, and which text each is of. */
static size_t list_keys(struct search *search, key_of *key, int shard, size_t of[LOT])
{
    size_t count = 0;

    for (size_t i = 0; i < search->count; i++) {
        if (key(search->keys[count], search->texts[i], shard))
            of[count++] = i;
    }
    return count;
}

static enum status send_exists(struct search *search, size_t count)
{
    redis_command_clear(&search->command);
    redis_command_add_text(&search->command, "EXISTS");
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(&search->command, search->keys[i]);
    return redis_send(search->ask->redis, &search->command, search->ask->err);
}

/* The next answer; st: what has failed before it. */
static enum status receive_number(struct search *search, enum status st, int64_t *number)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    enum status received = redis_receive(search->ask->redis, &reply, &err);

    *number = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    if (received != ST_OK && st == ST_OK)
        *search->ask->err = err;
    return st == ST_OK ? received : st;
}

/* Does a shard have any of the lot? One command for each shard, all at once. On a cluster the keys of a routed lot lie at
 * several servers, and no command may name them together: any may be there. */
static enum status probe_any(struct search *search, key_of *key, int from, int to, bool *any)
{
    enum status st = ST_OK;
    size_t count;
    int sent = from;

    for (int s = from; s < to; s++)
        any[s - from] = true;
    if (redis_is_cluster(search->ask->redis))
        return ST_OK;
    for (; sent < to && st == ST_OK; sent += st == ST_OK) {
        count = list_keys(search, key, sent, search->of);
        any[sent - from] = count > 0;
        if (count > 0)
            st = send_exists(search, count);
    }
    for (int s = from; s < sent; s++) {
        int64_t there = 0;

        if (any[s - from])
            st = receive_number(search, st, &there);
        any[s - from] = there > 0;
    }
    return st;
}

static void write_exists(void *arg, int n, struct redis_command *command)
{
    redis_command_add_text(command, "EXISTS");
    redis_command_add_text(command, ((struct search *)arg)->keys[n]);
}

static void take_exists(void *arg, int n, const struct redis_reply *reply)
{
    struct search *search = arg;

    if (redis_reply_int(reply, 0) > 0)
        add_found(search, search->texts[search->of[n]]);
}

/* Which of them it has: a command for each, all at once. */
static enum status probe_each(struct search *search, key_of *key, int shard)
{
    int count = (int)list_keys(search, key, shard, search->of);

    return redis_ask_each(search->ask->redis, count, write_exists, take_exists, search, search->ask->err);
}

/* The lot in the shards from .. to - 1. */
static enum status probe(struct search *search, key_of *key, int from, int to)
{
    bool *any = xcalloc((size_t)(to - from), sizeof *any);
    enum status st = probe_any(search, key, from, to, any);

    for (int s = from; s < to && st == ST_OK; s++) {
        if (any[s - from])
            st = probe_each(search, key, s);
    }
    free(any);
    return st;
}

/* ---- ParentKey ---- */
static bool parent_key(char key[KEY_SIZE], const char *text, int shard)
{
    key_format(key, KEY_SIZE, KEY_PARENT, shard, text);
    return true;
}

/* shard: their number, negative. */
static bool routed_parent_key(char key[KEY_SIZE], const char *text, int shard)
{
    return parent_key(key, text, routing_shard(text, strlen(text), 0, 0, -shard));
}

static enum status find_parent_keys(struct search *search)
{
    if (!search->anywhere)
        return probe(search, routed_parent_key, -search->shards, -search->shards + 1);
    return probe(search, parent_key, 0, search->shards);
}

/* ---- Name ---- */
/* The record that the derived Name "BO-..." belongs to. */
static bool derived_name(char key[KEY_SIZE], const char *text, int shard)
{
    struct id_parts parts;
    char id[ID_SIZE], suffix[4];

    (void)shard;
    if (strncmp(text, "BO-", 3) != 0 || strlen(text) != 18 || !id_parse(text + 3, 15, &parts))
        return false;
    id_suffix(text + 3, suffix);
    snprintf(id, sizeof id, "%s%s", text + 3, suffix);
    key_format(key, KEY_SIZE, KEY_OP, parts.shard, id);
    return true;
}

static void write_names(void *arg, int shard, struct redis_command *command)
{
    struct search *search = arg;

    redis_command_add_text(command, "HMGET");
    redis_command_add_text(command, key_format(search->keys[0], KEY_SIZE, KEY_NAMES, shard, NULL));
    for (size_t i = 0; i < search->count; i++)
        redis_command_add_text(command, search->texts[i]);
}

static void take_names(void *arg, int shard, const struct redis_reply *reply)
{
    struct search *search = arg;

    (void)shard;
    for (size_t i = 0; i < search->count; i++) {
        if (redis_reply_kind(redis_reply_at(reply, i)) == REDIS_TEXT)
            add_found(search, search->texts[i]);
    }
}

static enum status find_names(struct search *search)
{
    enum status st = probe(search, derived_name, 0, 1);

    if (st != ST_OK)
        return st;
    return redis_ask_each(search->ask->redis, search->shards, write_names, take_names, search, search->ask->err);
}

/* ---- lots ---- */
static enum status find_lot(struct search *search, enum field_index index)
{
    enum status st = ST_OK;

    if (search->count > 0)
        st = index == FIELD_INDEX_NAME ? find_names(search) : find_parent_keys(search);
    search->count = 0;
    return st;
}

static enum status find_all(struct search *search, const struct query_condition *spelled)
{
    enum status st = ST_OK;

    for (size_t i = 0; i < spelled->value_count && st == ST_OK; i++) {
        const struct query_value *value = &spelled->values[i];
        size_t count = value->size < RECORD_STRING_SIZE ? spelling_count(value->text, value->size) : 0;

        for (size_t n = 0; n < count && st == ST_OK; n++) {
            spelling_write(search->texts[search->count++], value->text, value->size, n);
            if (search->count == LOT)
                st = find_lot(search, spelled->field.index);
        }
    }
    return st == ST_OK ? find_lot(search, spelled->field.index) : st;
}

static size_t spellings_of(const struct query_condition *spelled)
{
    size_t count = 0;

    for (size_t i = 0; i < spelled->value_count; i++)
        count += spelling_count(spelled->values[i].text, spelled->values[i].size);
    return count;
}

enum status ask_spellings(struct ask *ask, json_t **spellings, const struct query_condition *spelled)
{
    struct search *search = xcalloc(1, sizeof *search);
    enum status st = ask_open(ask); /* indexes are not complete before */

    search->ask = ask;
    search->found = json_array();
    search->keys = xcalloc(LOT, sizeof *search->keys);
    redis_command_init(&search->command);
    if (st == ST_OK)
        st = ask_shards(ask, &search->shards);
    search->anywhere = search->shards > 0 && spellings_of(spelled) <= (size_t)(ANYWHERE_KEYS / search->shards);
    if (st == ST_OK && search->shards > 0)
        st = find_all(search, spelled);
    redis_command_release(&search->command);
    *spellings = search->found;
    free(search->keys);
    free(search);
    return st;
}
