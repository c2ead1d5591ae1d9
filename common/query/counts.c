/* How many records there are of each Type in each Status: the hash `counts` of each shard, changed in the same step as the
 * records. bgop_stats has the same numbers among many others, and takes a hundred times as long. */
#include "common/query/ask.h"

#include <string.h>

#include "common/record/keys.h"
#include "common/redis/each.h"

/* "Type:Status"; totals since ever stand beside them, without a colon. */
static void add_count(json_t *by_type, const char *name, json_int_t number)
{
    const char *colon = strrchr(name, ':');
    json_t *by_status, *known;
    char type[RECORD_STRING_SIZE];

    if (!colon || colon == name || (size_t)(colon - name) >= sizeof type || number == 0)
        return;
    memcpy(type, name, (size_t)(colon - name));
    type[colon - name] = '\0';
    by_status = json_object_get(by_type, type);
    if (!by_status) {
        by_status = json_object();
        json_object_set_new(by_type, type, by_status);
    }
    known = json_object_get(by_status, colon + 1);
    json_object_set_new(by_status, colon + 1, json_integer(json_integer_value(known) + number));
}

static void take_counts(void *arg, int shard, const struct redis_reply *reply)
{
    (void)shard;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        add_count(arg, redis_reply_text(redis_reply_at(reply, i), NULL),
                  redis_reply_int(redis_reply_at(reply, i + 1), 0));
    }
}

enum status ask_counts(struct ask *ask, json_t **by_type)
{
    int shards = 0;
    enum status st = ask_shards(ask, &shards);

    *by_type = json_object();
    return st == ST_OK
               ? redis_ask_shards(ask->redis, shards, "HGETALL", KEY_COUNTS, NULL, take_counts, *by_type, ask->err)
               : st;
}
