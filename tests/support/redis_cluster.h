/* A Redis Cluster of a few tiny servers on loopback, for one test process: it dies with it, its folder goes with it.
 *
 * A primary takes two seconds after its start before it serves (CLUSTER_WRITABLE_DELAY of Redis): one cluster per file. */
#ifndef TESTS_SUPPORT_REDIS_CLUSTER_H
#define TESTS_SUPPORT_REDIS_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

enum { REDIS_CLUSTER_MAX = 6 };

struct redis_cluster_server {
    pid_t pid;
    int port, bus_port;
    char id[48];
};
struct redis_cluster {
    struct redis_cluster_server
        servers[REDIS_CLUSTER_MAX]; /* the primaries, then a replica of each, if there are any */
    int primaries, count;
    char directory[64];
    char url[512]; /* redis://127.0.0.1:p1,127.0.0.1:p2... of the primaries */
};

/* Starts them and waits until all slots are served: primary i has the i-th part of them. */
void redis_cluster_start(struct redis_cluster *cluster, int primaries, bool replicas);
void redis_cluster_stop(struct redis_cluster *cluster);
void redis_cluster_kill(struct redis_cluster *cluster, int server);
/* On what is in its folder. */
void redis_cluster_again(struct redis_cluster *cluster, int server);

/* Until each server that lives knows that all slots are served: after a failover they learn it one after the other. */
void redis_cluster_await_served(struct redis_cluster *cluster);

/* A command to one server, which must not be refused; the reply lives until the next one. */
const redisReply *redis_cluster_call(struct redis_cluster *cluster, int server, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The server that serves this slot, as it says itself; -1: none does. */
int redis_cluster_owner(struct redis_cluster *cluster, int slot);
/* The same of a shard; some shard, of so many, that another server serves. */
int redis_cluster_owner_of(struct redis_cluster *cluster, int shard);
int redis_cluster_shard_elsewhere(struct redis_cluster *cluster, int shard, int shards);
/* Of all that live: from when on one that is away is taken for dead, and its replica takes its place. */
void redis_cluster_set_timeout(struct redis_cluster *cluster, int ms);
bool redis_cluster_is_primary(struct redis_cluster *cluster, int server);

/* A slot on its way: importing and migrating, its keys moved one by one, given to its new server. */
void redis_cluster_migration_begin(struct redis_cluster *cluster, int slot, int from, int to);
int redis_cluster_migrate_keys(struct redis_cluster *cluster, int slot, int from, int to, int most);
void redis_cluster_migration_end(struct redis_cluster *cluster, int slot, int from, int to);

#endif
