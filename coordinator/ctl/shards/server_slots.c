#include "coordinator/ctl/shards/server_slots.h"

#include <stdio.h>
#include <string.h>

#include "common/record/keys.h"
#include "common/server/cluster_map.h"

int shard_slot(int shard)
{
    char key[KEY_SIZE];

    key_format(key, sizeof key, KEY_SHARD, shard, NULL);
    return cluster_slot(key, strlen(key));
}

enum status server_self(struct redis *server, struct redis_reply **reply, struct cluster_line *self, struct err *err)
{
    if (redis_call(server, reply, err, "CLUSTER", "NODES", NULL) != ST_OK)
        return err_prefix(err, "Redis at %s: CLUSTER NODES", redis_address(server));
    if (cluster_line_myself(redis_reply_text(*reply, NULL), self))
        return ST_OK;
    return err_set_server(err, ST_AGAIN, "redis", "Redis at %s does not say who it is (CLUSTER NODES)",
                          redis_address(server));
}

enum status server_count_keys(struct redis *server, int slot, long long *count, struct err *err)
{
    struct redis_reply *reply = NULL;
    char text[16];

    snprintf(text, sizeof text, "%d", slot);
    if (redis_call(server, &reply, err, "CLUSTER", "COUNTKEYSINSLOT", text, NULL) != ST_OK)
        return err_prefix(err, "Redis at %s: CLUSTER COUNTKEYSINSLOT", redis_address(server));
    *count = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return ST_OK;
}
