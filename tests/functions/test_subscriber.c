/* What Redis says unasked: hints as they are made, and how many workers listen. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/redis/subscriber.h"
#include "tests/support/shard.h"
#include "tests/support/test.h"

enum { WAIT_MS = 40000 };

static struct redis *open_redis(const struct shard *shard)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(shard->server->url, 2000, &err);

    assert_non_null(redis);
    return redis;
}

static struct redis *listen_to(const struct shard *shard, int number, const char *type)
{
    struct redis *redis = open_redis(shard);
    struct err err = ERR_INIT;

    assert_int_equal(subscriber_connect(redis, &err), ST_OK);
    assert_int_equal(subscriber_subscribe(redis, number, type, true, &err), ST_OK);
    return redis;
}

/* Waits for the next hints; answers "shard Type Ids". */
static const char *hear(struct redis *redis)
{
    static char text[1024];
    int64_t until = clock_boot_ms() + WAIT_MS;
    struct err err = ERR_INIT;
    struct published published;

    while (clock_boot_ms() < until) {
        assert_int_equal(subscriber_receive(redis, &published, &err), ST_OK);
        if (published.kind == PUBLISHED_HINTS) {
            snprintf(text, sizeof text, "%d %s %.*s", published.shard, published.type, (int)published.ids_size,
                     published.ids);
            published_release(&published);
            return text;
        }
        if (published.kind == PUBLISHED_NOTHING)
            usleep(1000);
        published_release(&published);
    }
    return "nothing";
}

/* Until the server has answered so many of our commands; it says nothing else meanwhile. */
static void wait_for_answers(struct redis *redis, int count)
{
    int64_t until = clock_boot_ms() + WAIT_MS;
    struct err err = ERR_INIT;
    struct published published;

    while (count > 0) {
        assert_in_range(clock_boot_ms(), 0, until);
        assert_int_equal(subscriber_receive(redis, &published, &err), ST_OK);
        assert_int_not_equal(published.kind, PUBLISHED_HINTS);
        count -= published.kind == PUBLISHED_REPLY;
        if (published.kind == PUBLISHED_NOTHING)
            usleep(1000);
        published_release(&published);
    }
}

/* Until listening fails; *err says how. */
static void wait_for_failure(struct redis *redis, struct err *err)
{
    int64_t until = clock_boot_ms() + WAIT_MS;
    struct published published;

    while (subscriber_receive(redis, &published, err) == ST_OK) {
        published_release(&published);
        assert_in_range(clock_boot_ms(), 0, until);
        usleep(1000);
    }
    assert_false(redis_connected(redis));
}

static int listeners(struct redis *redis)
{
    int64_t until = clock_boot_ms() + WAIT_MS;
    struct err err = ERR_INIT;
    int count = -1;

    assert_int_equal(subscribers_count_send(redis, &err), ST_OK);
    while (count < 0) {
        assert_in_range(clock_boot_ms(), 0, until);
        assert_int_equal(subscribers_count_receive(redis, &count, &err), ST_OK);
        usleep(1000);
    }
    return count;
}

static void hints_are_heard_as_they_are_made(void **state)
{
    struct shard *shard = *state;
    struct redis *redis = listen_to(shard, 3, "WebCart");
    char expected[64];

    wait_for_answers(redis, 2);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ .type = "XClean" }); /* not listened to */
    shard_submit(shard, 3, (struct shard_op){ 0 });
    snprintf(expected, sizeof expected, "3 WebCart %s", shard_id(1));
    assert_string_equal(hear(redis), expected);
    snprintf(expected, sizeof expected, "3 WebCart %s", shard_id(3));
    assert_string_equal(hear(redis), expected);
    redis_free(redis);
}

static void what_is_made_claimable_again_is_heard(void **state)
{
    struct shard *shard = *state;
    struct redis *redis = listen_to(shard, 3, "WebCart");
    char expected[64];

    wait_for_answers(redis, 2);
    snprintf(expected, sizeof expected, "3 WebCart %s", shard_id(1));
    shard_submit(shard, 1, (struct shard_op){ .retry_backoff = "1000", .retry_limit = "3" });
    assert_string_equal(hear(redis), expected);
    shard_claim(shard, 1);
    shard_apply(shard, "returned", 1, 1, "");
    assert_string_equal(hear(redis), expected);
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 2, "no");
    shard_claim(shard, 1); /* the first retry is at once */
    shard_apply(shard, "error", 1, 3, "no");
    assert_string_equal(hear(redis), expected);
    shard_clock(shard, shard_now(shard) + 3600000);
    shard_tick(shard);
    assert_string_equal(hear(redis), expected);
    redis_free(redis);
}

static void who_stops_listening_hears_no_more(void **state)
{
    struct shard *shard = *state;
    struct redis *redis = listen_to(shard, 3, "WebCart");
    struct err err = ERR_INIT;
    char expected[64];

    assert_int_equal(subscriber_subscribe(redis, 3, "WebCart", false, &err), ST_OK);
    wait_for_answers(redis, 3);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    assert_int_equal(subscriber_subscribe(redis, 3, "WebCart", true, &err), ST_OK);
    assert_int_equal(subscriber_ping(redis, &err), ST_OK);
    wait_for_answers(redis, 2);
    shard_submit(shard, 2, (struct shard_op){ 0 });
    snprintf(expected, sizeof expected, "3 WebCart %s", shard_id(2));
    assert_string_equal(hear(redis), expected);
    redis_free(redis);
}

static void listeners_are_counted_while_they_are_connected(void **state)
{
    struct shard *shard = *state;
    struct redis *asking = open_redis(shard), *first = open_redis(shard), *second = open_redis(shard);
    struct err err = ERR_INIT;

    assert_int_equal(listeners(asking), 0);
    assert_int_equal(subscriber_connect(first, &err), ST_OK);
    assert_int_equal(subscriber_connect(second, &err), ST_OK);
    wait_for_answers(first, 1);
    wait_for_answers(second, 1);
    assert_int_equal(listeners(asking), 2);
    redis_free(first);
    for (int64_t until = clock_boot_ms() + WAIT_MS; listeners(asking) == 2;)
        assert_in_range(clock_boot_ms(), 0, until);
    assert_int_equal(listeners(asking), 1);
    redis_free(second);
    redis_free(asking);
}

static void a_server_that_dies_ends_the_listening(void **state)
{
    struct shard *shard = *state;
    struct redis *redis = listen_to(shard, 3, "WebCart");
    struct err err = ERR_INIT;

    wait_for_answers(redis, 2);
    redis_server_kill(shard->server);
    wait_for_failure(redis, &err);
    assert_non_null(strstr(err.text, shard->server->socket));
    assert_int_equal(subscriber_ping(redis, &err), ST_AGAIN); /* not before it is begun again */
    redis_server_again(shard->server);
    shard_reconnect(shard);
    assert_int_equal(subscriber_connect(redis, &err), ST_OK);
    wait_for_answers(redis, 1);
    redis_free(redis);
}

/* A server that lets nobody publish, or listen, costs speed after a worker's death and nothing else. */
static void without_permission_all_else_goes_on(void **state)
{
    struct shard *shard = *state;
    struct redis *redis = open_redis(shard);
    struct err err = ERR_INIT;

    shard_command(shard, "ACL SETUSER default resetchannels");
    assert_int_equal(subscriber_connect(redis, &err), ST_OK);
    wait_for_failure(redis, &err);
    assert_non_null(strstr(err.text, "NOPERM"));
    assert_string_equal(shard_submit(shard, 1, (struct shard_op){ 0 }), "OK 1700000030000 WebCart 08P03000000001000A");
    shard_command(shard, "ACL SETUSER default allchannels");
    redis_free(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(hints_are_heard_as_they_are_made),    shard_test(what_is_made_claimable_again_is_heard),
        shard_test(who_stops_listening_hears_no_more),   shard_test(listeners_are_counted_while_they_are_connected),
        shard_test(without_permission_all_else_goes_on), shard_test(a_server_that_dies_ends_the_listening),
    };

    return cmocka_run_group_tests(tests, shard_server_start_aof, shard_server_stop);
}
