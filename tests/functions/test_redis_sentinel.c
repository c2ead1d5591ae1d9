/* The Redis edge and libbgop's link against real Sentinels: who the primary is, when another one is, and what is said to who
 * names the wrong server. */
#include "tests/support/test.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "common/client/link.h"
#include "common/redis/functions.h"
#include "common/redis/redis.h"
#include "tests/support/redis_sentinel.h"

enum { TIMEOUT_MS = 5000, TRIES = 6000, PAUSE_NS = 10000000 };

static struct redis_sentinel set;

static struct redis *open_redis(const char *url)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(url, TIMEOUT_MS, &err);

    if (!redis)
        fail_msg("%s", err.text);
    return redis;
}

static enum status call(struct redis *redis, struct err *err, const char *a, const char *b, const char *c)
{
    struct redis_reply *reply;
    enum status st;

    *err = (struct err)ERR_INIT;
    st = redis_call(redis, &reply, err, a, b, c, NULL);
    redis_reply_free(reply);
    return st;
}

static void must_call(struct redis *redis, const char *a, const char *b, const char *c)
{
    struct err err = ERR_INIT;

    if (call(redis, &err, a, b, c) != ST_OK)
        fail_msg("%s %s: %s", a, b, err.text);
}

/* Until the server at this place serves it; every failure before says ST_AGAIN. */
static void write_until(struct redis *redis, int server)
{
    struct err err = ERR_INIT;
    char port[16];

    snprintf(port, sizeof port, ":%d", redis_sentinel_port(&set, server));
    for (int i = 0; i < TRIES; i++) {
        enum status st = call(redis, &err, "SET", "x", "y");

        if (st == ST_OK && strstr(redis_address(redis), port))
            return;
        assert_true(st == ST_OK || st == ST_AGAIN);
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    }
    fail_msg("server %d is not reached: %s", server, err.text);
}

static void the_sentinels_name_the_primary(void **state)
{
    struct redis *redis = open_redis(set.url);
    char expected[64];

    (void)state;
    assert_true(redis_is_by_sentinel(redis));
    assert_false(redis_is_cluster(redis));
    must_call(redis, "SET", "x", "y");
    snprintf(expected, sizeof expected, "127.0.0.1:%d (mine)", redis_sentinel_port(&set, 0));
    assert_string_equal(redis_address(redis), expected);
    assert_int_equal(redis_connection_number(redis), 1);
    redis_free(redis);
}

static void a_sentinel_that_is_away_is_passed_over(void **state)
{
    char url[256];
    struct redis *redis;

    (void)state;
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:1,127.0.0.1:%d/mine", set.at[3].port);
    redis = open_redis(url);
    must_call(redis, "SET", "x", "y");
    redis_free(redis);
}

/* ---- wrong addresses: by the edge and by libbgop, in the same words ---- */

static void refused(const char *url, bool refusal, const char *const *words)
{
    struct redis *redis = open_redis(url);
    struct redisReply *reply;
    struct err err = ERR_INIT;
    struct link link;

    assert_int_equal(call(redis, &err, "HGET", "bgop:meta", "shards"), ST_AGAIN);
    if (redis_is_refusal(&err) != refusal)
        fail_msg("refusal: %s", err.text);
    redis_free(redis);
    assert_int_equal(link_init(&link, url, TIMEOUT_MS), BGOP_OK);
    assert_int_not_equal(link_call(&link, &reply, 3, (const char *[]){ "HGET", "bgop:meta", "shards" }), BGOP_OK);
    link_close(&link);
    for (; *words; words++) {
        if (!strstr(err.text, *words) || !strstr(link.error, *words))
            fail_msg("%s is not in: %s; %s", *words, err.text, link.error);
    }
}

static void nobody_answers(void **state)
{
    (void)state;
    refused("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mine", false,
            (const char *[]){ "no primary \"mine\"", "127.0.0.1:1", "127.0.0.1:2", "refused", NULL });
}

static void a_name_that_no_sentinel_knows(void **state)
{
    char url[256], sentinel[64];

    (void)state;
    snprintf(sentinel, sizeof sentinel, "127.0.0.1:%d", set.at[2].port);
    snprintf(url, sizeof url, "redis+sentinel://%s/other", sentinel);
    refused(url, true, (const char *[]){ "\"other\"", sentinel, "it knows mine", NULL });
}

static void a_plain_server_is_no_sentinel(void **state)
{
    char url[256], server[64];
    struct redis *redis;

    (void)state;
    snprintf(server, sizeof server, "127.0.0.1:%d", set.at[0].port);
    snprintf(url, sizeof url, "redis+sentinel://%s/mine", server);
    refused(url, true, (const char *[]){ server, "it is no Sentinel", NULL });
    /* one that is wrong beside one that is right does no harm */
    snprintf(url, sizeof url, "redis+sentinel://%s,127.0.0.1:%d/mine", server, set.at[2].port);
    redis = open_redis(url);
    must_call(redis, "SET", "x", "y");
    redis_free(redis);
}

static void a_sentinel_is_no_plain_server(void **state)
{
    char url[256];

    (void)state;
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", set.at[2].port);
    refused(url, true, (const char *[]){ "it is a Sentinel", "redis+sentinel://", NULL });
}

static void sentinels_want_their_own_password(void **state)
{
    redisContext *sentinel = redisConnect("127.0.0.1", set.at[4].port);
    char url[256];
    struct redis *redis;

    (void)state;
    freeReplyObject(redisCommand(sentinel, "ACL SETUSER default resetpass >hush"));
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/mine", set.at[4].port);
    refused(url, true, (const char *[]){ "NOAUTH", "sentinel_password_file", NULL });
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/mine?sentinel_password=hush", set.at[4].port);
    redis = open_redis(url);
    must_call(redis, "SET", "x", "y");
    redis_free(redis);
    freeReplyObject(redisCommand(sentinel, "ACL SETUSER default nopass"));
    redisFree(sentinel);
}

/* ---- failover ---- */

static enum bgop_code link_write(struct link *link)
{
    struct redisReply *reply;
    enum bgop_code code = link_call(link, &reply, 3, (const char *[]){ "SET", "x", "y" });

    link_reply_free(reply);
    return code;
}

static void link_write_until_it_works(struct link *link)
{
    for (int i = 0; i < TRIES; i++) {
        enum bgop_code code = link_write(link);

        if (code == BGOP_OK)
            return;
        assert_int_equal(code, BGOP_UNREACHABLE);
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    }
    fail_msg("%s", link->error);
}

static void a_killed_primary_is_replaced(void **state)
{
    struct redis *redis = open_redis(set.url);
    struct err err = ERR_INIT;
    struct link link;
    char before[64], after[64];
    int primary = redis_sentinel_settled(&set);

    (void)state;
    assert_int_equal(link_init(&link, set.url, TIMEOUT_MS), BGOP_OK);
    assert_int_equal(link_write(&link), BGOP_OK);
    assert_int_equal(functions_run_id(redis, before, &err), ST_OK);
    redis_sentinel_kill(&set, primary);
    assert_int_equal(call(redis, &err, "SET", "x", "y"), ST_AGAIN);
    assert_int_equal(call(redis, &err, "SET", "x", "y"), ST_AGAIN);
    assert_false(redis_is_refusal(&err));
    assert_non_null(strstr(err.text, "until another one is elected"));
    write_until(redis, !primary);
    link_write_until_it_works(&link);
    assert_int_equal(functions_run_id(redis, after, &err), ST_OK);
    assert_string_not_equal(before, after);
    redis_sentinel_again(&set, primary); /* and becomes its replica */
    link_close(&link);
    redis_free(redis);
}

/* It comes back and takes itself for the primary, for a moment. */
static void a_primary_that_stood_still_is_left_before_it_answers(void **state)
{
    struct redis *redis = open_redis(set.url), *old;
    struct err err = ERR_INIT;
    struct timespec from, to;
    char url[64];
    int primary = redis_sentinel_settled(&set);

    (void)state;
    must_call(redis, "SET", "x", "before");
    redis_sentinel_signal(&set, primary, SIGSTOP);
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(call(redis, &err, "SET", "x", "lost"), ST_AGAIN);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (to.tv_sec - from.tv_sec < TIMEOUT_MS / 1000 && !strstr(err.text, "name another primary")) /* a busy machine */
        fail_msg("%s", err.text);
    write_until(redis, !primary);
    redis_sentinel_signal(&set, primary, SIGCONT);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", set.at[primary].port);
    old = open_redis(url);
    for (int i = 0; i < TRIES && call(old, &err, "SET", "x", "old") == ST_OK; i++)
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    assert_int_equal(call(old, &err, "SET", "x", "old"), ST_AGAIN);
    assert_true(strstr(err.text, "READONLY") || strstr(err.text, "LOADING") || strstr(err.text, "MASTERDOWN"));
    assert_string_equal(redis_sentinel_call(&set, !primary, "GET x")->str, "y");
    redis_free(old);
    redis_free(redis);
}

/* Nothing breaks and nobody refuses: the Sentinels alone know. */
static void a_primary_that_still_serves_is_left_when_another_has_its_place(void **state)
{
    struct redis *redis = open_redis(set.url);
    int primary = redis_sentinel_settled(&set);

    (void)state;
    write_until(redis, primary);
    for (int i = 2; i < REDIS_SENTINEL_PROCESSES; i++) {
        redis_sentinel_call(&set, i, "SENTINEL REMOVE mine");
        redis_sentinel_call(&set, i, "SENTINEL MONITOR mine 127.0.0.1 %d 3", set.at[!primary].port);
    }
    redis_sentinel_call(&set, !primary, "REPLICAOF NO ONE");
    write_until(redis, !primary);
    assert_non_null(strstr(redis_sentinel_call(&set, primary, "INFO replication")->str, "role:master"));
    redis_free(redis);
}

static int setup(void **state)
{
    (void)state;
    redis_sentinel_start(&set);
    return 0;
}

static int setup_by_tls(void **state)
{
    (void)state;
    redis_sentinel_start_by_tls(&set);
    return 0;
}

/* Without the authority nobody is believed. */
static void a_sentinel_of_an_unknown_authority_is_refused(void **state)
{
    char url[256];

    (void)state;
    snprintf(url, sizeof url, "rediss+sentinel://127.0.0.1:%d/mine", redis_sentinel_port(&set, 2));
    refused(url, false, (const char *[]){ "certificate", NULL });
}

static int teardown(void **state)
{
    (void)state;
    redis_sentinel_stop(&set);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sentinels_name_the_primary),
        cmocka_unit_test(a_sentinel_that_is_away_is_passed_over),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_name_that_no_sentinel_knows),
        cmocka_unit_test(a_plain_server_is_no_sentinel),
        cmocka_unit_test(a_sentinel_is_no_plain_server),
        cmocka_unit_test(sentinels_want_their_own_password),
        cmocka_unit_test(a_killed_primary_is_replaced),
        cmocka_unit_test(a_primary_that_stood_still_is_left_before_it_answers),
        cmocka_unit_test(a_primary_that_still_serves_is_left_when_another_has_its_place),
    };
    const struct CMUnitTest by_tls[] = {
        cmocka_unit_test(the_sentinels_name_the_primary),
        cmocka_unit_test(a_sentinel_of_an_unknown_authority_is_refused),
        cmocka_unit_test(a_killed_primary_is_replaced),
    };
    int wrong = cmocka_run_group_tests(tests, setup, teardown);

    return wrong ? wrong : cmocka_run_group_tests_name("by TLS", by_tls, setup_by_tls, teardown);
}
