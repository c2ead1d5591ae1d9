/* A link to a Redis Cluster: one to each server, each command to the one that has its key. For link.c. */
#ifndef BGOP_CLIENT_LINK_CLUSTER_H
#define BGOP_CLIENT_LINK_CLUSTER_H

#include "common/client/link_server.h"

enum bgop_code link_cluster_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv);
void link_cluster_close(struct link *link);

#endif
