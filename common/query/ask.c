/* Calls that have nothing to do with the order of rows: a function, the shards, the leaders of a page. */
#include "common/query/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/reading/reading.h"
#include "common/record/id.h"

enum { RECOVERING_PAUSE_MS = 200 };

enum status ask_function(struct ask *ask, json_t **answer, int shard, const char *function, const char *const *args,
                         size_t count)
{
    int64_t deadline = clock_boot_ms() + ask->recovering_ms;

    for (;;) {
        struct timespec pause = { 0, RECOVERING_PAUSE_MS * 1000000L };
        enum status st = reading_ask(ask->redis, answer, shard, function, args, count, ask->err);

        if (st != ST_RECOVERING || clock_boot_ms() >= deadline)
            return st;
        nanosleep(&pause, NULL);
    }
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
    return reading_shards(ask->redis, shards, ask->err);
}

enum status ask_now(struct ask *ask, int64_t *now_ms)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(ask->redis, &reply, ask->err, "TIME", NULL);

    *now_ms = redis_reply_int(redis_reply_at(reply, 0), 0) * 1000 + redis_reply_int(redis_reply_at(reply, 1), 0) / 1000;
    redis_reply_free(reply);
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
    if (st == ST_OK && count > 1 && json_array_size(leaders) != count - 1) {
        st = err_set(ask->err, ST_FAILED, "bgop_retrieve answered %zu rows for %zu Ids", json_array_size(leaders),
                     count - 1);
    }
    json_array_foreach(rows, i, row)
    {
        if (st == ST_OK)
            json_object_set(row, QUERY_LEADER, leader_id(row) ? json_array_get(leaders, next++) : json_null());
    }
    json_decref(leaders);
    buf_release(&names);
    return st;
}
