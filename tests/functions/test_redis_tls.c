/* rediss:// against a real redis-server with certificates of deploy/certificates: the programs' edge and libbgop alike. */
#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/client/link.h"
#include "common/redis/redis.h"
#include "tests/support/folder.h"
#include "tests/support/port.h"
#include "tests/support/redis_server.h"

enum { TIMEOUT_MS = 5000, REFUSED_MS = 1000, SHORT_MS = 200, WAIT_MS = 20000 };

static struct redis_server server;
static char folder[] = "/tmp/bgop-test-tls-XXXXXX", foreign[64];
static int tls_port, plain_port;

static void make(const char *arguments)
{
    char command[512];

    snprintf(command, sizeof command, "%s/deploy/certificates %s", BGOP_TOP, arguments);
    assert_int_equal(system(command), 0);
}

static void configure(const char *settings)
{
    redisContext *admin = redis_server_connect(&server);
    char command[1024];
    redisReply *reply;

    snprintf(command, sizeof command, "CONFIG SET %s", settings);
    reply = redisCommand(admin, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : admin->errstr);
    freeReplyObject(reply);
    redisFree(admin);
}

static void serve_with(const char *name, const char *more)
{
    char settings[900];

    snprintf(settings, sizeof settings,
             "tls-ca-cert-file %s/ca.pem tls-cert-file %s/%s.pem tls-key-file %s/%s.key tls-port %d port %d %s", folder,
             folder, name, folder, name, tls_port, plain_port, more);
    configure(settings);
}

/* The certificates are the server's alone: lost when it is started again. */
static int start_server(void **state)
{
    char arguments[256];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(foreign, sizeof foreign, "%s/foreign", folder);
    snprintf(arguments, sizeof arguments, "%s server client", folder);
    make(arguments);
    snprintf(arguments, sizeof arguments, "--days -1 %s expired", folder);
    make(arguments);
    snprintf(arguments, sizeof arguments, "--hosts DNS:redis.example.org %s elsewhere", folder);
    make(arguments);
    snprintf(arguments, sizeof arguments, "%s client", foreign);
    make(arguments);
    redis_server_start(&server, false);
    tls_port = port_take();
    plain_port = port_take();
    serve_with("server", "tls-auth-clients no");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    redis_server_stop(&server);
    folder_remove(folder);
    return 0;
}

static const char *url_at(const char *scheme, const char *host, int port, const char *query)
{
    static char urls[4][1024];
    static int n;
    char *url = urls[n++ % 4];

    snprintf(url, sizeof urls[0], "%s://%s:%d%s", scheme, host, port, query);
    return url;
}

/* ?tls_ca_file= of ours, and what else is wanted. */
static const char *query(const char *more)
{
    static char text[512];

    snprintf(text, sizeof text, "?tls_ca_file=%s/ca.pem%s", folder, more);
    return text;
}

static struct redis *connect_to(const char *url, int timeout_ms)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(url, timeout_ms, &err);

    if (!redis || redis_connect(redis, &err) != ST_OK)
        fail_msg("%s: %s", url, err.text);
    return redis;
}

static struct redis *connect_edge(void)
{
    return connect_to(url_at("rediss", "127.0.0.1", tls_port, query("")), TIMEOUT_MS);
}

static void echo(struct redis *redis, const char *text)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (redis_call(redis, &reply, &err, "ECHO", text, NULL) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(redis_reply_text(reply, NULL), text);
    redis_reply_free(reply);
}

static void calls_go_over_tls(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(hosts); i++) {
        const char *url = url_at("rediss", hosts[i], tls_port, query(""));
        struct redis *redis = connect_to(url, TIMEOUT_MS);
        struct redisReply *reply = NULL;
        struct link link;

        echo(redis, "hello");
        redis_free(redis);
        assert_int_equal(link_init(&link, url, TIMEOUT_MS), BGOP_OK);
        if (link_call(&link, &reply, 2, (const char *[]){ "ECHO", "hello" }) != BGOP_OK)
            fail_msg("%s", link.error);
        assert_string_equal(link_reply_text(reply), "hello");
        link_reply_free(reply);
        link_close(&link);
    }
}

/* More than all buffers hold, in both directions at once; and answers of many records. */
static void pipelines_are_larger_than_buffers(void **state)
{
    enum { COMMANDS = 3000, BYTES = 5000, LARGE = 3000000 };
    struct redis *redis = connect_edge();
    char *text = calloc(1, LARGE + 1);
    struct redis_command command;
    struct err err = ERR_INIT;

    (void)state;
    redis_command_init(&command);
    for (size_t size = BYTES; size <= LARGE; size += LARGE - BYTES) {
        int count = size == BYTES ? COMMANDS : 3;

        for (int i = 0; i < count; i++) {
            memset(text, 'a' + i % 26, size);
            redis_command_clear(&command);
            redis_command_add_text(&command, "ECHO");
            redis_command_add(&command, text, size);
            assert_int_equal(redis_send(redis, &command, &err), ST_OK);
        }
        for (int i = 0; i < count; i++) {
            struct redis_reply *reply = NULL;
            size_t got;

            if (redis_receive(redis, &reply, &err) != ST_OK)
                fail_msg("reply %d: %s", i, err.text);
            assert_int_equal(redis_reply_text(reply, &got)[size - 1], 'a' + i % 26);
            assert_int_equal(got, size);
            redis_reply_free(reply);
        }
    }
    redis_command_release(&command);
    free(text);
    redis_free(redis);
}

/* Many answers in one record: poll's kernel sees none of them, once OpenSSL has it. */
static void what_came_in_one_record_is_found_without_waiting(void **state)
{
    enum { ANSWERS = 2000 };
    struct redis *redis = connect_edge();
    struct redis_command command;
    struct err err = ERR_INIT;
    int found = 0;

    (void)state;
    redis_command_init(&command);
    redis_command_add_text(&command, "ECHO");
    redis_command_add_text(&command, "some words that make up a short answer");
    for (int i = 0; i < ANSWERS; i++)
        assert_int_equal(redis_enqueue(redis, &command, &err), ST_OK);
    redis_command_release(&command);
    for (int64_t until = clock_boot_ms() + WAIT_MS; found < ANSWERS && clock_boot_ms() < until;) {
        struct redis_reply *reply = NULL;

        if (redis_poll(redis, &reply, &err) != ST_OK)
            fail_msg("%s", err.text);
        found += reply ? 1 : 0;
        redis_reply_free(reply);
    }
    assert_int_equal(found, ANSWERS);
    redis_free(redis);
}

static void a_server_that_hangs_or_ends_is_met_again(void **state)
{
    struct redis *redis = connect_to(url_at("rediss", "127.0.0.1", tls_port, query("")), SHORT_MS);
    uint64_t number = redis_connection_number(redis);
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    (void)state;
    kill(server.pid, SIGSTOP);
    assert_int_equal(redis_call(redis, &reply, &err, "PING", NULL), ST_AGAIN);
    assert_non_null(strstr(err.text, "no answer within 200 ms"));
    redis_disconnect(redis);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "no answer to the handshake"));
    kill(server.pid, SIGCONT);
    redis_free(redis);
    redis = connect_edge();
    assert_int_equal(number, 1);
    redis_server_kill(&server);
    assert_int_equal(redis_call(redis, &reply, &err, "PING", NULL), ST_AGAIN);
    redis_disconnect(redis);
    redis_server_again(&server);
    serve_with("server", "tls-auth-clients no");
    assert_int_equal(redis_connect(redis, &err), ST_OK);
    echo(redis, "again");
    assert_int_equal(redis_connection_number(redis), 2);
    redis_free(redis);
}

/* Told by the edge and by libbgop. */
static void both_say(const char *url, const char *error, const char *cause)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(url, REFUSED_MS, &err);
    struct redis_reply *reply = NULL;
    struct redisReply *link_reply = NULL;
    struct link link;

    assert_non_null(redis);
    assert_int_equal(redis_call(redis, &reply, &err, "PING", NULL), ST_AGAIN);
    if (!strstr(err.text, error) || !strstr(err.text, cause) || !strstr(err.text, redis_address(redis)))
        fail_msg("the edge says \"%s\", without \"%s\" or \"%s\"", err.text, error, cause);
    redis_free(redis);
    assert_int_equal(link_init(&link, url, REFUSED_MS), BGOP_OK);
    assert_int_not_equal(link_call(&link, &link_reply, 1, (const char *[]){ "PING" }), BGOP_OK);
    if (!strstr(link.error, error) || !strstr(link.error, cause))
        fail_msg("libbgop says \"%s\", without \"%s\" or \"%s\"", link.error, error, cause);
    link_close(&link);
}

static void certificates_that_are_not_right_are_told(void **state)
{
    const char *url = url_at("rediss", "127.0.0.1", tls_port, query("")), *wrong;
    char text[128];

    (void)state;
    serve_with("expired", "");
    both_say(url, "certificate has expired", "give the server a new one");
    serve_with("elsewhere", "");
    both_say(url, "IP address mismatch", "names other hosts");
    both_say(url_at("rediss", "localhost", tls_port, query("")), "hostname mismatch", "names other hosts");
    serve_with("server", "");
    snprintf(text, sizeof text, "?tls_ca_file=%s/ca.pem", foreign);
    wrong = url_at("rediss", "127.0.0.1", tls_port, text);
    both_say(wrong, "its certificate: ", "is [redis] tls_ca_file the authority");
    both_say(url_at("rediss", "127.0.0.1", tls_port, ""), "its certificate: ", "is [redis] tls_ca_file the authority");
    redis_free(connect_edge()); /* a certificate that was renewed is taken */
}

static void plain_text_and_tls_are_told_apart(void **state)
{
    (void)state;
    both_say(url_at("rediss", "127.0.0.1", plain_port, query("")), "TLS", "write redis://");
    both_say(url_at("redis", "127.0.0.1", tls_port, ""), "", "rediss://");
}

static void servers_that_want_a_certificate_get_one(void **state)
{
    char ours[256], theirs[256];

    (void)state; /* a server that closes before it has read all resets the connection, and its alert may be lost */
    serve_with("server", "tls-auth-clients yes");
    snprintf(ours, sizeof ours, "&tls_cert_file=%s/client.pem&tls_key_file=%s/client.key", folder, folder);
    snprintf(theirs, sizeof theirs, "&tls_cert_file=%s/client.pem&tls_key_file=%s/client.key", foreign, foreign);
    redis_free(connect_to(url_at("rediss", "127.0.0.1", tls_port, query(ours)), TIMEOUT_MS));
    both_say(url_at("rediss", "127.0.0.1", tls_port, query("")), "", "certificate of ours");
    both_say(url_at("rediss", "127.0.0.1", tls_port, query(theirs)), "", "certificate of ours");
    serve_with("server", "tls-auth-clients no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_over_tls),
        cmocka_unit_test(pipelines_are_larger_than_buffers),
        cmocka_unit_test(what_came_in_one_record_is_found_without_waiting),
        cmocka_unit_test(a_server_that_hangs_or_ends_is_met_again),
        cmocka_unit_test(certificates_that_are_not_right_are_told),
        cmocka_unit_test(plain_text_and_tls_are_told_apart),
        cmocka_unit_test(servers_that_want_a_certificate_get_one),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
