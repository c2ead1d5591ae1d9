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

/* What is not UTF-8 goes into JSON as base64. */
static json_t *text_json(const char *text, size_t size, bool cut)
{
    size_t shown = cut ? whole_characters(text, size) : size;
    char *encoded;
    json_t *value;

    if (text_utf8_length(text, shown) >= 0)
        return json_stringn_nocheck(text, shown);
    encoded = xcalloc(1, BASE64_SIZE(size));
    text_base64_encode(encoded, text, size);
    value = json_pack("{s:s}", "base64", encoded);
    free(encoded);
    return value;
}

static enum status read_text(struct ask *ask, const char *key, size_t text_max, struct redis_reply **reply)
{
    char last[24];

    if (text_max == VIEW_WHOLE)
        return redis_call(ask->redis, reply, ask->err, "GET", key, NULL);
    snprintf(last, sizeof last, "%zu", text_max - 1);
    return redis_call(ask->redis, reply, ask->err, "GETRANGE", key, "0", last, NULL);
}

/* A string key as member `name`, its length as `bytes_name`; null when there is no such key. */
static enum status add_text(struct ask *ask, const char *key, size_t text_max, const char *name, const char *bytes_name,
                            json_t *record)
{
    struct redis_reply *reply = NULL;
    int64_t bytes;
    size_t size;
    const char *text;
    bool there;
    enum status st = redis_call(ask->redis, &reply, ask->err, "STRLEN", key, NULL);

    bytes = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    reply = NULL;
    if (st == ST_OK)
        st = read_text(ask, key, text_max, &reply);
    if (st != ST_OK)
        return st;
    text = redis_reply_text(reply, &size);
    there = redis_reply_kind(reply) != REDIS_NIL && (text_max == VIEW_WHOLE || bytes > 0);
    json_object_set_new(record, name, there ? text_json(text, size, (int64_t)size < bytes) : json_null());
    json_object_set_new(record, bytes_name, json_integer(bytes));
    redis_reply_free(reply);
    return ST_OK;
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
    return st == ST_OK ? add_text(ask, key, text_max, "out", "outBytes", record) : st;
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
    if (redis_reply_int(redis_reply_at(reply, 1), 0) > 0) {
        key_format(key, sizeof key, KEY_IN, shard, id);
        st = add_text(ask, key, text_max, "payload", "payloadBytes", record);
    } else {
        text = redis_reply_text(redis_reply_at(reply, 0), &size);
        json_object_set_new(record, "payload", size ? text_json(text, size, false) : json_null());
        json_object_set_new(record, "payloadBytes", json_integer((json_int_t)size));
    }
    redis_reply_free(reply);
    return st;
}
