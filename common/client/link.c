#include "common/client/link.h"

#include <stdio.h>

#include "common/client/link_cluster.h"
#include "common/client/link_sentinel.h"
#include "common/record/keys.h"

bool link_is_cluster(const struct link *link)
{
    return link->to.kind == REDIS_CLUSTER;
}

void link_close(struct link *link)
{
    link_cluster_close(link);
    link_sentinel_close(link);
    link_server_close(link);
}

enum bgop_code link_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv)
{
    switch (link->to.kind) {
    case REDIS_CLUSTER: return link_cluster_call(link, reply, argc, argv);
    case REDIS_SENTINEL: return link_sentinel_call(link, reply, argc, argv);
    case REDIS_ALONE: break;
    }
    return link_server_call(link, reply, argc, argv);
}

enum bgop_code link_read(struct link *link, struct redisReply **reply, const char *function, int shard,
                         const char *const *args, int count)
{
    const char *argv[5 + LINK_IDS_MAX] = { "FCALL_RO", function, "0" };
    char key[KEY_SIZE];
    int argc = 3;

    *reply = NULL;
    if (count > 1 + LINK_IDS_MAX) {
        snprintf(link->error, sizeof link->error, "%d Ids are more than are allowed at once", count);
        return BGOP_INVALID;
    }
    if (link_is_cluster(link)) {
        argv[2] = "1";
        argv[argc++] = key_format(key, sizeof key, KEY_SHARD, shard, NULL);
    }
    for (int i = 0; i < count; i++)
        argv[argc++] = args[i];
    return link_call(link, reply, argc, argv);
}
