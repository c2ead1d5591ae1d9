/* A private redis-server for one test process: on a unix socket in a temporary directory, with the settings of
 * deploy/redis that matter here, but appendfsync: with everysec, a server whose disk is busy holds back what it has
 * answered for up to two seconds, and a test that kills it would lose that now and then. Redis going backwards is a
 * matter of redis_server_backwards. The server dies with its parent (PR_SET_PDEATHSIG) and its directory goes with it. */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

struct redis_server {
    pid_t pid;
    bool appendonly;
    char directory[64];
    char socket[96];
    char url[112]; /* unix:///... */
};

/* Starts a server and waits until it answers; appendonly: every write is the kernel's before it is answered. Ends the
 * process with a message when it cannot: 77 (skipped) without a redis-server on the PATH. */
void redis_server_start(struct redis_server *server, bool appendonly);
/* SIGKILL: as a crash. */
void redis_server_kill(struct redis_server *server);
/* How much is in its append only file: for redis_server_backwards, which cuts it there. The server is killed by then. */
int64_t redis_server_written(const struct redis_server *server);
void redis_server_backwards(const struct redis_server *server, int64_t written);
/* Starts it again on what is in its directory. */
void redis_server_again(struct redis_server *server);
/* Kills it and removes its directory. */
void redis_server_stop(struct redis_server *server);
/* A new connection; redisFree it. */
redisContext *redis_server_connect(const struct redis_server *server);

#endif
