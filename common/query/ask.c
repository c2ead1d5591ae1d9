/* Calls that have nothing to do with the order of rows: a function, the leaders of a page, spellings. */
#include "common/query/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/id.h"

enum { RECOVERING_PAUSE_MS = 200 };

static enum status ask_once(struct ask *ask, json_t **answer, const struct redis_command *command)
{
    struct redis_reply *reply = NULL;
    json_error_t error;
    size_t size;
    const char *text;
    enum status st = redis_send(ask->redis, command, ask->err);

    if (st == ST_OK)
        st = redis_receive(ask->redis, &reply, ask->err);
    if (st != ST_OK)
        return st;
    text = redis_reply_text(reply, &size);
    *answer = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    redis_reply_free(reply);
    return *answer ? ST_OK
                   : err_set(ask->err, ST_FAILED, "Redis at %s: the answer is not JSON: %s", redis_address(ask->redis),
                             error.text);
}

enum status ask_function(struct ask *ask, json_t **answer, int shard, const char *function, const char *const *args,
                         size_t count)
{
    struct redis_command command;
    int64_t deadline = clock_boot_ms() + ask->recovering_ms;
    enum status st;
    char key[32];

    *answer = NULL;
    redis_command_init(&command);
    redis_command_add_text(&command, "FCALL_RO");
    redis_command_add_text(&command, function);
    redis_command_add_text(&command, shard == ASK_ALL_SHARDS ? "0" : "1");
    snprintf(key, sizeof key, "bgop:{%d}", shard);
    if (shard != ASK_ALL_SHARDS)
        redis_command_add_text(&command, key);
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(&command, args[i]);
    for (;;) {
        struct timespec pause = { 0, RECOVERING_PAUSE_MS * 1000000L };

        st = ask_once(ask, answer, &command);
        if (st != ST_RECOVERING || clock_boot_ms() >= deadline)
            break;
        nanosleep(&pause, NULL);
    }
    redis_command_release(&command);
    return st;
}

/* Asks for a Name that nobody has. */
enum status ask_open(struct ask *ask)
{
    json_t *answer = NULL;
    enum status st = ask_function(ask, &answer, ASK_ALL_SHARDS, "bgop_lookup", (const char *[]){ "Name", "" }, 2);

    json_decref(answer);
    return st;
}

enum status ask_shards(struct ask *ask, int *shards)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(ask->redis, &reply, ask->err, "HGET", "bgop:meta", "shards", NULL);
    int64_t number = redis_reply_int(reply, 0);

    redis_reply_free(reply);
    if (st == ST_OK && (number < 0 || number > ID_SHARDS_MAX))
        return err_set(ask->err, ST_FAILED, "bgop:meta says %lld shards", (long long)number);
    *shards = (int)number;
    return st;
}

/* ---- leaders ---- */
static const char *leader_id(const json_t *row)
{
    return json_string_value(json_object_get(row, record_fields[FIELD_INDEX_GROUP_LEADER_ID].name));
}

enum status ask_leaders(struct ask *ask, json_t *rows, const struct field_set *fields)
{
    const char *args[1 + PLAN_PAGE_ROWS];
    size_t count = 1, i, next = 0;
    json_t *leaders = NULL, *row;
    enum status st = ST_OK;
    struct buf names;

    BGOP_ASSERT(json_array_size(rows) <= PLAN_PAGE_ROWS);
    buf_init(&names, 4096);
    for (i = 0; i < fields->count; i++)
        buf_printf(&names, "%s%s", i > 0 ? "," : "", record_fields[fields->fields[i].index].name);
    args[0] = names.data;
    json_array_foreach(rows, i, row)
    {
        if (leader_id(row))
            args[count++] = leader_id(row);
    }
    if (count > 1)
        st = ask_function(ask, &leaders, ASK_ALL_SHARDS, "bgop_retrieve", args, count);
    if (st == ST_OK && count > 1 && json_array_size(leaders) != count - 1)
        st = err_set(ask->err, ST_FAILED, "bgop_retrieve answered %zu rows for %zu Ids", json_array_size(leaders),
                     count - 1);
    json_array_foreach(rows, i, row)
    {
        if (st == ST_OK)
            json_object_set(row, QUERY_LEADER, leader_id(row) ? json_array_get(leaders, next++) : json_null());
    }
    json_decref(leaders);
    buf_release(&names);
    return st;
}

/* ---- spellings: which of the ways to write a text are there ---- */
struct spellings {
    struct ask *ask;
    json_t *found;
    char **texts; /* every way to write every value */
    size_t count;
    int shards;
};

static void spell(struct spellings *spellings, const struct query_condition *spelled)
{
    spellings->texts = xcalloc(PLAN_SPELLINGS_MAX, sizeof *spellings->texts);
    for (size_t i = 0; i < spelled->value_count; i++) {
        const struct query_value *value = &spelled->values[i];

        for (size_t n = 0; n < spelling_count(value->text, value->size); n++) {
            char *text = xmalloc(value->size + 1);

            BGOP_ASSERT(spellings->count < PLAN_SPELLINGS_MAX);
            spelling_write(text, value->text, value->size, n);
            spellings->texts[spellings->count++] = text;
        }
    }
}

static void found(struct spellings *spellings, const char *text)
{
    json_t *known;
    size_t i;

    json_array_foreach(spellings->found, i, known)
    {
        if (strcmp(json_string_value(known), text) == 0)
            return;
    }
    json_array_append_new(spellings->found, json_string(text));
}

/* The Id that the derived Name "BO-..." stands for; false: this is none. */
static bool derived_id(const char *name, char id[ID_SIZE], int *shard)
{
    struct id_parts parts;

    if (strncmp(name, "BO-", 3) != 0 || strlen(name) != 18 || !id_parse(name + 3, 15, &parts))
        return false;
    memcpy(id, name + 3, 15);
    id_suffix(id, id + 15);
    *shard = parts.shard;
    return true;
}

/* EXISTS of one spelling in every shard: a number that is not 0 when it is there. */
static enum status send_parent_key(struct spellings *spellings, struct redis_command *command, const char *text)
{
    struct buf keys;
    size_t *ends = xcalloc((size_t)spellings->shards, sizeof *ends), from = 0;
    enum status st;

    buf_init(&keys, SIZE_MAX);
    redis_command_clear(command);
    redis_command_add_text(command, "EXISTS");
    for (int s = 0; s < spellings->shards; s++) {
        buf_printf(&keys, "bgop:{%d}:parent:", s);
        buf_append_string(&keys, text);
        ends[s] = keys.size;
    }
    for (int s = 0; s < spellings->shards; s++) {
        redis_command_add(command, keys.data + from, ends[s] - from);
        from = ends[s];
    }
    st = redis_send(spellings->ask->redis, command, spellings->ask->err);
    buf_release(&keys);
    free(ends);
    return st;
}

static enum status send_derived_name(struct spellings *spellings, struct redis_command *command, const char *id,
                                     int shard)
{
    char key[64];

    snprintf(key, sizeof key, "bgop:{%d}:op:%s", shard, id);
    redis_command_clear(command);
    redis_command_add_text(command, "EXISTS");
    redis_command_add_text(command, key);
    return redis_send(spellings->ask->redis, command, spellings->ask->err);
}

static enum status receive_exists(struct spellings *spellings, const char *text)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_receive(spellings->ask->redis, &reply, spellings->ask->err);

    if (st == ST_OK && redis_reply_int(reply, 0) > 0)
        found(spellings, text);
    redis_reply_free(reply);
    return st;
}

/* All commands are sent before the first answer is read; after an error what was sent is received all the same, as the
 * edge asks for. */
static enum status find_parent_keys(struct spellings *spellings, struct redis_command *command)
{
    enum status st = ST_OK, received;
    size_t sent = 0;

    while (st == ST_OK && sent < spellings->count) {
        st = send_parent_key(spellings, command, spellings->texts[sent]);
        sent += st == ST_OK;
    }
    for (size_t i = 0; i < sent; i++) {
        received = receive_exists(spellings, spellings->texts[i]);
        st = st == ST_OK ? received : st;
    }
    return st;
}

static enum status find_derived_names(struct spellings *spellings, struct redis_command *command)
{
    enum status st = ST_OK;
    char id[ID_SIZE];
    int shard;

    for (size_t i = 0; i < spellings->count && st == ST_OK; i++) {
        if (!derived_id(spellings->texts[i], id, &shard))
            continue;
        st = send_derived_name(spellings, command, id, shard);
        if (st == ST_OK)
            st = receive_exists(spellings, spellings->texts[i]);
    }
    return st;
}

static enum status find_names_of(struct spellings *spellings, struct redis_command *command, int shard)
{
    struct redis_reply *reply = NULL;
    char key[64];
    enum status st;

    snprintf(key, sizeof key, "bgop:{%d}:names", shard);
    redis_command_clear(command);
    redis_command_add_text(command, "HMGET");
    redis_command_add_text(command, key);
    for (size_t i = 0; i < spellings->count; i++)
        redis_command_add_text(command, spellings->texts[i]);
    st = redis_send(spellings->ask->redis, command, spellings->ask->err);
    if (st == ST_OK)
        st = redis_receive(spellings->ask->redis, &reply, spellings->ask->err);
    for (size_t i = 0; st == ST_OK && i < spellings->count; i++) {
        if (redis_reply_kind(redis_reply_at(reply, i)) == REDIS_TEXT)
            found(spellings, spellings->texts[i]);
    }
    redis_reply_free(reply);
    return st;
}

static enum status find_names(struct spellings *spellings, struct redis_command *command)
{
    enum status st = find_derived_names(spellings, command);

    for (int s = 0; s < spellings->shards && st == ST_OK; s++)
        st = find_names_of(spellings, command, s);
    return st;
}

enum status ask_spellings(struct ask *ask, json_t **result, const struct query_condition *spelled)
{
    struct spellings spellings = { .ask = ask, .found = json_array() };
    struct redis_command command;
    enum status st = ask_open(ask); /* indexes are not complete before */

    redis_command_init(&command);
    spell(&spellings, spelled);
    if (st == ST_OK)
        st = ask_shards(ask, &spellings.shards);
    if (st == ST_OK)
        st = spelled->field.index == FIELD_INDEX_NAME ? find_names(&spellings, &command)
                                                      : find_parent_keys(&spellings, &command);
    redis_command_release(&command);
    for (size_t i = 0; i < spellings.count; i++)
        free(spellings.texts[i]);
    free(spellings.texts);
    *result = spellings.found;
    return st;
}
