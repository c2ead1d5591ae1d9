/* A loop's copies of the gates of its shards, which lie in Redis: generation and mode, read again once a second and
 * after every FENCED. A copy is usable when the gate was armed for the very server that this connection talks to: only
 * then its generation may be sent with a call.
 *
 * Of a Redis Cluster one server may be away. Its shards' gates are not known then, and those shards wait (waiting.h). */
#ifndef BGOP_COORDINATOR_SOURCE_GATE_COPIES_H
#define BGOP_COORDINATOR_SOURCE_GATE_COPIES_H

#include "common/redis/functions.h"
#include "coordinator/loop/loop.h"

enum {
    GATES_REFRESH_MS = 1000,      /* between reads when all is well */
    GATES_A_SECOND = 64,          /* of more shards the intake loops read them less often */
    GATES_REFRESH_CLOSED_MS = 20, /* while a shard is not open */
};

struct gate_copies {
    struct redis *redis; /* of the loop */
    int shards;
    struct gate *at;     /* [shards] */
    bool *away;          /* [shards] its server does not answer, and others do: *at is empty */
    struct err why;      /* of one of those */
    uint64_t connection; /* that run_id was read on; 0: none */
    char run_id[64];
    int64_t refreshed_at_ms;
};

void gate_copies_init(struct gate_copies *gates, struct redis *redis, int shards);
void gate_copies_release(struct gate_copies *gates);
/* Reads the gates of these shards (NULL: of all) again. *changed rises by one for each that was usable and now has
 * another generation or server: whatever was read from that shard before must be read again. A server that is away is no
 * failure. */
enum status gate_copies_refresh(struct gate_copies *gates, const int *shards, int count, int *changed,
                                struct err *err) MUST_CHECK;
/* May functions be called with its generation? */
bool gate_usable(const struct gate *gate);
/* Are all usable, but for those that are away; are all open? */
bool gate_copies_all_usable(const struct gate_copies *gates);
bool gate_copies_all_open(const struct gate_copies *gates);

/* An answer of this shard failed. true: only its server is away, and that is noted. */
bool gate_copies_lose(struct gate_copies *gates, int shard, const struct err *why);
bool gate_copies_any_away(const struct gate_copies *gates);
/* The loop's calls work. Its outage lasts until no server is away. */
void gate_copies_report(const struct gate_copies *gates, struct loop *loop);

#endif
