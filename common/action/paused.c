#include "common/action/paused.h"

#include <stdio.h>
#include <string.h>

#include "common/record/keys.h"
#include "common/record/routing.h"
#include "common/record/tables.h"

enum status paused_missing(struct redis *redis, int shards, const char *type, const char *parent_key, bool paused,
                           int *missing, struct err *err)
{
    char field[RECORD_STRING_SIZE + 2], key[KEY_SIZE];
    int first = 0, end = shards;
    enum status st = ST_OK;

    *missing = 0;
    snprintf(field, sizeof field, "%s:%s", type[0] ? "T" : "P", type[0] ? type : parent_key);
    if (!type[0]) {
        first = routing_shard(parent_key, strlen(parent_key), 0, 0, shards);
        end = first + 1;
    }
    for (int shard = first; shard < end && st == ST_OK; shard++) {
        struct redis_reply *reply = NULL;

        key_format(key, sizeof key, KEY_PAUSED, shard, NULL);
        st = redis_call(redis, &reply, err, "HEXISTS", key, field, NULL);
        *missing += st == ST_OK && (redis_reply_int(reply, 0) == 1) != paused;
        redis_reply_free(reply);
    }
    return st;
}
