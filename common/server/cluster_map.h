/* Which server of a Redis Cluster has which keys: slots, redirections. Pure; the daemons and libbgop share it, and nothing here
 * allocates. Each program reads CLUSTER SLOTS with its own client, and enters what it says. */
#ifndef BGOP_SERVER_CLUSTER_MAP_H
#define BGOP_SERVER_CLUSTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_SLOTS = 16384, CLUSTER_NODES_MAX = 256, CLUSTER_NO_NODE = -1 };

struct cluster_node {
    char host[256];
    int port;
    bool serves; /* it has slots */
    bool away;   /* it was lost, and does not answer: written by who speaks to it */
};
struct cluster_map {
    struct cluster_node nodes[CLUSTER_NODES_MAX]; /* a node keeps its place until the map is cleared */
    int count;
    int16_t slots[CLUSTER_SLOTS]; /* the node of each; CLUSTER_NO_NODE: nobody serves it */
};

/* The slot of a key: of what stands between its first { and the next }, unless that is nothing, else of the whole. */
int cluster_slot(const char *key, size_t size);

/* Nodes and slots go. */
void cluster_map_clear(struct cluster_map *map);
/* The slots alone, before they are entered anew. */
void cluster_map_clear_slots(struct cluster_map *map);
/* The node at this address, entered when it is not there. CLUSTER_NO_NODE: there is no room, or that is no address. */
int cluster_map_node(struct cluster_map *map, const char *host, int64_t port);
/* A line of CLUSTER SLOTS. false: it makes no sense. */
bool cluster_map_enter(struct cluster_map *map, int64_t first, int64_t last, const char *host, int64_t port);
/* How many slots nobody serves; *first is the lowest of them. */
int cluster_map_uncovered(const struct cluster_map *map, int *first);

/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 [::1]:6381": the server to ask instead. */
enum cluster_redirect_kind { CLUSTER_STAYS, CLUSTER_MOVED, CLUSTER_ASK };
struct cluster_redirect {
    enum cluster_redirect_kind kind;
    int slot;
    char host[256]; /* "": the host that said so */
    int port;
};
/* CLUSTER_STAYS: it is no redirection. */
struct cluster_redirect cluster_redirect_read(const char *error);

/* The argument of a command that says where it goes, by the index of the argument; 0: none does, any server will do. */
size_t cluster_key_index(const char *const *args, const size_t *sizes, size_t count);

#endif
