/* What a loop knows of the gates of its shards: generation and mode, looked at once a second and after every FENCED.
 * A generation counts only when it was armed for the very server that this connection talks to. */
#ifndef BGOP_COORDINATOR_GATES_H
#define BGOP_COORDINATOR_GATES_H

#include "common/redis/functions.h"

enum {
    GATES_LOOK_MS = 1000,                   /* between looks when all is well */
    GATES_LOOK_CLOSED_MS = 20,              /* while a shard is not open */
};

struct gates {
    struct redis *redis;                    /* of the loop */
    int shards;
    struct gate *at;                        /* [shards] */
    uint64_t connection;                    /* that run_id was asked on; 0: none */
    char run_id[64];
    int64_t looked_at_ms;
};

void gates_init(struct gates *gates, struct redis *redis, int shards);
void gates_release(struct gates *gates);
/* Looks at the gates of these shards (NULL: of all). *changed rises by one for each that was usable and now has
 * another generation or server: whatever was read from that shard before must be read again. */
enum status gates_look(struct gates *gates, const int *shards, int count, int *changed, struct err *err) MUST_CHECK;
/* May functions be called with its generation? */
bool gate_usable(const struct gate *gate);
/* Are all of these shards (NULL: all) usable; are they open? */
bool gates_all_usable(const struct gates *gates);
bool gates_all_open(const struct gates *gates);

#endif
