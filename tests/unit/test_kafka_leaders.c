/* Partitions get other leaders, as when brokers are restarted one after another: who asks about offsets finds the new one. */
#include <string.h>

#include "common/kafka/kafka.h"
#include "tests/support/test.h"

enum { WAIT_MS = 10000, ASKED_MAX = 20 };

static struct {
    struct kafka_mock *mock;
    struct kafka_settings settings;
    struct kafka_consumer *consumer;
} world;

static int world_begin(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new_of(3, &err);
    if (!world.mock || kafka_mock_create_topic(world.mock, "t", 2, &err) != ST_OK)
        return -1;
    kafka_mock_lead(world.mock, "t", 0, 2);
    kafka_mock_lead(world.mock, "t", 1, 3);
    world.settings = (struct kafka_settings){ .brokers = kafka_mock_brokers(world.mock), .client_id = "test" };
    world.consumer = kafka_consumer_new(&world.settings, "g", &(struct kafka_consumer_events){ 0 }, &err);
    return world.consumer ? 0 : -1;
}

static int world_end(void **state)
{
    (void)state;
    kafka_consumer_free(world.consumer);
    kafka_mock_free(world.mock);
    return 0;
}

/* The first answer may be that it is not the leader any more. */
static void expect_answer(int partition)
{
    struct err err = ERR_INIT;
    int64_t start, end, ends[2];

    for (int asked = 1; asked <= ASKED_MAX; asked++) {
        err = (struct err)ERR_INIT;
        if (kafka_consumer_log_range(world.consumer, "t", partition, WAIT_MS, &start, &end, &err) == ST_OK &&
            kafka_consumer_log_ends(world.consumer, "t", (const int[]){ 0, 1 }, 2, WAIT_MS, ends, &err) == ST_OK)
            return;
    }
    fail_msg("asked %d times: %s", ASKED_MAX, err.text);
}

static void a_new_leader_is_found(void **state)
{
    (void)state;
    expect_answer(0);
    kafka_mock_lead(world.mock, "t", 0, 3);
    expect_answer(0);
    kafka_mock_lead(world.mock, "t", 1, 2);
    expect_answer(1);
}

static void the_leader_is_found_when_the_old_one_is_away(void **state)
{
    (void)state;
    kafka_mock_lead(world.mock, "t", 0, 1);
    expect_answer(0);
    kafka_mock_set_down(world.mock, true);
    kafka_mock_lead(world.mock, "t", 0, 2);
    expect_answer(0);
    kafka_mock_set_down(world.mock, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_leader_is_found),
        cmocka_unit_test(the_leader_is_found_when_the_old_one_is_away),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
