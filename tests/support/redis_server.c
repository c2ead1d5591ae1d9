/* fork and exec; the child asks to be killed when we end, and waits for nobody. */
#include "tests/support/redis_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/folder.h"

enum { START_MS = 20000, SKIPPED = 77 };

static void server_exec(const struct redis_server *server, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket, "--dir", server->directory,
           "--save", "", "--appendonly", server->appendonly ? "yes" : "no", "--appendfsync", "no", "--logfile",
           "redis.log", "--hash-max-listpack-value", "1024", "--hash-max-listpack-entries", "48",
           "--zset-max-listpack-entries", "32", "--stream-node-max-bytes", "16384", "--maxmemory-policy", "noeviction",
           (char *)NULL);
    _exit(errno == ENOENT ? SKIPPED : 1);
}

static _Noreturn void server_failed(const struct redis_server *server, int exit_code, const char *why)
{
    fprintf(stderr, "redis-server: %s (socket %s)\n", why, server->socket);
    exit(exit_code);
}

static bool server_answers(const struct redis_server *server)
{
    redisContext *redis = redisConnectUnix(server->socket);
    redisReply *reply = redis != NULL && redis->err == 0 ? redisCommand(redis, "PING") : NULL;
    bool answers = reply != NULL && reply->type == REDIS_REPLY_STATUS;

    if (reply != NULL)
        freeReplyObject(reply);
    if (redis != NULL)
        redisFree(redis);
    return answers;
}

static void server_wait(struct redis_server *server)
{
    const struct timespec pause = { .tv_nsec = 2000000 };

    for (int waited_ms = 0; !server_answers(server); waited_ms += 2) {
        int status;

        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            bool absent = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
            server_failed(server, absent ? SKIPPED : 1, absent ? "not installed: skipped" : "ended at its start");
        }
        if (waited_ms > START_MS)
            server_failed(server, 1, "does not answer");
        nanosleep(&pause, NULL);
    }
}

void redis_server_again(struct redis_server *server)
{
    pid_t parent = getpid();

    unlink(server->socket);
    server->pid = fork();
    if (server->pid < 0)
        server_failed(server, 1, "fork failed");
    if (server->pid == 0)
        server_exec(server, parent);
    server_wait(server);
}

void redis_server_start(struct redis_server *server, bool appendonly)
{
    memset(server, 0, sizeof *server);
    server->appendonly = appendonly;
    snprintf(server->directory, sizeof server->directory, "/tmp/bgop-redis-XXXXXX");
    if (mkdtemp(server->directory) == NULL)
        server_failed(server, 1, "mkdtemp failed");
    snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->directory);
    snprintf(server->url, sizeof server->url, "unix://%s", server->socket);
    redis_server_again(server);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static const char *server_log(const struct redis_server *server)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/appendonlydir/appendonly.aof.1.incr.aof", server->directory);
    return path;
}

int64_t redis_server_written(const struct redis_server *server)
{
    struct stat status;

    if (stat(server_log(server), &status) != 0)
        server_failed(server, 1, "no append only file");
    return status.st_size;
}

void redis_server_backwards(const struct redis_server *server, int64_t written)
{
    if (truncate(server_log(server), written) != 0)
        server_failed(server, 1, "its append only file cannot be cut");
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    folder_remove(server->directory);
}

redisContext *redis_server_connect(const struct redis_server *server)
{
    redisContext *redis = redisConnectUnix(server->socket);

    if (redis == NULL || redis->err != 0)
        server_failed(server, 1, "cannot connect");
    return redis;
}
