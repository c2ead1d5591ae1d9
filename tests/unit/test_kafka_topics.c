/* Questions to brokers, reading a partition, properties: against the mock broker, and against nobody. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/kafka/kafka.h"

enum { WAIT_MS = 20000 };

static struct {
    struct kafka_mock *mock;
    struct kafka_settings settings;
    int read;
    char values[64];
} world;

static const struct kafka_settings nobody = { .brokers = "127.0.0.1:1", .client_id = "test" };

static void topics_are_found_with_their_partitions(void **state)
{
    struct kafka_topic topics[] = { { .name = "three" }, { .name = "absent", .found = true }, { .name = "one" } };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kafka_topics_look(&world.settings, topics, 3, WAIT_MS, &err), ST_OK);
    assert_true(topics[0].found);
    assert_int_equal(topics[0].found_partitions, 3);
    assert_false(topics[1].found);
    assert_int_equal(topics[1].found_partitions, 0);
    assert_true(topics[2].found);
    assert_int_equal(kafka_topics_look(&world.settings, topics, 3, WAIT_MS, &err), ST_OK);
    assert_false(topics[1].found); /* looking creates nothing */
    assert_int_equal(kafka_broker_count(&world.settings, WAIT_MS), 1);
}

static void an_unreachable_broker_is_named_with_a_likely_cause(void **state)
{
    struct kafka_topic topic = { .name = "three" };
    struct err err = ERR_INIT;
    int64_t begin_ms = clock_boot_ms();

    (void)state;
    assert_int_equal(kafka_topics_look(&nobody, &topic, 1, 500, &err), ST_AGAIN);
    assert_true(clock_boot_ms() - begin_ms < 5000);
    assert_non_null(strstr(err.text, "Kafka at 127.0.0.1:1 unreachable"));
    assert_non_null(strstr(err.text, "Connection refused"));
    assert_non_null(strstr(err.text, "is the broker running there"));
    assert_int_equal(kafka_broker_count(&nobody, 300), -1);
}

static void an_unknown_host_is_named(void **state)
{
    struct kafka_settings settings = { .brokers = "no-such-host.invalid:9092" };
    struct kafka_topic topic = { .name = "three" };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kafka_topics_look(&settings, &topic, 1, 1000, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    assert_non_null(strstr(err.text, "is the host name right?"));
}

static void a_mock_broker_cannot_create_topics_and_says_so(void **state)
{
    const struct kafka_topic missing = { .name = "new", .partitions = 2, .retention_ms = 3600000 };
    const struct kafka_topic there = { .name = "one", .partitions = 1, .retention_ms = -1, .found = true };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kafka_topics_create(&world.settings, &missing, 1, 2000, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "mock"));
    assert_int_equal(kafka_topics_create(&world.settings, &there, 1, 2000, &err), ST_OK); /* nothing to do */
}

static void a_mock_broker_tells_no_settings(void **state)
{
    char value[64];
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kafka_topic_setting(&world.settings, "one", "retention.ms", value, sizeof value, 2000, &err),
                     ST_MISSING);
}

static void on_message(void *arg, const struct kafka_message *message)
{
    assert_ptr_equal(arg, &world);
    assert_int_equal(message->offset, world.read);
    world.values[world.read++] = *(const char *)message->value;
}

static void a_whole_partition_is_read_once(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = kafka_producer_new(&world.settings, 0, NULL, NULL, &err);

    (void)state;
    assert_non_null(producer);
    assert_int_equal(kafka_read_all(&world.settings, "one", 0, WAIT_MS, on_message, &world, &err), ST_OK);
    assert_int_equal(world.read, 0); /* an empty one is read at once */
    for (const char *c = "abcde"; *c; c++)
        assert_int_equal(kafka_producer_send(producer, "one", 0, NULL, 0, c, 1, NULL, NULL, &err), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(kafka_read_all(&world.settings, "one", 0, WAIT_MS, on_message, &world, &err), ST_OK);
    assert_int_equal(world.read, 5);
    assert_memory_equal(world.values, "abcde", 5);
    assert_int_equal(kafka_read_all(&world.settings, "one", 5, 2000, on_message, &world, &err), ST_MISSING);
    assert_int_equal(kafka_read_all(&nobody, "one", 0, 500, on_message, &world, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "refused"));
    kafka_producer_free(producer);
}

static void properties_are_checked_by_name_and_value(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kafka_property_check("security.protocol", "plaintext", &err), ST_OK);
    assert_int_equal(kafka_property_check("linger.ms", "20", &err), ST_OK);
    assert_int_equal(kafka_property_check("securty.protocol", "ssl", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "did you mean security.protocol?"));
    assert_int_equal(kafka_property_check("linger.ms", "soon", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "linger.ms"));
    assert_int_equal(kafka_property_check("acks", "1", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "cannot be set"));
    assert_int_equal(kafka_property_check("group.id", "x", &err), ST_INVALID);
}

static void a_wrong_property_makes_no_client(void **state)
{
    struct kafka_property wrong = { (char *)"linger.ms", (char *)"soon" };
    struct kafka_settings settings = { .brokers = "127.0.0.1:1", .properties = &wrong, .property_count = 1 };
    struct err err = ERR_INIT;

    (void)state;
    assert_null(kafka_producer_new(&settings, 0, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "linger.ms"));
    assert_null(kafka_consumer_new(&settings, "g", NULL, &err));
}

static int world_begin(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new(&err);
    if (!world.mock || kafka_mock_create_topic(world.mock, "three", 3, &err) != ST_OK ||
        kafka_mock_create_topic(world.mock, "one", 1, &err) != ST_OK ||
        kafka_mock_create_topic(world.mock, "one", 1, &err) != ST_OK)
        return -1;
    world.settings = (struct kafka_settings){ .brokers = kafka_mock_brokers(world.mock), .client_id = "test" };
    return 0;
}

static int world_end(void **state)
{
    (void)state;
    kafka_mock_free(world.mock);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_found_with_their_partitions),
        cmocka_unit_test(an_unreachable_broker_is_named_with_a_likely_cause),
        cmocka_unit_test(an_unknown_host_is_named),
        cmocka_unit_test(a_mock_broker_cannot_create_topics_and_says_so),
        cmocka_unit_test(a_mock_broker_tells_no_settings),
        cmocka_unit_test(a_whole_partition_is_read_once),
        cmocka_unit_test(properties_are_checked_by_name_and_value),
        cmocka_unit_test(a_wrong_property_makes_no_client),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
