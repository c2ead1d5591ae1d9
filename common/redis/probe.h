/* Does a server answer again? Asked over a connection of its own that is not waited for: connecting to one that stands still
 * takes as long as one has patience, and others are to be served meanwhile. Whatever comes counts, a refusal and the end of
 * the connection too: whether it is a Redis that serves us is found out by who connects then. */
#ifndef BGOP_REDIS_PROBE_H
#define BGOP_REDIS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct redisContext;
struct probe {
    struct redisContext *context; /* NULL: none is under way */
    bool asked;
    int64_t began_ms; /* the last one; 0: none did */
};

/* false: not yet. A new probe waits some milliseconds, which is enough for a server that is there; and at most ten begin in a
 * second. */
bool probe_answers(struct probe *probe, const char *host, int port);
void probe_release(struct probe *probe);

#endif
