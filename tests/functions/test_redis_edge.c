/* The Redis edge against a real redis-server: what happens when it stops, dies, refuses or is something else. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/redis/functions.h"
#include "common/redis/redis.h"
#include "tests/support/redis_server.h"

enum { TIMEOUT_MS = 2000, SHORT_MS = 200 };

static struct redis_server server;

static struct redis *open_redis(int timeout_ms)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(server.url, timeout_ms, &err);

    assert_non_null(redis);
    return redis;
}

/* Calls and answers with the reply's text, or the error's. */
static const char *call(struct redis *redis, const char *a, const char *b, const char *c)
{
    static char text[1024];
    struct err err = ERR_INIT;
    struct redis_reply *reply;
    enum status st = redis_call(redis, &reply, &err, a, b, b ? c : NULL, NULL);

    snprintf(text, sizeof text, "%s", st == ST_OK ? redis_reply_text(reply, NULL) : err.text);
    redis_reply_free(reply);
    return text;
}

static enum status eval(struct redis *redis, const char *script, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_call(redis, &reply, err, "EVAL", script, "0", NULL);

    redis_reply_free(reply);
    return st;
}

static void send_echo(struct redis *redis, const char *text, enum status want)
{
    struct redis_command command;
    struct err err = ERR_INIT;

    redis_command_init(&command);
    redis_command_add_text(&command, "ECHO");
    redis_command_add_text(&command, text);
    assert_int_equal(redis_send(redis, &command, &err), want);
    redis_command_release(&command);
}

static void expect_echo(struct redis *redis, const char *text)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_receive(redis, &reply, &err), ST_OK);
    assert_string_equal(redis_reply_text(reply, NULL), text);
    redis_reply_free(reply);
}

static void expect_lost(struct redis *redis)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_receive(redis, &reply, &err), ST_AGAIN);
    assert_null(reply);
    assert_non_null(strstr(err.text, server.socket));
}

static int begin(void **state)
{
    (void)state;
    redis_server_start(&server, true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

/* ---- replies ---- */

static void replies_of_every_kind_are_read(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    size_t size;

    (void)state;
    assert_int_equal(redis_call(redis, &reply, &err, "EVAL", "return {1, 'two', {'three', 4}, false, '55'}", "0", NULL),
                     ST_OK);
    assert_int_equal(redis_reply_kind(reply), REDIS_ARRAY);
    assert_int_equal(redis_reply_count(reply), 5);
    assert_int_equal(redis_reply_kind(redis_reply_at(reply, 0)), REDIS_INTEGER);
    assert_int_equal(redis_reply_int(redis_reply_at(reply, 0), -1), 1);
    assert_string_equal(redis_reply_text(redis_reply_at(reply, 0), &size), "");
    assert_string_equal(redis_reply_text(redis_reply_at(reply, 1), &size), "two");
    assert_int_equal(size, 3);
    assert_int_equal(redis_reply_int(redis_reply_at(reply, 1), -7), -7);
    assert_int_equal(redis_reply_int(redis_reply_at(redis_reply_at(reply, 2), 1), -1), 4);
    assert_int_equal(redis_reply_kind(redis_reply_at(reply, 3)), REDIS_NIL);
    assert_int_equal(redis_reply_int(redis_reply_at(reply, 4), -1), 55);
    assert_null(redis_reply_at(reply, 5));
    assert_int_equal(redis_reply_kind(NULL), REDIS_NIL);
    assert_string_equal(redis_reply_text(NULL, NULL), "");
    redis_reply_free(reply);
    assert_string_equal(call(redis, "PING", NULL, NULL), "PONG");
    redis_free(redis);
}

static void arguments_may_hold_any_bytes(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    size_t size;
    const char *text;

    (void)state;
    redis_command_init(&command);
    redis_command_add_text(&command, "ECHO");
    redis_command_add(&command, "a\0\r\n$b", 6);
    assert_int_equal(redis_send(redis, &command, &err), ST_OK);
    assert_int_equal(redis_receive(redis, &reply, &err), ST_OK);
    text = redis_reply_text(reply, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(text, "a\0\r\n$b", 6);
    redis_reply_free(reply);
    redis_command_release(&command);
    redis_free(redis);
}

static void a_pipeline_larger_than_all_buffers_flows(void **state)
{
    enum { COUNT = 1000, SIZE = 20000 };
    static char large[SIZE];
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    (void)state;
    memset(large, 'x', sizeof large);
    redis_command_init(&command);
    redis_command_add_text(&command, "ECHO");
    redis_command_add(&command, large, sizeof large);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(redis_send(redis, &command, &err), ST_OK);
    for (int i = 0; i < COUNT; i++) {
        size_t size;

        assert_int_equal(redis_receive(redis, &reply, &err), ST_OK);
        redis_reply_text(reply, &size);
        assert_int_equal(size, SIZE);
        redis_reply_free(reply);
    }
    redis_command_release(&command);
    redis_free(redis);
}

/* ---- errors ---- */

static void error_replies_tell_what_to_do(void **state)
{
    static const struct {
        const char *text;
        enum status st;
    } cases[] = {
        { "FENCED 7", ST_FENCED },
        { "FENCED 0", ST_FENCED },
        { "RECOVERING generation 3", ST_RECOVERING },
        { "STALE 9", ST_STALE },
        { "LOADING wait", ST_AGAIN },
        { "BUSY running a script", ST_AGAIN },
        { "OOM command not allowed", ST_AGAIN },
        { "MISCONF disk", ST_AGAIN },
        { "TRYAGAIN x", ST_AGAIN },
        { "CLUSTERDOWN x", ST_AGAIN },
        { "NOREPLICAS x", ST_AGAIN },
        { "BUSYKEY exists", ST_INVALID },
        { "INVALID want: x", ST_INVALID },
        { "ERR syntax", ST_INVALID },
        { "FENCEDX y", ST_INVALID },
    };
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char script[128];

        snprintf(script, sizeof script, "return redis.error_reply('%s')", cases[i].text);
        if (eval(redis, script, &err) != cases[i].st)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    assert_int_equal(eval(redis, "return redis.error_reply('FENCED 7')", &err), ST_FENCED);
    assert_string_equal(err.text, "FENCED 7");
    assert_int_equal(eval(redis, "return redis.error_reply('STALE 7')", &err), ST_STALE);
    assert_int_equal(eval(redis, "redis.call('SET', 'k', 'v') return redis.call('LPUSH', 'k', 'v')", &err), ST_INVALID);
    assert_int_equal(redis_connection_number(redis), 1); /* none of them costs the connection */
    redis_free(redis);
}

static void out_of_memory_is_no_verdict(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(redis_call(redis, &reply, &err, "CONFIG", "SET", "maxmemory", "1", NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(redis_call(redis, &reply, &err, "SET", "a", "b", NULL), ST_AGAIN);
    assert_non_null(strstr(err.text, "OOM"));
    assert_int_equal(redis_call(redis, &reply, &err, "CONFIG", "SET", "maxmemory", "0", NULL), ST_OK);
    redis_reply_free(reply);
    assert_string_equal(call(redis, "SET", "a", "b"), "OK");
    redis_free(redis);
}

static void a_replica_is_left_for_a_new_connection(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS), *other = open_redis(TIMEOUT_MS);
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(call(redis, "SET", "a", "1"), "OK");
    assert_string_equal(call(other, "REPLICAOF", "127.0.0.1", "1"), "OK");
    assert_int_equal(redis_call(redis, &reply, &err, "SET", "a", "2", NULL), ST_AGAIN);
    assert_non_null(strstr(err.text, "READONLY"));
    assert_string_equal(call(other, "REPLICAOF", "NO", "ONE"), "OK");
    assert_string_equal(call(redis, "SET", "a", "3"), "OK");
    assert_int_equal(redis_connection_number(redis), 2);
    redis_free(redis);
    redis_free(other);
}

/* ---- trouble ---- */

static void a_late_reply_is_never_read_by_another_command(void **state)
{
    struct redis *redis = open_redis(SHORT_MS);
    int64_t begin_ms;

    (void)state;
    assert_string_equal(call(redis, "ECHO", "before", NULL), "before");
    send_echo(redis, "first", ST_OK);
    send_echo(redis, "second", ST_OK);
    kill(server.pid, SIGSTOP);
    begin_ms = clock_boot_ms();
    expect_lost(redis);
    assert_in_range(clock_boot_ms() - begin_ms, SHORT_MS / 2, 20 * SHORT_MS);
    assert_false(redis_connected(redis));
    kill(server.pid, SIGCONT);
    expect_lost(redis); /* each send has its receive */
    assert_string_equal(call(redis, "ECHO", "third", NULL), "third");
    assert_int_equal(redis_connection_number(redis), 2);
    redis_free(redis);
}

static void replies_lost_with_a_server_come_before_those_of_the_next(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct err err = ERR_INIT;

    (void)state;
    send_echo(redis, "one", ST_OK);
    expect_echo(redis, "one");
    send_echo(redis, "two", ST_OK);
    send_echo(redis, "three", ST_OK);
    redis_server_kill(&server);
    expect_lost(redis);
    send_echo(redis, "nobody", ST_AGAIN); /* not sent, so nothing to receive for it */
    redis_server_again(&server);
    assert_int_equal(redis_connect(redis, &err), ST_OK); /* sends pause after a failed attempt; asking does not */
    send_echo(redis, "four", ST_OK);
    send_echo(redis, "five", ST_OK);
    expect_lost(redis); /* "three" */
    expect_echo(redis, "four");
    expect_echo(redis, "five");
    assert_int_equal(redis_connection_number(redis), 2);
    redis_free(redis);
}

static void wait_arrived(struct redis *redis)
{
    int64_t until = clock_boot_ms() + 10000;

    while (redis_arrived(redis) < 0) {
        struct pollfd fd = { .events = POLLIN };

        assert_int_equal(redis_descriptors(redis, &fd.fd, 1), 1);
        assert_true(clock_boot_ms() < until);
        poll(&fd, 1, 1000);
    }
}

/* Answers can be waited for beside other things: whether the next one is there costs no waiting. */
static void an_answer_that_has_arrived_is_received_at_once(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);

    (void)state;
    send_echo(redis, "a", ST_OK);
    send_echo(redis, "b", ST_OK);
    wait_arrived(redis);
    assert_int_equal(redis_arrived(redis), 0); /* asked twice, it is still one */
    expect_echo(redis, "a");
    wait_arrived(redis);
    expect_echo(redis, "b");
    assert_int_equal(redis_arrived(redis), -1); /* nothing is outstanding */
    kill(server.pid, SIGSTOP);
    send_echo(redis, "c", ST_OK);
    assert_int_equal(redis_arrived(redis), -1); /* nor does it wait for a server that stands still */
    kill(server.pid, SIGCONT);
    wait_arrived(redis);
    expect_echo(redis, "c");
    send_echo(redis, "d", ST_OK);
    wait_arrived(redis);
    redis_disconnect(redis); /* with what was read ahead */
    assert_int_equal(redis_arrived(redis), 0);
    send_echo(redis, "e", ST_OK);
    expect_echo(redis, "e");
    redis_free(redis);
}

static void disconnecting_drops_what_is_outstanding(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);

    (void)state;
    send_echo(redis, "one", ST_OK);
    redis_disconnect(redis);
    assert_string_equal(call(redis, "ECHO", "two", NULL), "two");
    redis_free(redis);
}

static void an_absent_server_is_named_with_a_likely_cause(void **state)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new("redis://127.0.0.1:1", TIMEOUT_MS, &err);

    (void)state;
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_string_equal(err.text,
                        "Redis at 127.0.0.1:1: connecting: Connection refused; is redis-server running there, "
                        "and is the port right?");
    redis_free(redis);
    redis = redis_new("unix:///tmp/no-such-socket", TIMEOUT_MS, &err);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "/tmp/no-such-socket"));
    assert_non_null(strstr(err.text, "is redis-server running"));
    redis_free(redis);
}

static void passwords_are_asked_for_and_checked(void **state)
{
    struct redis *redis = open_redis(TIMEOUT_MS);
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    int port = 0;
    char url[128];

    (void)state;
    assert_int_equal(redis_call(redis, &reply, &err, "CONFIG", "SET", "requirepass", "s@cret", NULL), ST_OK);
    redis_reply_free(reply);
    for (int number = 20000 + getpid() % 20000; !port; number++) { /* logins are for TCP: let it listen somewhere */
        snprintf(url, sizeof url, "%d", number);
        if (redis_call(redis, &reply, &err, "CONFIG", "SET", "port", url, NULL) == ST_OK)
            port = number;
        redis_reply_free(reply);
    }
    redis_disconnect(redis);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "it wants a password"));
    redis_free(redis);

    snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%d", port);
    redis = redis_new(url, TIMEOUT_MS, &err);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "are user and password right?"));
    assert_null(strstr(err.text, "wrong")); /* secrets never */
    redis_free(redis);

    snprintf(url, sizeof url, "redis://default:s%%40cret@127.0.0.1:%d/2", port);
    redis = redis_new(url, TIMEOUT_MS, &err);
    assert_int_equal(redis_connect(redis, &err), ST_OK);
    assert_string_equal(call(redis, "SET", "in", "two"), "OK");
    assert_non_null(strstr(call(redis, "CLIENT", "INFO", NULL), " db=2 "));
    assert_null(strstr(redis_address(redis), "cret"));
    assert_int_equal(redis_call(redis, &reply, &err, "CONFIG", "SET", "requirepass", "", NULL), ST_OK);
    redis_reply_free(reply);
    redis_free(redis);
}

static void *answer_as_a_web_server(void *arg)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    int client = accept(*(const int *)arg, NULL, NULL);

    if (client >= 0) {
        if (write(client, answer, sizeof answer - 1) < 0)
            perror("write");
        shutdown(client, SHUT_WR);
        close(client);
    }
    return NULL;
}

static void something_else_on_the_port_is_recognized(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    struct err err = ERR_INIT;
    struct redis *redis;
    char url[64];

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_as_a_web_server, &listener), 0);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", ntohs(address.sin_port));
    redis = redis_new(url, TIMEOUT_MS, &err);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "is that a Redis"));
    pthread_join(thread, NULL);
    redis_free(redis);
    redis = redis_new(url, SHORT_MS, &err); /* now nobody answers */
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "no answer within 200 ms"));
    redis_free(redis);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_every_kind_are_read),
        cmocka_unit_test(arguments_may_hold_any_bytes),
        cmocka_unit_test(a_pipeline_larger_than_all_buffers_flows),
        cmocka_unit_test(error_replies_tell_what_to_do),
        cmocka_unit_test(out_of_memory_is_no_verdict),
        cmocka_unit_test(a_replica_is_left_for_a_new_connection),
        cmocka_unit_test(a_late_reply_is_never_read_by_another_command),
        cmocka_unit_test(replies_lost_with_a_server_come_before_those_of_the_next),
        cmocka_unit_test(an_answer_that_has_arrived_is_received_at_once),
        cmocka_unit_test(disconnecting_drops_what_is_outstanding),
        cmocka_unit_test(an_absent_server_is_named_with_a_likely_cause),
        cmocka_unit_test(passwords_are_asked_for_and_checked),
        cmocka_unit_test(something_else_on_the_port_is_recognized),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
