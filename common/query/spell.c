/* How the texts of a condition on Name or ParentKey are spelled in the queue: every way to write them in large and small
 * letters is looked for, some hundred at a time. A ParentKey has an index of its own in the shard that its spelling leads
 * to (few spellings are looked for in all shards: nothing then depends on the routing); Names of all kinds of operations
 * are in all shards. */
#include "common/query/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/routing.h"

enum { LOT = 256, ANYWHERE_MAX = 1024 };

struct search {
    struct ask *ask;
    struct redis_command command;
    json_t *found;
    int shards;
    bool anywhere; /* ParentKeys are looked for in every shard */
    char texts[LOT][RECORD_STRING_SIZE];
    size_t count;           /* of texts: the present lot */
    char (*keys)[KEY_SIZE]; /* of one command */
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

/* The keys from `from` on, by one command. */
static enum status send_exists(struct search *search, size_t from, size_t to)
{
    redis_command_clear(&search->command);
    redis_command_add_text(&search->command, "EXISTS");
    for (size_t i = from; i < to; i++)
        redis_command_add_text(&search->command, search->keys[i]);
    return redis_send(search->ask->redis, &search->command, search->ask->err);
}

/* How many of these keys are there. On a cluster they lie at several servers: each is asked for by itself. */
static enum status count_keys(struct search *search, size_t count, int64_t *there)
{
    size_t step = redis_is_cluster(search->ask->redis) ? 1 : count, sent = 0, received = 0;
    enum status st = ST_OK;

    *there = 0;
    for (; sent < count && st == ST_OK; sent += st == ST_OK ? step : 0)
        st = send_exists(search, sent, sent + step);
    for (; received < sent; received += step) {
        struct redis_reply *reply = NULL;
        enum status answered = redis_receive(search->ask->redis, &reply, search->ask->err);

        *there += redis_reply_int(reply, 0);
        redis_reply_free(reply);
        st = st == ST_OK ? answered : st;
    }
    return st;
}

/* Writes the key that a spelling has in a shard; false: it has none there. */
typedef bool key_of(char key[KEY_SIZE], const char *text, int shard);

/* All of the lot at once; one by one only where any is there. */
static enum status probe(struct search *search, key_of *key, int shard)
{
    size_t of[LOT], count = 0;
    int64_t there = 0;
    enum status st;

    for (size_t i = 0; i < search->count; i++) {
        if (key(search->keys[count], search->texts[i], shard))
            of[count++] = i;
    }
    st = count_keys(search, count, &there);
    for (size_t i = 0; st == ST_OK && there > 0 && i < count; i++) {
        int64_t one;

        key(search->keys[0], search->texts[of[i]], shard);
        st = count_keys(search, 1, &one);
        if (st == ST_OK && one > 0)
            add_found(search, search->texts[of[i]]);
    }
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
    enum status st = ST_OK;

    if (!search->anywhere)
        return probe(search, routed_parent_key, -search->shards);
    for (int s = 0; s < search->shards && st == ST_OK; s++)
        st = probe(search, parent_key, s);
    return st;
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

static enum status find_names_in(struct search *search, int shard)
{
    struct redis_reply *reply = NULL;
    char key[64];
    enum status st;

    key_format(key, sizeof key, KEY_NAMES, shard, NULL);
    redis_command_clear(&search->command);
    redis_command_add_text(&search->command, "HMGET");
    redis_command_add_text(&search->command, key);
    for (size_t i = 0; i < search->count; i++)
        redis_command_add_text(&search->command, search->texts[i]);
    st = redis_send(search->ask->redis, &search->command, search->ask->err);
    if (st == ST_OK)
        st = redis_receive(search->ask->redis, &reply, search->ask->err);
    for (size_t i = 0; st == ST_OK && i < search->count; i++) {
        if (redis_reply_kind(redis_reply_at(reply, i)) == REDIS_TEXT)
            add_found(search, search->texts[i]);
    }
    redis_reply_free(reply);
    return st;
}

static enum status find_names(struct search *search)
{
    enum status st = probe(search, derived_name, 0);

    for (int s = 0; s < search->shards && st == ST_OK; s++)
        st = find_names_in(search, s);
    return st;
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
    search->anywhere = spellings_of(spelled) <= ANYWHERE_MAX;
    redis_command_init(&search->command);
    if (st == ST_OK)
        st = ask_shards(ask, &search->shards);
    if (st == ST_OK && search->shards > 0)
        st = find_all(search, spelled);
    redis_command_release(&search->command);
    *spellings = search->found;
    free(search->keys);
    free(search);
    return st;
}
