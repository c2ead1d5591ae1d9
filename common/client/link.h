/* libbgop's way to Redis: one server, the primary that Sentinels name, or a cluster. */
#ifndef BGOP_CLIENT_LINK_H
#define BGOP_CLIENT_LINK_H

#include "common/client/link_server.h"

enum { LINK_IDS_MAX = 200 }; /* of one bgop_retrieve */

/* One command, as link_server_call; of a cluster to the server that has its key. */
enum bgop_code link_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv);
void link_close(struct link *link);

/* FCALL_RO function args..., of what this shard has; on a single server of all shards. */
enum bgop_code link_read(struct link *link, struct redisReply **reply, const char *function, int shard,
                         const char *const *args, int count);
bool link_is_cluster(const struct link *link);

#endif
