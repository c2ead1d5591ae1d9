#include "tests/support/redis_cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/record/keys.h"
#include "common/server/cluster_map.h"
#include "tests/support/folder.h"
#include "tests/support/port.h"

enum { START_MS = 20000, SKIPPED = 77, PAUSE_MS = 10, KEYS_AT_ONCE = 100 };

static _Noreturn void failed(const struct redis_cluster *cluster, int exit_code, const char *why)
{
    fprintf(stderr, "redis cluster in %s: %s\n", cluster->directory, why);
    exit(exit_code);
}

static void server_exec(const struct redis_cluster *cluster, int number, pid_t parent)
{
    char folder[96], port[16], bus[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    snprintf(folder, sizeof folder, "%s/%d", cluster->directory, number);
    snprintf(port, sizeof port, "%d", cluster->servers[number].port);
    snprintf(bus, sizeof bus, "%d", cluster->servers[number].bus_port);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes",
           "--cluster-port", bus, "--cluster-node-timeout", "500", "--cluster-replica-validity-factor", "0", "--dir",
           folder, "--save", "", "--appendonly", "yes", "--appendfsync", "no", "--logfile", "redis.log",
           "--repl-diskless-sync-delay", "0", "--hash-max-listpack-value", "1024", "--hash-max-listpack-entries", "48",
           "--maxmemory-policy", "noeviction", (char *)NULL);
    _exit(errno == ENOENT ? SKIPPED : 1);
}

static redisContext *server_connect(const struct redis_cluster *cluster, int number)
{
    redisContext *redis =
        redisConnectWithTimeout("127.0.0.1", cluster->servers[number].port, (struct timeval){ .tv_sec = 5 });

    if (redis && redis->err) {
        redisFree(redis);
        return NULL;
    }
    return redis;
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static void server_wait(struct redis_cluster *cluster, int number)
{
    struct redis_cluster_server *server = &cluster->servers[number];

    for (int waited_ms = 0;; waited_ms += PAUSE_MS) {
        redisContext *redis = server_connect(cluster, number);
        int status;

        if (redis) {
            redisFree(redis);
            return;
        }
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            bool absent = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;

            failed(cluster, absent ? SKIPPED : 1, absent ? "redis-server is not installed: skipped" : "a server ended");
        }
        if (waited_ms > START_MS)
            failed(cluster, 1, "a server does not answer");
        pause_ms(PAUSE_MS);
    }
}

void redis_cluster_again(struct redis_cluster *cluster, int number)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        failed(cluster, 1, "fork failed");
    if (pid == 0)
        server_exec(cluster, number, parent);
    cluster->servers[number].pid = pid;
    server_wait(cluster, number);
}

void redis_cluster_kill(struct redis_cluster *cluster, int number)
{
    pid_t pid = cluster->servers[number].pid;

    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cluster->servers[number].pid = 0;
}

void redis_cluster_stop(struct redis_cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++)
        redis_cluster_kill(cluster, i);
    folder_remove(cluster->directory);
}

/* ---- commands ---- */

static redisReply *call_args(struct redis_cluster *cluster, int number, const char *format, va_list args)
{
    redisContext *redis = server_connect(cluster, number);
    redisReply *reply = NULL;
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    if (redis) {
        reply = redisCommand(redis, text); /* words without blanks */
        redisFree(redis);
    }
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "server %d: %s: %s\n", number, text, reply ? reply->str : "no answer");
        failed(cluster, 1, "a command was refused");
    }
    return reply;
}

const redisReply *redis_cluster_call(struct redis_cluster *cluster, int number, const char *format, ...)
{
    static redisReply *last;
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = call_args(cluster, number, format, args);
    va_end(args);
    if (last)
        freeReplyObject(last);
    last = reply;
    return reply;
}

static bool says(struct redis_cluster *cluster, int number, const char *text)
{
    return strstr(redis_cluster_call(cluster, number, "CLUSTER INFO")->str, text) != NULL;
}

bool redis_cluster_is_primary(struct redis_cluster *cluster, int number)
{
    return strstr(redis_cluster_call(cluster, number, "INFO replication")->str, "role:master") != NULL;
}

int redis_cluster_owner(struct redis_cluster *cluster, int slot)
{
    for (int i = 0; i < cluster->count; i++) {
        const redisReply *reply = cluster->servers[i].pid ? redis_cluster_call(cluster, i, "CLUSTER SLOTS") : NULL;

        for (size_t r = 0; reply && r < reply->elements; r++) {
            const redisReply *range = reply->element[r];

            if (range->element[0]->integer <= slot && slot <= range->element[1]->integer &&
                strcmp(range->element[2]->element[2]->str, cluster->servers[i].id) == 0)
                return i;
        }
    }
    return -1;
}

int redis_cluster_owner_of(struct redis_cluster *cluster, int shard)
{
    char key[KEY_SIZE];

    key_format(key, sizeof key, KEY_SHARD, shard, NULL);
    return redis_cluster_owner(cluster, cluster_slot(key, strlen(key)));
}

int redis_cluster_shard_elsewhere(struct redis_cluster *cluster, int shard, int shards)
{
    int owner = redis_cluster_owner_of(cluster, shard);

    for (int other = 0; other < shards; other++) {
        if (redis_cluster_owner_of(cluster, other) != owner)
            return other;
    }
    failed(cluster, EXIT_FAILURE, "all shards are of one primary");
}

void redis_cluster_set_timeout(struct redis_cluster *cluster, int ms)
{
    for (int i = 0; i < cluster->count; i++) {
        if (cluster->servers[i].pid)
            redis_cluster_call(cluster, i, "CONFIG SET cluster-node-timeout %d", ms);
    }
}

/* ---- starting ---- */

static void await(struct redis_cluster *cluster, const char *text)
{
    int waited_ms = 0;

    for (int i = 0; i < cluster->count; i++) {
        while (cluster->servers[i].pid && !says(cluster, i, text)) {
            if (waited_ms > START_MS)
                failed(cluster, 1, text);
            pause_ms(PAUSE_MS);
            waited_ms += PAUSE_MS;
        }
    }
}

void redis_cluster_await_served(struct redis_cluster *cluster)
{
    await(cluster, "cluster_state:ok");
}

static void start_server(struct redis_cluster *cluster, int number)
{
    struct redis_cluster_server *server = &cluster->servers[number];
    char folder[96];

    server->port = port_take();
    server->bus_port = port_take();
    snprintf(folder, sizeof folder, "%s/%d", cluster->directory, number);
    if (mkdir(folder, 0700) != 0)
        failed(cluster, 1, "mkdir failed");
    redis_cluster_again(cluster, number);
    snprintf(server->id, sizeof server->id, "%s", redis_cluster_call(cluster, number, "CLUSTER MYID")->str);
    redis_cluster_call(cluster, number, "CLUSTER SET-CONFIG-EPOCH %d", number + 1);
    if (number < cluster->primaries) {
        redis_cluster_call(cluster, number, "CLUSTER ADDSLOTSRANGE %d %d", CLUSTER_SLOTS * number / cluster->primaries,
                           CLUSTER_SLOTS * (number + 1) / cluster->primaries - 1);
        snprintf(cluster->url + strlen(cluster->url), sizeof cluster->url - strlen(cluster->url), "%s127.0.0.1:%d",
                 number                   ? ","
                 : cluster->primaries > 1 ? "redis://"
                                          : "redis+cluster://",
                 server->port);
    }
}

static void await_replicas(struct redis_cluster *cluster)
{
    for (int i = cluster->primaries, waited_ms = 0; i < cluster->count; i++) {
        redis_cluster_call(cluster, i, "CLUSTER REPLICATE %s", cluster->servers[i - cluster->primaries].id);
        while (!strstr(redis_cluster_call(cluster, i, "INFO replication")->str, "master_link_status:up")) {
            if ((waited_ms += PAUSE_MS) > START_MS)
                failed(cluster, 1, "a replica does not connect");
            pause_ms(PAUSE_MS);
        }
    }
}

void redis_cluster_start(struct redis_cluster *cluster, int primaries, bool replicas)
{
    char known[48];

    memset(cluster, 0, sizeof *cluster);
    cluster->primaries = primaries;
    cluster->count = replicas ? 2 * primaries : primaries;
    snprintf(cluster->directory, sizeof cluster->directory, "/tmp/bgop-cluster-XXXXXX");
    if (mkdtemp(cluster->directory) == NULL)
        failed(cluster, 1, "mkdtemp failed");
    for (int i = 0; i < cluster->count; i++)
        start_server(cluster, i);
    for (int i = 1; i < cluster->count; i++) {
        redis_cluster_call(cluster, 0, "CLUSTER MEET 127.0.0.1 %d %d", cluster->servers[i].port,
                           cluster->servers[i].bus_port);
    }
    snprintf(known, sizeof known, "cluster_known_nodes:%d", cluster->count);
    await(cluster, known);
    await_replicas(cluster);
    await(cluster, "cluster_state:ok");
}

/* ---- migration ---- */

void redis_cluster_migration_begin(struct redis_cluster *cluster, int slot, int from, int to)
{
    redis_cluster_call(cluster, to, "CLUSTER SETSLOT %d IMPORTING %s", slot, cluster->servers[from].id);
    redis_cluster_call(cluster, from, "CLUSTER SETSLOT %d MIGRATING %s", slot, cluster->servers[to].id);
}

int redis_cluster_migrate_keys(struct redis_cluster *cluster, int slot, int from, int to, int most)
{
    redisContext *redis = server_connect(cluster, from);
    redisReply *keys = redis ? redisCommand(redis, "CLUSTER GETKEYSINSLOT %d %d", slot, most) : NULL;
    int moved = 0;

    for (; keys && keys->type == REDIS_REPLY_ARRAY && moved < (int)keys->elements; moved++) {
        redisReply *reply = redisCommand(redis, "MIGRATE 127.0.0.1 %d %b 0 5000", cluster->servers[to].port,
                                         keys->element[moved]->str, (size_t)keys->element[moved]->len);

        if (!reply || reply->type == REDIS_REPLY_ERROR)
            failed(cluster, 1, reply ? reply->str : "MIGRATE: no answer");
        freeReplyObject(reply);
    }
    if (!keys)
        failed(cluster, 1, "CLUSTER GETKEYSINSLOT: no answer");
    freeReplyObject(keys);
    redisFree(redis);
    return moved;
}

void redis_cluster_migration_end(struct redis_cluster *cluster, int slot, int from, int to)
{
    while (redis_cluster_migrate_keys(cluster, slot, from, to, KEYS_AT_ONCE) > 0)
        ;
    redis_cluster_call(cluster, to, "CLUSTER SETSLOT %d NODE %s", slot, cluster->servers[to].id);
    redis_cluster_call(cluster, from, "CLUSTER SETSLOT %d NODE %s", slot, cluster->servers[to].id);
}
