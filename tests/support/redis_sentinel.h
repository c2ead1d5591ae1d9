/* A primary, its replica and three Sentinels that watch them, on loopback, for one test process: they die with it, their
 * folder goes with it. A primary that is away for two seconds is replaced: less, and on a busy
 * machine one that is well is, too. */
#ifndef TESTS_SUPPORT_REDIS_SENTINEL_H
#define TESTS_SUPPORT_REDIS_SENTINEL_H

#include <stdbool.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

enum { REDIS_SENTINEL_SERVERS = 2, REDIS_SENTINEL_SENTINELS = 3, REDIS_SENTINEL_PROCESSES = 5 };

struct redis_sentinel_process {
    pid_t pid;
    int port;     /* in clear */
    int tls_port; /* with TLS: what they tell each other, and everybody who asks */
};
struct redis_sentinel {
    struct redis_sentinel_process at[REDIS_SENTINEL_PROCESSES]; /* two servers, three Sentinels */
    char directory[64];
    bool tls;      /* certificates of deploy/certificates are in its folder */
    char url[256]; /* redis+sentinel://127.0.0.1:p,.../mine; with TLS rediss+sentinel:// and ?tls_ca_file= */
};

/* Starts them and waits until all Sentinels know all: server 0 is the primary. */
void redis_sentinel_start(struct redis_sentinel *set);
/* The same, and what they say to each other goes over TLS. */
void redis_sentinel_start_by_tls(struct redis_sentinel *set);
/* That the Sentinels tell of it. */
int redis_sentinel_port(const struct redis_sentinel *set, int process);
void redis_sentinel_stop(struct redis_sentinel *set);
void redis_sentinel_kill(struct redis_sentinel *set, int process);
void redis_sentinel_signal(struct redis_sentinel *set, int process, int number);
/* On what is in its folder. */
void redis_sentinel_again(struct redis_sentinel *set, int process);
/* Waits until all Sentinels name the same server, it is a primary, and the other one follows it: which it is. */
int redis_sentinel_settled(struct redis_sentinel *set);

/* A command, which must not be refused; the reply lives until the next one. */
const redisReply *redis_sentinel_call(struct redis_sentinel *set, int process, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
