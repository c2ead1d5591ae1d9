/* What is paused, over all shards: from `paused`, `resuming` and `aside:<of paused>`. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/redis/each.h"
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

/* What one shard holds of a pause: its `aside` is to be counted. */
struct held {
    int shard;
    json_t *pause;
    char *name;
};

static const char *const ALL[] = { "0", "-1", NULL };

struct looking {
    json_t *pauses;
    struct held *held;
    size_t count, capacity;
    char key[KEY_SIZE]; /* of the command that is being written */
};

static void hold(struct looking *looking, int shard, const char *name)
{
    GROW(looking->held, looking->count, looking->capacity);
    looking->held[looking->count++] = (struct held){ shard, pause_of(looking->pauses, name), xstrdup(name) };
}

static void take_paused(void *arg, int shard, const struct redis_reply *reply)
{
    struct looking *looking = arg;

    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        take_pause(looking->pauses, name, redis_reply_text(redis_reply_at(reply, i + 1), NULL));
        hold(looking, shard, name);
    }
}

static void take_resuming(void *arg, int shard, const struct redis_reply *reply)
{
    struct looking *looking = arg;

    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        json_object_set_new(pause_of(looking->pauses, name), "resuming", json_true());
        hold(looking, shard, name);
    }
}

static void write_aside(void *arg, int n, struct redis_command *command)
{
    struct looking *looking = arg;
    const struct held *held = &looking->held[n];

    redis_command_add_text(command, "ZCARD");
    redis_command_add_text(command, key_format(looking->key, sizeof looking->key, KEY_ASIDE, held->shard, held->name));
}

static void take_aside(void *arg, int n, const struct redis_reply *reply)
{
    struct looking *looking = arg;
    json_t *count = json_object_get(looking->held[n].pause, "laidAside");

    json_integer_set(count, json_integer_value(count) + redis_reply_int(reply, 0));
}

static void looking_release(struct looking *looking)
{
    for (size_t i = 0; i < looking->count; i++)
        free(looking->held[i].name);
    free(looking->held);
    json_decref(looking->pauses);
}

enum status view_pauses(struct ask *ask, json_t **list)
{
    struct looking looking = { .pauses = json_object() };
    const char *name;
    json_t *pause;
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    if (st == ST_OK)
        st = redis_ask_shards(ask->redis, shards, "HGETALL", KEY_PAUSED, NULL, take_paused, &looking, ask->err);
    if (st == ST_OK)
        st = redis_ask_shards(ask->redis, shards, "ZRANGE", KEY_RESUMING, ALL, take_resuming, &looking, ask->err);
    if (st == ST_OK)
        st = redis_ask_each(ask->redis, (int)looking.count, write_aside, take_aside, &looking, ask->err);
    *list = st == ST_OK ? json_array() : NULL;
    json_object_foreach(looking.pauses, name, pause)
    {
        if (*list)
            json_array_append(*list, pause);
    }
    looking_release(&looking);
    return st;
}
