/* What is paused, over all shards: from `paused`, `resuming` and `aside:<of paused>`. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "common/view/view.h"

/* One per name ("T:WebCart", "P:acct-42"), over all shards. */
static json_t *pause_of(json_t *pauses, const char *name)
{
    json_t *pause = json_object_get(pauses, name);

    if (!pause) {
        pause = json_pack("{s:n, s:n, s:n, s:n, s:i, s:b}", "Type", "ParentKey", "since", "reason", "laidAside", 0,
                          "resuming", 0);
        json_object_set_new(pause, *name == 'T' ? "Type" : "ParentKey", json_string(name + 2));
        json_object_set_new(pauses, name, pause);
    }
    return pause;
}

/* "ms reason" */
static void take_pause(json_t *pauses, const char *name, const char *value)
{
    json_t *pause = pause_of(pauses, name);
    char *reason, time[CLOCK_TEXT_SIZE];
    long long since_ms = strtoll(value, &reason, 10);

    clock_format(time, since_ms, "+0000");
    if (!json_is_string(json_object_get(pause, "since")) ||
        strcmp(time, json_string_value(json_object_get(pause, "since"))) < 0)
        json_object_set_new(pause, "since", json_string(time));
    if (*reason == ' ' && reason[1])
        json_object_set_new(pause, "reason", json_string(reason + 1));
}

static enum status read_key(struct ask *ask, struct redis_reply **reply, int shard, const char *verb, enum redis_key of,
                            const char *name, const char *from, const char *to)
{
    char key[KEY_SIZE];

    key_format(key, sizeof key, of, shard, name);
    *reply = NULL;
    return redis_call(ask->redis, reply, ask->err, verb, key, from, to, NULL);
}

static enum status count_aside(struct ask *ask, int shard, const char *name, json_t *pause)
{
    struct redis_reply *reply;
    enum status st = read_key(ask, &reply, shard, "ZCARD", KEY_ASIDE, name, NULL, NULL);

    if (st == ST_OK) {
        json_t *count = json_object_get(pause, "laidAside");

        json_integer_set(count, json_integer_value(count) + redis_reply_int(reply, 0));
    }
    redis_reply_free(reply);
    return st;
}

static enum status read_paused(struct ask *ask, int shard, json_t *pauses)
{
    struct redis_reply *reply;
    enum status st = read_key(ask, &reply, shard, "HGETALL", KEY_PAUSED, NULL, NULL, NULL);

    for (size_t i = 0; st == ST_OK && i + 1 < redis_reply_count(reply); i += 2) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        take_pause(pauses, name, redis_reply_text(redis_reply_at(reply, i + 1), NULL));
        st = count_aside(ask, shard, name, pause_of(pauses, name));
    }
    redis_reply_free(reply);
    return st;
}

static enum status read_resuming(struct ask *ask, int shard, json_t *pauses)
{
    struct redis_reply *reply;
    enum status st = read_key(ask, &reply, shard, "ZRANGE", KEY_RESUMING, NULL, "0", "-1");

    for (size_t i = 0; st == ST_OK && i < redis_reply_count(reply); i++) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        json_object_set_new(pause_of(pauses, name), "resuming", json_true());
        st = count_aside(ask, shard, name, pause_of(pauses, name));
    }
    redis_reply_free(reply);
    return st;
}

enum status view_pauses(struct ask *ask, json_t **list)
{
    json_t *pauses = json_object(), *pause;
    const char *name;
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    for (int shard = 0; shard < shards && st == ST_OK; shard++) {
        st = read_paused(ask, shard, pauses);
        if (st == ST_OK)
            st = read_resuming(ask, shard, pauses);
    }
    *list = st == ST_OK ? json_array() : NULL;
    json_object_foreach(pauses, name, pause)
    {
        if (*list)
            json_array_append(*list, pause);
    }
    json_decref(pauses);
    return st;
}
