/* Who runs what: from the shards' `workers`, `w:<instance>` and `leases`; and the shards themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/redis/each.h"
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

static const char *const ALL_SEEN[] = { "0", "-1", "WITHSCORES", NULL };

/* What is being looked at. */
struct looking {
    json_t *workers;
    size_t ids_max;
    char key[KEY_SIZE]; /* of the command that is being written */
    /* of those that are asked about: */
    const char **instances;
    int shard;
};

static void take_seen(void *arg, int shard, const struct redis_reply *reply)
{
    struct looking *looking = arg;

    (void)shard;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        json_t *worker = worker_of(looking->workers, redis_reply_text(redis_reply_at(reply, i), NULL));
        json_int_t seen = strtoll(redis_reply_text(redis_reply_at(reply, i + 1), NULL), NULL, 10);

        if (seen > json_integer_value(json_object_get(worker, "seenAtMs")))
            json_object_set_new(worker, "seenAtMs", json_integer(seen));
    }
}

static void take_leases(void *arg, int shard, const struct redis_reply *reply)
{
    struct looking *looking = arg;

    (void)shard;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        take_lease(looking->workers, redis_reply_text(redis_reply_at(reply, i), NULL),
                   redis_reply_text(redis_reply_at(reply, i + 1), NULL), looking->ids_max);
    }
}

/* ---- uri, types and slots: the same in every shard that a worker speaks to ---- */

static void write_about(void *arg, int n, struct redis_command *command)
{
    struct looking *looking = arg;

    redis_command_add_text(command, "HMGET");
    redis_command_add_text(
        command, key_format(looking->key, sizeof looking->key, KEY_INSTANCE, looking->shard, looking->instances[n]));
    redis_command_add_text(command, "uri");
    redis_command_add_text(command, "types");
    redis_command_add_text(command, "slots");
}

static void take_about(void *arg, int n, const struct redis_reply *reply)
{
    struct looking *looking = arg;
    json_t *worker = json_object_get(looking->workers, looking->instances[n]);

    if (redis_reply_kind(redis_reply_at(reply, 0)) == REDIS_NIL)
        return;
    json_object_set_new(worker, "uri", json_string(redis_reply_text(redis_reply_at(reply, 0), NULL)));
    json_object_set_new(worker, "types", json_string(redis_reply_text(redis_reply_at(reply, 1), NULL)));
    json_object_set_new(worker, "slots", json_integer(redis_reply_int(redis_reply_at(reply, 2), 0)));
    looking->instances[n] = NULL; /* it is known */
}

/* Of all in the first shard; of those that it does not know in the next, and so on. */
static enum status read_about(struct ask *ask, int shards, struct looking *looking)
{
    const char *instance;
    enum status st = ST_OK;
    json_t *worker;
    int count = 0;

    looking->instances = xcalloc(json_object_size(looking->workers) + 1, sizeof *looking->instances);
    json_object_foreach(looking->workers, instance, worker) looking->instances[count++] = instance;
    for (looking->shard = 0; looking->shard < shards && count > 0 && st == ST_OK; looking->shard++) {
        int left = 0;

        st = redis_ask_each(ask->redis, count, write_about, take_about, looking, ask->err);
        for (int i = 0; i < count; i++) {
            if (looking->instances[i])
                looking->instances[left++] = looking->instances[i];
        }
        count = left;
    }
    free(looking->instances);
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
    struct looking looking = { .workers = json_object(), .ids_max = ids_max };
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    if (st == ST_OK)
        st = redis_ask_shards(ask->redis, shards, "ZRANGE", KEY_WORKERS, ALL_SEEN, take_seen, &looking, ask->err);
    if (st == ST_OK)
        st = redis_ask_shards(ask->redis, shards, "HGETALL", KEY_LEASES, NULL, take_leases, &looking, ask->err);
    if (st == ST_OK)
        st = read_about(ask, shards, &looking);
    *list = st == ST_OK ? values_of(looking.workers) : NULL;
    json_decref(looking.workers);
    return st;
}

/* ---- shards ---- */

static const char *const GATE_FIELDS[] = { "mode", "gen", "armed", NULL };

static void take_gate(void *arg, int shard, const struct redis_reply *reply)
{
    const char *mode = redis_reply_text(redis_reply_at(reply, 0), NULL);

    json_array_append_new(arg, json_pack("{s:i, s:s, s:I, s:I}", "shard", shard, "mode", *mode ? mode : "EMPTY",
                                         "generation", (json_int_t)redis_reply_int(redis_reply_at(reply, 1), 0),
                                         "armedAtMs", (json_int_t)redis_reply_int(redis_reply_at(reply, 2), 0)));
}

enum status view_shards(struct ask *ask, json_t **list)
{
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    *list = json_array();
    if (st == ST_OK)
        st = redis_ask_shards(ask->redis, shards, "HMGET", KEY_GATE, GATE_FIELDS, take_gate, *list, ask->err);
    if (st == ST_OK)
        return ST_OK;
    json_decref(*list);
    *list = NULL;
    return st;
}
