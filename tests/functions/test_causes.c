/* Why a server does not serve is told by its error, by the programs' edges and by libbgop alike: against a real
 * redis-server in every kind of trouble, and against ports that speak something else. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/client/bgop.h"
#include "common/client/link.h"
#include "common/kafka/kafka.h"
#include "common/redis/redis.h"
#include "tests/support/redis_server.h"

enum { TIMEOUT_MS = 2000, WAIT_MS = 40000 };

static struct redis_server server;
static redisContext *admin;

static int start_server(void **state)
{
    (void)state;
    redis_server_start(&server, false);
    admin = redis_server_connect(&server);
    return admin ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    redisFree(admin);
    redis_server_stop(&server);
    return 0;
}

static void order(const char *command)
{
    redisReply *reply = redisCommand(admin, command);

    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : admin->errstr);
    freeReplyObject(reply);
}

static void set_empty(const char *setting)
{
    freeReplyObject(redisCommand(admin, "CONFIG SET %s %s", setting, ""));
}

/* What a write meets, told by the edge and by libbgop. */
static void both_say(const char *url, const char *command, const char *error, const char *cause)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(url, TIMEOUT_MS, &err);
    struct redis_reply *reply = NULL;
    struct redisReply *link_reply = NULL;
    struct link link;
    const char *argv[] = { command, "k", "v" };

    assert_non_null(redis);
    assert_int_equal(redis_call(redis, &reply, &err, command, "k", "v", NULL), ST_AGAIN);
    if (!strstr(err.text, error) || !strstr(err.text, cause) || strstr(err.text, "firewall") || !err.server ||
        strcmp(err.server, "redis") != 0)
        fail_msg("the edge says \"%s\", without \"%s\" or \"%s\"", err.text, error, cause);
    redis_free(redis);
    assert_int_equal(link_init(&link, url, TIMEOUT_MS), BGOP_OK);
    assert_int_not_equal(link_call(&link, &link_reply, 3, argv), BGOP_OK);
    if (!strstr(link.error, error) || !strstr(link.error, cause) || strstr(link.error, "firewall"))
        fail_msg("libbgop says \"%s\", without \"%s\" or \"%s\"", link.error, error, cause);
    link_close(&link);
}

/* ---- a Redis that is there ---- */

static void a_disk_that_cannot_be_written(void **state)
{
    char path[128];
    redisReply *reply;
    bool failed = false;

    (void)state;
    snprintf(path, sizeof path, "%s/dump.rdb", server.directory); /* a folder where the dump shall be */
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/dump.rdb/x", server.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    order("SET before 1");
    reply = redisCommand(admin, "CONFIG SET save %s", "3600 1");
    freeReplyObject(reply);
    order("BGSAVE");
    for (int64_t until = clock_boot_ms() + WAIT_MS; !failed && clock_boot_ms() < until;) {
        reply = redisCommand(admin, "INFO persistence");
        failed = strstr(reply->str, "rdb_last_bgsave_status:err") != NULL;
        freeReplyObject(reply);
    }
    assert_true(failed);
    both_say(server.url, "SET", "MISCONF", "is its disk full");
    set_empty("save");
}

static void no_memory_left(void **state)
{
    (void)state;
    order("CONFIG SET maxmemory 1");
    both_say(server.url, "SET", "OOM", "maxmemory is reached");
    order("CONFIG SET maxmemory 0");
}

static void replicas(void **state)
{
    (void)state;
    order("CONFIG SET min-replicas-to-write 1");
    both_say(server.url, "SET", "NOREPLICAS", "min-replicas-to-write");
    order("CONFIG SET min-replicas-to-write 0");
    order("REPLICAOF 127.0.0.1 1");
    both_say(server.url, "SET", "READONLY", "it is a replica: name the primary");
    order("CONFIG SET replica-serve-stale-data no");
    both_say(server.url, "EXISTS", "MASTERDOWN", "a replica without its master");
    order("CONFIG SET replica-serve-stale-data yes");
    order("REPLICAOF NO ONE");
}

static void wait_for_ping(int type)
{
    int got = -1;

    for (int64_t until = clock_boot_ms() + WAIT_MS; got != type && clock_boot_ms() < until;) {
        redisReply *reply = redisCommand(admin, "PING");

        got = reply ? reply->type : -1;
        freeReplyObject(reply);
    }
    assert_int_equal(got, type);
}

static void a_script_that_runs_on(void **state)
{
    redisContext *busy = redis_server_connect(&server);

    (void)state;
    order("CONFIG SET busy-reply-threshold 10");
    redisAppendCommand(busy, "EVAL %s 0", "while true do end");
    for (int done = 0; !done;)
        redisBufferWrite(busy, &done);
    wait_for_ping(REDIS_REPLY_ERROR);
    both_say(server.url, "EXISTS", "BUSY", "a script runs");
    order("SCRIPT KILL");
    wait_for_ping(REDIS_REPLY_STATUS);
    redisFree(busy);
}

static void logins_and_rights(void **state)
{
    char url[256];

    (void)state;
    order("ACL SETUSER reader on >s@cret:/ ~* +get +ping +auth");
    snprintf(url, sizeof url, "unix://reader:s%%40cret%%3A%%2F@%s", server.socket);
    both_say(url, "SET", "NOPERM", "deploy/redis/users.acl");
    snprintf(url, sizeof url, "unix://%s?user=reader&password=wrong", server.socket);
    both_say(url, "SET", "WRONGPASS", "are user and password right?");
    snprintf(url, sizeof url, "unix://:p@%s", server.socket);
    both_say(url, "SET", "AUTH", "it has no password: leave it out");
    order("CONFIG SET requirepass top");
    both_say(server.url, "SET", "NOAUTH", "it wants a password");
    snprintf(url, sizeof url, "unix://:pot@%s", server.socket);
    both_say(url, "SET", "WRONGPASS", "are user and password right?");
    order("AUTH top");
    set_empty("requirepass");
    order("ACL DELUSER reader");
}

static void a_password_opens_a_unix_socket(void **state)
{
    struct err err = ERR_INIT;
    char url[256];
    struct redis *redis;
    struct redis_reply *reply;
    struct redisReply *link_reply;
    struct link link;

    (void)state;
    order("ACL SETUSER both on >a:b/c@d ~* +@all");
    snprintf(url, sizeof url, "unix://both:a%%3Ab%%2Fc%%40d@%s?db=3", server.socket);
    redis = redis_new(url, TIMEOUT_MS, &err);
    if (redis_call(redis, &reply, &err, "ACL", "WHOAMI", NULL) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(redis_reply_text(reply, NULL), "both");
    redis_reply_free(reply);
    redis_free(redis);
    assert_int_equal(link_init(&link, url, TIMEOUT_MS), BGOP_OK);
    assert_int_equal(link_call(&link, &link_reply, 2, (const char *[]){ "ACL", "WHOAMI" }), BGOP_OK);
    assert_string_equal(link_reply_text(link_reply), "both");
    link_reply_free(link_reply);
    link_close(&link);
    order("ACL DELUSER both");
}

static void fewer_databases_and_no_functions(void **state)
{
    char url[256];

    (void)state;
    snprintf(url, sizeof url, "unix://%s?db=9999", server.socket);
    both_say(url, "SET", "DB index is out of range", "it has fewer databases");
    both_say(server.url, "FCALL", "unction", "function library is not loaded");
}

/* ---- what is no Redis, and no Kafka ---- */

/* A process that answers every connection with one text (none: closes it); its port. */
struct listener {
    pid_t pid;
    int port;
};

static void serve(int fd, const char *answer)
{
    char got[1024];

    for (;;) {
        int client = accept(fd, NULL, NULL);

        if (client < 0)
            _exit(1);
        if (read(client, got, sizeof got) > 0 && *answer && write(client, answer, strlen(answer)) < 0)
            _exit(1);
        close(client);
    }
}

static struct listener listener_start(const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct listener listener;

    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    listener.port = ntohs(at.sin_port);
    listener.pid = fork();
    if (listener.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd, answer);
    }
    close(fd);
    return listener;
}

static void listener_stop(struct listener *listener)
{
    kill(listener->pid, SIGKILL);
    waitpid(listener->pid, NULL, 0);
}

static void ports_that_are_no_redis(void **state)
{
    struct listener web = listener_start("HTTP/1.1 400 Bad Request\r\n\r\n"), mute = listener_start("");
    char url[160], path[128];
    FILE *file;

    (void)state;
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", web.port);
    both_say(url, "SET", "rotocol", "is that a Redis, and is the port right?");
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", mute.port);
    both_say(url, "SET", "127.0.0.1", "does its port want TLS (rediss://)");
    both_say("redis://127.0.0.1:1", "SET", "refused", "is redis-server running there, and is the port right?");
    both_say("redis://no-such-host.invalid", "SET", "no-such-host", "is the host name right");
    both_say("unix:///nowhere/redis.sock", "SET", "No such file", "is redis-server running, with this unixsocket?");
    snprintf(path, sizeof path, "%s/file", server.directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    snprintf(url, sizeof url, "unix://%s", path);
    both_say(url, "SET", "refused", "What is there is left over");
    listener_stop(&web);
    listener_stop(&mute);
}

/* What a question to brokers meets, told by the edge and by libbgop. */
static void both_say_of_kafka(const char *brokers, const char *name, const char *value, const char *cause)
{
    struct kafka_property property = { (char *)(uintptr_t)name, (char *)(uintptr_t)value };
    struct kafka_settings settings = { .brokers = brokers, .properties = &property, .property_count = name ? 1 : 0 };
    const char *properties[] = { name, value, NULL };
    struct kafka_topic topic = { .name = "t" };
    struct err err = ERR_INIT;
    struct bgop *bgop;
    char text[256];

    assert_int_equal(kafka_topics_look(&settings, &topic, 1, 1000, &err), ST_AGAIN);
    if (!strstr(err.text, cause) || !err.server || strcmp(err.server, "kafka") != 0)
        fail_msg("the edge says \"%s\", without \"%s\"", err.text, cause);
    assert_int_equal(bgop_open(&bgop,
                               &(struct bgop_config){ .kafka = brokers,
                                                      .redis = server.url,
                                                      .timeout_ms = 1000,
                                                      .kafka_properties = name ? properties : NULL },
                               text, sizeof text),
                     BGOP_OK);
    assert_int_equal(bgop_check(bgop), BGOP_UNREACHABLE);
    if (!strstr(bgop_error(bgop), cause) || strstr(bgop_error(bgop), "no broker runs there"))
        fail_msg("libbgop says \"%s\", without \"%s\"", bgop_error(bgop), cause);
    bgop_close(bgop);
}

static void ports_that_are_no_kafka(void **state)
{
    struct listener web = listener_start("HTTP/1.1 400 Bad Request\r\n\r\n"), mute = listener_start("");
    char brokers[64];

    (void)state;
    snprintf(brokers, sizeof brokers, "127.0.0.1:%d", web.port);
    both_say_of_kafka(brokers, NULL, NULL, "what answers there is no Kafka broker: is the port right?");
    both_say_of_kafka(brokers, "security.protocol", "ssl", "that port speaks plain text");
    snprintf(brokers, sizeof brokers, "127.0.0.1:%d", mute.port);
    both_say_of_kafka(brokers, NULL, NULL, "security.protocol in [kafka]");
    both_say_of_kafka("127.0.0.1:1", NULL, NULL, "is the broker running there, and is the port right?");
    both_say_of_kafka("no-such-host.invalid:9092", NULL, NULL, "is the host name right?");
    listener_stop(&web);
    listener_stop(&mute);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_left),
        cmocka_unit_test(replicas),
        cmocka_unit_test(a_script_that_runs_on),
        cmocka_unit_test(logins_and_rights),
        cmocka_unit_test(a_password_opens_a_unix_socket),
        cmocka_unit_test(fewer_databases_and_no_functions),
        cmocka_unit_test(ports_that_are_no_redis),
        cmocka_unit_test(ports_that_are_no_kafka),
        cmocka_unit_test(a_disk_that_cannot_be_written),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
