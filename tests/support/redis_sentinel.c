#include "tests/support/redis_sentinel.h"

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

#include "tests/support/folder.h"
#include "tests/support/port.h"

enum { START_MS = 60000, SKIPPED = 77, PAUSE_MS = 10 };

static _Noreturn void failed(const struct redis_sentinel *set, int exit_code, const char *why)
{
    fprintf(stderr, "redis and Sentinels in %s: %s\n", set->directory, why);
    exit(exit_code);
}

static bool is_sentinel(int process)
{
    return process >= REDIS_SENTINEL_SERVERS;
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* ---- processes ---- */

static char *file_of(const struct redis_sentinel *set, int process, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%d%s%s", set->directory, process, *name ? "/" : "", name);
    return path;
}

int redis_sentinel_port(const struct redis_sentinel *set, int process)
{
    return set->tls ? set->at[process].tls_port : set->at[process].port;
}

static void write_tls(const struct redis_sentinel *set, int process, FILE *file)
{
    fprintf(file,
            "tls-port %d\ntls-replication yes\ntls-auth-clients no\ntls-ca-cert-file %s/ca.pem\n"
            "tls-cert-file %s/server.pem\ntls-key-file %s/server.key\n",
            set->at[process].tls_port, set->directory, set->directory, set->directory);
}

/* Sentinel writes into its own, so each has one. */
static void write_configuration(const struct redis_sentinel *set, int process)
{
    char path[128];
    FILE *file = fopen(file_of(set, process, "redis.conf", path), "we");

    if (!file)
        failed(set, 1, "a configuration cannot be written");
    fprintf(file, "port %d\nbind 127.0.0.1\ndir %s\nlogfile redis.log\n", set->at[process].port,
            file_of(set, process, "", path));
    if (set->tls)
        write_tls(set, process, file);
    if (is_sentinel(process))
        fprintf(file,
                "sentinel monitor mine 127.0.0.1 %d 2\nsentinel down-after-milliseconds mine 2000\n"
                "sentinel failover-timeout mine 6000\n",
                redis_sentinel_port(set, 0));
    else
        fprintf(file,
                "save \"\"\nappendonly yes\nappendfsync no\nrepl-diskless-sync-delay 0\nmaxmemory-policy noeviction\n"
                "hash-max-listpack-value 1024\nhash-max-listpack-entries 48\n");
    if (process == 1)
        fprintf(file, "replicaof 127.0.0.1 %d\n", redis_sentinel_port(set, 0));
    fclose(file);
}

static redisContext *process_connect(const struct redis_sentinel *set, int process)
{
    redisContext *redis = redisConnectWithTimeout("127.0.0.1", set->at[process].port, (struct timeval){ .tv_sec = 5 });

    if (redis && redis->err) {
        redisFree(redis);
        return NULL;
    }
    return redis;
}

static void process_wait(struct redis_sentinel *set, int process)
{
    for (int waited_ms = 0;; waited_ms += PAUSE_MS) {
        redisContext *redis = process_connect(set, process);
        int status;

        if (redis) {
            redisFree(redis);
            return;
        }
        if (waitpid(set->at[process].pid, &status, WNOHANG) == set->at[process].pid) {
            bool absent = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;

            failed(set, absent ? SKIPPED : 1, absent ? "redis-server is not installed: skipped" : "a process ended");
        }
        if (waited_ms > START_MS)
            failed(set, 1, "a process does not answer");
        pause_ms(PAUSE_MS);
    }
}

void redis_sentinel_again(struct redis_sentinel *set, int process)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    char path[128];

    if (pid < 0)
        failed(set, 1, "fork failed");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        execlp("redis-server", "redis-server", file_of(set, process, "redis.conf", path),
               is_sentinel(process) ? "--sentinel" : NULL, (char *)NULL);
        _exit(errno == ENOENT ? SKIPPED : 1);
    }
    set->at[process].pid = pid;
    process_wait(set, process);
}

void redis_sentinel_signal(struct redis_sentinel *set, int process, int number)
{
    if (set->at[process].pid > 0)
        kill(set->at[process].pid, number);
}

void redis_sentinel_kill(struct redis_sentinel *set, int process)
{
    if (set->at[process].pid <= 0)
        return;
    kill(set->at[process].pid, SIGKILL);
    waitpid(set->at[process].pid, NULL, 0);
    set->at[process].pid = 0;
}

void redis_sentinel_stop(struct redis_sentinel *set)
{
    for (int i = 0; i < REDIS_SENTINEL_PROCESSES; i++)
        redis_sentinel_kill(set, i);
    folder_remove(set->directory);
}

/* ---- commands ---- */

const redisReply *redis_sentinel_call(struct redis_sentinel *set, int process, const char *format, ...)
{
    static redisReply *last;
    redisContext *redis = process_connect(set, process);
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (last)
        freeReplyObject(last);
    last = redis ? redisCommand(redis, text) : NULL; /* words without blanks */
    if (redis)
        redisFree(redis);
    if (!last || last->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "process %d: %s: %s\n", process, text, last ? last->str : "no answer");
        failed(set, 1, "a command was refused");
    }
    return last;
}

/* ---- waiting ---- */

static bool knows_all(struct redis_sentinel *set, int process, int server)
{
    const redisReply *reply = redis_sentinel_call(set, process, "SENTINEL MASTER mine");
    bool replica = false, others = false;

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        replica |= strcmp(reply->element[i]->str, "num-slaves") == 0 && strcmp(reply->element[i + 1]->str, "1") == 0;
        others |=
            strcmp(reply->element[i]->str, "num-other-sentinels") == 0 && strcmp(reply->element[i + 1]->str, "2") == 0;
    }
    (void)server;
    return replica && others;
}

static bool names(struct redis_sentinel *set, int process, int server)
{
    char port[16];
    const redisReply *reply = redis_sentinel_call(set, process, "SENTINEL GET-MASTER-ADDR-BY-NAME mine");

    snprintf(port, sizeof port, "%d", redis_sentinel_port(set, server));
    return reply->elements == 2 && strcmp(reply->element[1]->str, port) == 0 &&
           strstr(redis_sentinel_call(set, server, "INFO replication")->str, "role:master");
}

static bool follows(struct redis_sentinel *set, int server)
{
    return strstr(redis_sentinel_call(set, server, "INFO replication")->str, "master_link_status:up");
}

static bool all(struct redis_sentinel *set, bool (*is)(struct redis_sentinel *, int, int), int server)
{
    for (int i = REDIS_SENTINEL_SERVERS; i < REDIS_SENTINEL_PROCESSES; i++) {
        if (!is(set, i, server))
            return false;
    }
    return true;
}

int redis_sentinel_settled(struct redis_sentinel *set)
{
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += PAUSE_MS) {
        for (int server = 0; server < REDIS_SENTINEL_SERVERS; server++) {
            if (all(set, names, server) && follows(set, !server))
                return server;
        }
        pause_ms(PAUSE_MS);
    }
    failed(set, 1, "the Sentinels do not agree in time on a primary that the other server follows");
}

static void write_url(struct redis_sentinel *set)
{
    int written = snprintf(set->url, sizeof set->url, "%s+sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/mine",
                           set->tls ? "rediss" : "redis", redis_sentinel_port(set, 2), redis_sentinel_port(set, 3),
                           redis_sentinel_port(set, 4));

    if (set->tls)
        snprintf(set->url + written, sizeof set->url - (size_t)written, "?tls_ca_file=%s/ca.pem", set->directory);
}

static void make_certificates(const struct redis_sentinel *set)
{
    char command[512];

    snprintf(command, sizeof command, "%s/deploy/certificates %s server", BGOP_TOP, set->directory);
    if (system(command) != 0)
        failed(set, 1, "its certificates cannot be made");
}

static void start(struct redis_sentinel *set, bool tls)
{
    char path[128];

    memset(set, 0, sizeof *set);
    set->tls = tls;
    snprintf(set->directory, sizeof set->directory, "/tmp/bgop-sentinel-XXXXXX");
    if (mkdtemp(set->directory) == NULL)
        failed(set, 1, "mkdtemp failed");
    if (set->tls)
        make_certificates(set);
    for (int i = 0; i < REDIS_SENTINEL_PROCESSES; i++) {
        set->at[i].port = port_take();
        set->at[i].tls_port = set->tls ? port_take() : 0;
        if (mkdir(file_of(set, i, "", path), 0700) != 0)
            failed(set, 1, "mkdir failed");
        write_configuration(set, i);
        redis_sentinel_again(set, i);
    }
    write_url(set);
    for (int waited_ms = 0; !all(set, knows_all, 0); waited_ms += PAUSE_MS) {
        if (waited_ms > START_MS)
            failed(set, 1, "the Sentinels do not know all in time");
        pause_ms(PAUSE_MS);
    }
    redis_sentinel_settled(set);
}

void redis_sentinel_start(struct redis_sentinel *set)
{
    start(set, false);
}

void redis_sentinel_start_by_tls(struct redis_sentinel *set)
{
    start(set, true);
}
