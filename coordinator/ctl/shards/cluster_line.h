/* What a server of a Redis Cluster knows of another one, or of itself: a line of CLUSTER NODES. */
#ifndef BGOP_CTL_SHARDS_CLUSTER_LINE_H
#define BGOP_CTL_SHARDS_CLUSTER_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum { CLUSTER_ID_SIZE = 41 };

struct cluster_line {
    char id[CLUSTER_ID_SIZE];
    char host[256]; /* where the others reach it; "": not known yet */
    int port;
    bool myself, primary;
    bool lost;               /* it is taken for dead, or was never met */
    const char *slots, *end; /* in the text that was read */
};

/* The next line, behind *rest; false: there is none. What is no line is passed over. */
bool cluster_line_next(const char **rest, struct cluster_line *line);

enum cluster_slot_state {
    SLOT_ELSEWHERE, /* it has nothing to do with this server */
    SLOT_HERE,
    SLOT_LEAVES,  /* it is here, and being moved to another */
    SLOT_ARRIVES, /* it is another's, and being moved here */
};
/* What is said of a slot. Only a server's line of itself tells of moves. */
enum cluster_slot_state cluster_line_slot(const struct cluster_line *line, int slot);
/* The line of the server that says so; false: there is none. */
bool cluster_line_myself(const char *text, struct cluster_line *line);
/* The line of the server with this id. */
bool cluster_line_of(const char *text, const char *id, struct cluster_line *line);

#endif
