/* paused: which Types and ParentKeys are paused, since when, why, and how much lies aside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

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

static int read_key(struct session *session, struct redis_reply **reply, int shard, const char *verb, enum redis_key of,
                    const char *name, const char *from, const char *to)
{
    struct err err = ERR_INIT;
    char key[1200];

    key_format(key, sizeof key, of, shard, name);
    *reply = NULL;
    return redis_call(session->redis, reply, &err, verb, key, from, to, NULL) == ST_OK ? EXIT_OK
                                                                                       : session_fail_status(&err);
}

static int count_aside(struct session *session, int shard, const char *name, json_t *pause)
{
    struct redis_reply *reply;
    int code = read_key(session, &reply, shard, "ZCARD", KEY_ASIDE, name, NULL, NULL);

    if (code == EXIT_OK) {
        json_t *count = json_object_get(pause, "laidAside");

        json_integer_set(count, json_integer_value(count) + redis_reply_int(reply, 0));
    }
    redis_reply_free(reply);
    return code;
}

static int read_shard(struct session *session, int shard, json_t *pauses)
{
    struct redis_reply *reply;
    int code = read_key(session, &reply, shard, "HGETALL", KEY_PAUSED, NULL, NULL, NULL);

    for (size_t i = 0; i + 1 < redis_reply_count(reply) && code == EXIT_OK; i += 2) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        take_pause(pauses, name, redis_reply_text(redis_reply_at(reply, i + 1), NULL));
        code = count_aside(session, shard, name, pause_of(pauses, name));
    }
    redis_reply_free(reply);
    if (code == EXIT_OK)
        code = read_key(session, &reply, shard, "ZRANGE", KEY_RESUMING, NULL, "0", "-1");
    else
        return code;
    for (size_t i = 0; i < redis_reply_count(reply) && code == EXIT_OK; i++) {
        const char *name = redis_reply_text(redis_reply_at(reply, i), NULL);

        json_object_set_new(pause_of(pauses, name), "resuming", json_true());
        code = count_aside(session, shard, name, pause_of(pauses, name));
    }
    redis_reply_free(reply);
    return code;
}

static void print_pauses(json_t *pauses)
{
    static const struct column columns[] = {
        { "WHAT", 0 },
        { "NAME", COLUMN_SHRINK },
        { "SINCE", 0 },
        { "LAID ASIDE", COLUMN_RIGHT },
        { "REASON", COLUMN_SHRINK },
        { "", 0 },
    };
    struct table table;
    json_t *pause;
    const char *name;
    char text[64];

    table_init(&table, columns, sizeof columns / sizeof *columns);
    json_object_foreach(pauses, name, pause)
    {
        const char *since = json_string_value(json_object_get(pause, "since"));

        table_add(&table, *name == 'T' ? "Type" : "ParentKey");
        table_add(&table, name + 2);
        table_add(&table, since ? format_time(text, since) : "");
        table_add(&table, format_count(text, json_integer_value(json_object_get(pause, "laidAside"))));
        table_add_json(&table, json_object_get(pause, "reason"));
        table_add(&table, json_is_true(json_object_get(pause, "resuming")) ? "being resumed" : "");
    }
    if (json_object_size(pauses))
        table_print(&table, stdout, terminal_width(stdout), false);
    else
        fprintf(stderr, "nothing is paused\n");
    table_release(&table);
}

static int run(struct session *session, int count, char **operands)
{
    json_t *pauses = json_object(), *list = json_array(), *pause;
    const char *name;
    int code = session_redis(session);

    (void)count, (void)operands;
    if (code == EXIT_OK)
        code = session_shards(session);
    for (int shard = 0; shard < session->shards && code == EXIT_OK; shard++)
        code = read_shard(session, shard, pauses);
    json_object_foreach(pauses, name, pause) json_array_append(list, pause);
    if (code == EXIT_OK && session->json)
        print_json(stdout, list);
    else if (code == EXIT_OK)
        print_pauses(pauses);
    json_decref(list);
    json_decref(pauses);
    return code;
}

const struct subcommand command_paused = {
    .name = "paused",
    .usage = "",
    .about = "which Types and ParentKeys are paused, since when and why",
    .help = "LAID ASIDE is how many were about to start and wait for the resume; more may lie there unseen.",
    .run = run,
};
