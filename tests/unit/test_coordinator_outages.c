/* An outage is that of the server whose error was met, whatever the call. */
#include "tests/support/test.h"

#include "coordinator/loop/loop.h"

static void an_outage_is_that_of_the_error(void **state)
{
    struct loop loop = { .name = "test" };
    struct err err = ERR_INIT;
    struct kafka_topic topic = { .name = "x" };
    struct kafka_settings nobody = { .brokers = "127.0.0.1:1" };
    struct redis *redis = redis_new("unix:///nowhere", 100, &err);

    (void)state;
    assert_int_equal(kafka_topics_look(&nobody, &topic, 1, 300, &err), ST_AGAIN);
    loop_failed(&loop, &err);
    assert_false(loop.redis_outage.on);
    assert_true(loop.kafka_call_outage.on);
    loop_redis_works(&loop);
    assert_true(loop.kafka_call_outage.on);
    loop_kafka_works(&loop);
    assert_false(loop.kafka_call_outage.on);
    assert_int_equal(redis_connect(redis, &err), ST_AGAIN);
    loop_failed(&loop, &err);
    assert_true(loop.redis_outage.on);
    assert_false(loop.kafka_call_outage.on);
    redis_free(redis);
}

static void what_the_consumer_has_told_is_not_told_again(void **state)
{
    struct loop loop = { .name = "test", .kafka_outage = { .on = true } };
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set_server(&err, ST_AGAIN, "kafka", "away");
    loop_failed(&loop, &err);
    assert_false(loop.redis_outage.on);
    assert_false(loop.kafka_call_outage.on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_is_that_of_the_error),
        cmocka_unit_test(what_the_consumer_has_told_is_not_told_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
