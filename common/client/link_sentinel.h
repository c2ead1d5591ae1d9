/* A link to the primary that Sentinels name. For link.c. */
#ifndef BGOP_CLIENT_LINK_SENTINEL_H
#define BGOP_CLIENT_LINK_SENTINEL_H

#include "common/client/link_server.h"

enum bgop_code link_sentinel_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv);
void link_sentinel_close(struct link *link);

#endif
