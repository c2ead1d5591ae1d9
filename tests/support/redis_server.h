/* A private redis-server for one test process: on a unix socket in a temporary directory, with the settings of
 * deploy/redis that matter here. It dies with its parent (PR_SET_PDEATHSIG) and its directory goes with it. */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

struct redis_server {
    pid_t pid;
    bool appendonly;
    char directory[64];
    char socket[96];
    char url[112]; /* unix:///... */
};

/* Starts a server and waits until it answers; appendonly: everysec. Ends the process with a message when it cannot:
 * 77 (skipped) without a redis-server on the PATH. */
void redis_server_start(struct redis_server *server, bool appendonly);
/* SIGKILL: as a crash. */
void redis_server_kill(struct redis_server *server);
/* Starts it again on what is in its directory. */
void redis_server_again(struct redis_server *server);
/* Kills it and removes its directory. */
void redis_server_stop(struct redis_server *server);
/* A new connection; redisFree it. */
redisContext *redis_server_connect(const struct redis_server *server);

#endif
