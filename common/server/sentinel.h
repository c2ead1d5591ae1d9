/* What Sentinels answer, in words: the programs and libbgop share it. Nothing here allocates. */
#ifndef BGOP_SERVER_SENTINEL_H
#define BGOP_SERVER_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>

/* What was tried, one Sentinel after another, and what came of it. */
struct sentinel_tried {
    char text[900];
    int unreachable; /* so many of them did not answer */
    int refusing;    /* so many answered what only a person can change */
    int naming;      /* so many named a server that does not serve */
};

/* What a Sentinel answered with an error, or did not answer: text is what the connection to it says. */
void sentinel_failed(struct sentinel_tried *tried, const char *text);
/* It knows no primary of that name: known has the names that it does know, with commas; "": none. */
void sentinel_knows_not(struct sentinel_tried *tried, const char *sentinel, const char *name, const char *known);
/* It names a server, which does not serve; text is what the connection to that server says. */
void sentinel_names_in_vain(struct sentinel_tried *tried, const char *sentinel, const char *text);
/* The whole. It begins with SENTINEL_REFUSED when all is up to a person: who answered said so. */
char *sentinel_why(const struct sentinel_tried *tried, const char *name, char *to, size_t room);
#define SENTINEL_REFUSED "Redis by Sentinel: refused for primary"

/* INFO replication of a server: is it a primary? */
bool sentinel_is_primary(const char *info);
#define SENTINEL_NO_PRIMARY "it is a replica, though the Sentinels name it: is a failover on its way?"

#endif
