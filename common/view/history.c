/* One operation beside its record: failed attempts, commands, what went in and what came out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/view/view.h"

enum { UTF8_REST_MAX = 3 }; /* bytes of a character that a cut leaves behind */

static enum status shard_of(struct ask *ask, const char *id, int *shard)
{
    struct id_parts parts;

    if (!id_parse(id, strlen(id), &parts))
        return err_set(ask->err, ST_INVALID, "%.40s is not an Id", id);
    *shard = parts.shard;
    return ST_OK;
}

/* A list of JSON texts as a member of the record. */
static enum status read_list(struct ask *ask, enum redis_key list_key, int shard, const char *id, json_t *record)
{
    char key[KEY_SIZE];
    struct redis_reply *reply = NULL;
    json_t *list;
    enum status st;

    key_format(key, sizeof key, list_key, shard, id);
    st = redis_call(ask->redis, &reply, ask->err, "LRANGE", key, "0", "-1", NULL);
    if (st != ST_OK)
        return st;
    list = json_array();
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        size_t size;
        const char *text = redis_reply_text(redis_reply_at(reply, i), &size);
        json_t *entry = json_loadb(text, size, 0, NULL);

        json_array_append_new(list, entry ? entry : json_stringn_nocheck(text, size));
    }
    json_object_set_new(record, key_name(list_key), list);
    redis_reply_free(reply);
    return ST_OK;
}

/* ---- texts of any bytes ---- */

/* A cut may fall into a character: without its rest the text is UTF-8 when it was. */
static size_t whole_characters(const char *text, size_t size)
{
    for (size_t rest = 0; rest <= UTF8_REST_MAX && rest < size; rest++) {
        if (text_utf8_length(text, size - rest) >= 0)
            return size - rest;
    }
    return size;
}

/* A text as member `name`, cut to text_max, and its bytes as `bytes_name`. What is not UTF-8 goes into JSON as base64. */
static void put_text(json_t *record, const char *name, const char *bytes_name, const char *text, size_t size,
                     size_t text_max)
{
    size_t shown = text_max == VIEW_WHOLE || size <= text_max ? size : whole_characters(text, text_max);
    char *encoded;

    json_object_set_new(record, bytes_name, json_integer((json_int_t)size));
    if (text_utf8_length(text, shown) >= 0) {
        json_object_set_new(record, name, json_stringn_nocheck(text, shown));
        return;
    }
    encoded = xcalloc(1, BASE64_SIZE(shown));
    text_base64_encode(encoded, text, shown);
    json_object_set_new(record, name, json_pack("{s:s}", "base64", encoded));
    free(encoded);
}

static void put_nothing(json_t *record, const char *name, const char *bytes_name)
{
    json_object_set_new(record, name, json_null());
    json_object_set_new(record, bytes_name, json_integer(0));
}

/* A string key; null when there is no such key. */
static enum status read_text(struct ask *ask, const char *key, size_t text_max, const char *name,
                             const char *bytes_name, json_t *record)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(ask->redis, &reply, ask->err, "GET", key, NULL);
    size_t size;
    const char *text = redis_reply_text(reply, &size);

    if (st == ST_OK && redis_reply_kind(reply) != REDIS_NIL)
        put_text(record, name, bytes_name, text, size, text_max);
    else
        put_nothing(record, name, bytes_name);
    redis_reply_free(reply);
    return st;
}

/* ---- the whole ---- */

/* How often it was redriven: no field of the record, but what redrive_limit is about. */
static enum status read_redrives(struct ask *ask, int shard, const char *id, json_t *record)
{
    char key[KEY_SIZE];
    struct redis_reply *reply = NULL;
    enum status st;

    key_format(key, sizeof key, KEY_OP, shard, id);
    st = redis_call(ask->redis, &reply, ask->err, "HGET", key, "redrives", NULL);
    if (st == ST_OK)
        json_object_set_new(record, "redrives", json_integer(redis_reply_int(reply, 0)));
    redis_reply_free(reply);
    return st;
}

enum status view_history(struct ask *ask, const char *id, size_t text_max, json_t *record)
{
    char key[KEY_SIZE];
    int shard = 0;
    enum status st = shard_of(ask, id, &shard);

    if (st == ST_OK)
        st = read_list(ask, KEY_TRIES, shard, id, record);
    if (st == ST_OK)
        st = read_list(ask, KEY_COMMANDS, shard, id, record);
    if (st == ST_OK)
        st = read_redrives(ask, shard, id, record);
    key_format(key, sizeof key, KEY_OUT, shard, id);
    return st == ST_OK ? read_text(ask, key, text_max, "out", "outBytes", record) : st;
}

enum status view_payload(struct ask *ask, const char *id, size_t text_max, json_t *record)
{
    char key[KEY_SIZE];
    int shard = 0;
    struct redis_reply *reply = NULL;
    enum status st = shard_of(ask, id, &shard);
    size_t size;
    const char *text;

    key_format(key, sizeof key, KEY_OP, shard, id);
    if (st == ST_OK)
        st = redis_call(ask->redis, &reply, ask->err, "HMGET", key, "in", "large", NULL);
    if (st != ST_OK)
        return st;
    text = redis_reply_text(redis_reply_at(reply, 0), &size);
    if (redis_reply_int(redis_reply_at(reply, 1), 0) > 0) {
        key_format(key, sizeof key, KEY_IN, shard, id);
        st = read_text(ask, key, text_max, "payload", "payloadBytes", record);
    } else if (size > 0) {
        put_text(record, "payload", "payloadBytes", text, size, text_max);
    } else {
        put_nothing(record, "payload", "payloadBytes");
    }
    redis_reply_free(reply);
    return st;
}

/* ---- execution groups ---- */

/* The name of an execution, "<leader>-<attempt>"; "" when the leader has no record any more. */
static enum status name_execution(struct ask *ask, const char *leader, int shard, char *name, size_t room)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE];
    enum status st;
    int64_t token;

    key_format(key, sizeof key, KEY_OP, shard, leader);
    st = redis_call(ask->redis, &reply, ask->err, "HGET", key, "token", NULL);
    token = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    name[0] = '\0';
    if (token > 0)
        snprintf(name, room, "%s-%lld", leader, (long long)(token % VIEW_ATTEMPTS));
    return st;
}

enum status view_group(struct ask *ask, const char *leader, json_t *record)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE], name[ID_SIZE + 24];
    int shard = 0;
    json_t *members = json_array();
    enum status st = shard_of(ask, leader, &shard);

    if (st == ST_OK)
        st = name_execution(ask, leader, shard, name, sizeof name);
    if (st == ST_OK && name[0]) {
        key_format(key, sizeof key, KEY_GROUP, shard, name);
        st = redis_call(ask->redis, &reply, ask->err, "LRANGE", key, "0", "199", NULL);
    }
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const char *id = redis_reply_text(redis_reply_at(reply, i), NULL);

        if (*id) /* else it tells that one of them was touched */
            json_array_append_new(members, json_string(id));
    }
    redis_reply_free(reply);
    json_object_set_new(record, "group", members);
    return st;
}
