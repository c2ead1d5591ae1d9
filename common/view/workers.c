/* Who runs what: from the shards' `workers`, `w:<instance>` and `leases`; and the shards themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/keys.h"
#include "common/view/view.h"

enum { INSTANCE_SIZE = 400 };

static json_t *worker_of(json_t *workers, const char *instance)
{
    json_t *worker = json_object_get(workers, instance);

    if (!worker) {
        worker = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:[]}", "instance", instance, "uri", "", "types", "",
                           "slots", 0, "running", 0, "seenAtMs", 0, "ids");
        json_object_set_new(workers, instance, worker);
    }
    return worker;
}

static void add_to(json_t *worker, const char *name, json_int_t number)
{
    json_t *sum = json_object_get(worker, name);

    json_integer_set(sum, json_integer_value(sum) + number);
}

/* "token backstop_ms instance Type payload" */
static void take_lease(json_t *workers, const char *id, const char *lease, size_t ids_max)
{
    const char *at = strchr(lease, ' ');
    char instance[INSTANCE_SIZE];
    json_t *worker;

    at = at ? strchr(at + 1, ' ') : NULL;
    if (!at)
        return;
    snprintf(instance, sizeof instance, "%.*s", (int)strcspn(at + 1, " "), at + 1);
    worker = worker_of(workers, instance);
    add_to(worker, "running", 1);
    if (json_array_size(json_object_get(worker, "ids")) < ids_max)
        json_array_append_new(json_object_get(worker, "ids"), json_string(id));
}

static enum status read_seen(struct ask *ask, int shard, json_t *workers)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE];
    enum status st;

    key_format(key, sizeof key, KEY_WORKERS, shard, NULL);
    st = redis_call(ask->redis, &reply, ask->err, "ZRANGE", key, "0", "-1", "WITHSCORES", NULL);
    for (size_t i = 0; st == ST_OK && i + 1 < redis_reply_count(reply); i += 2) {
        json_t *worker = worker_of(workers, redis_reply_text(redis_reply_at(reply, i), NULL));
        json_int_t seen = strtoll(redis_reply_text(redis_reply_at(reply, i + 1), NULL), NULL, 10);

        if (seen > json_integer_value(json_object_get(worker, "seenAtMs")))
            json_object_set_new(worker, "seenAtMs", json_integer(seen));
    }
    redis_reply_free(reply);
    return st;
}

static enum status read_leases(struct ask *ask, int shard, json_t *workers, size_t ids_max)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE];
    enum status st;

    key_format(key, sizeof key, KEY_LEASES, shard, NULL);
    st = redis_call(ask->redis, &reply, ask->err, "HGETALL", key, NULL);
    for (size_t i = 0; st == ST_OK && i + 1 < redis_reply_count(reply); i += 2) {
        take_lease(workers, redis_reply_text(redis_reply_at(reply, i), NULL),
                   redis_reply_text(redis_reply_at(reply, i + 1), NULL), ids_max);
    }
    redis_reply_free(reply);
    return st;
}

/* uri, types and slots are the same in every shard it speaks to: the first that knows it is enough. */
static enum status read_about(struct ask *ask, int shards, const char *instance, json_t *worker)
{
    enum status st = ST_OK;
    bool known = false;

    for (int shard = 0; shard < shards && !known && st == ST_OK; shard++) {
        struct redis_reply *reply = NULL;
        char key[KEY_SIZE];

        key_format(key, sizeof key, KEY_INSTANCE, shard, instance);
        st = redis_call(ask->redis, &reply, ask->err, "HMGET", key, "uri", "types", "slots", NULL);
        known = st == ST_OK && redis_reply_kind(redis_reply_at(reply, 0)) != REDIS_NIL;
        if (known) {
            json_object_set_new(worker, "uri", json_string(redis_reply_text(redis_reply_at(reply, 0), NULL)));
            json_object_set_new(worker, "types", json_string(redis_reply_text(redis_reply_at(reply, 1), NULL)));
            json_object_set_new(worker, "slots", json_integer(redis_reply_int(redis_reply_at(reply, 2), 0)));
        }
        redis_reply_free(reply);
    }
    return st;
}

static json_t *values_of(const json_t *object)
{
    json_t *list = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) json_array_append(list, value);
    return list;
}

enum status view_workers(struct ask *ask, size_t ids_max, json_t **list)
{
    json_t *workers = json_object(), *worker;
    const char *instance;
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    for (int shard = 0; shard < shards && st == ST_OK; shard++) {
        st = read_seen(ask, shard, workers);
        if (st == ST_OK)
            st = read_leases(ask, shard, workers, ids_max);
    }
    json_object_foreach(workers, instance, worker)
    {
        if (st == ST_OK)
            st = read_about(ask, shards, instance, worker);
    }
    *list = st == ST_OK ? values_of(workers) : NULL;
    json_decref(workers);
    return st;
}

enum status view_shards(struct ask *ask, json_t **list)
{
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    *list = json_array();
    for (int shard = 0; shard < shards && st == ST_OK; shard++) {
        struct redis_reply *reply = NULL;
        char key[KEY_SIZE];
        const char *mode;

        key_format(key, sizeof key, KEY_GATE, shard, NULL);
        st = redis_call(ask->redis, &reply, ask->err, "HMGET", key, "mode", "gen", "armed", NULL);
        mode = redis_reply_text(redis_reply_at(reply, 0), NULL);
        if (st == ST_OK) {
            json_array_append_new(*list,
                                  json_pack("{s:i, s:s, s:I, s:I}", "shard", shard, "mode", *mode ? mode : "EMPTY",
                                            "generation", (json_int_t)redis_reply_int(redis_reply_at(reply, 1), 0),
                                            "armedAtMs", (json_int_t)redis_reply_int(redis_reply_at(reply, 2), 0)));
        }
        redis_reply_free(reply);
    }
    if (st == ST_OK)
        return ST_OK;
    json_decref(*list);
    *list = NULL;
    return st;
}
