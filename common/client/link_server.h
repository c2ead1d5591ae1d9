/* One blocking Redis connection that never takes the process down: connects when needed, and is closed after any
 * I/O error (a late reply would be read by the next command). The sole user of hiredis in libbgop. */
#ifndef BGOP_CLIENT_LINK_SERVER_H
#define BGOP_CLIENT_LINK_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/client/bgop.h"
#include "common/server/causes.h"
#include "common/server/redis_address.h"

struct redisContext;
struct redisReply;
struct redis_tls;
struct link_nodes;
struct link_primary;

struct link {
    struct redisContext *context; /* NULL: not connected */
    struct redis_tls *tls;        /* over its socket, for rediss:// */
    struct link_nodes *nodes;     /* of a cluster: its servers (link_cluster.c); NULL: none known yet, or one server */
    struct link_primary *primary; /* by Sentinels: the primary they named (link_sentinel.c); NULL: none known yet */
    struct redis_address to;
    int timeout_ms;
    char error[512]; /* of the last call that failed */
};

/* INVALID: link->error says what is wrong with the URI. */
enum bgop_code link_init(struct link *link, const char *uri, int timeout_ms);
void link_server_close(struct link *link);

/* One command: argc texts. OK: *reply is the caller's (link_reply_free). Error replies are classified: RECOVERING,
 * UNREACHABLE (away, loading, busy, read only, library not loaded yet), FAILED (no access), INVALID (any other). */
enum bgop_code link_server_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv);

/* Views into a reply. */
size_t link_reply_count(const struct redisReply *reply); /* elements of an array; else 0 */
const struct redisReply *link_reply_at(const struct redisReply *reply, size_t index);
const char *link_reply_text(const struct redisReply *reply); /* "" for what is no text; never NULL */
void link_reply_free(struct redisReply *reply);

#endif
