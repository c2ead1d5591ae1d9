/* Routing: the values of Kafka's Java client (org.apache.kafka.common.utils.UtilsTest). */
#include <string.h>

#include "common/record/routing.h"
#include "tests/support/test.h"

static const struct {
    const char *key;
    int32_t hash;
} reference[] = {
    { "21", -973932308 },
    { "foobar", -790332482 },
    { "a-little-bit-long-string", -985981536 },
    { "a-little-bit-longer-string", -1486304829 },
    { "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
    { "abc", 479470107 },
};

static void murmur2_is_that_of_the_java_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(reference); i++)
        assert_int_equal((int32_t)routing_murmur2(reference[i].key, strlen(reference[i].key)), reference[i].hash);
}

static void a_key_routes_by_its_hash_without_the_sign(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(reference); i++)
        for (int shards = 1; shards < 100; shards++) {
            int expected = (int)((int64_t)(reference[i].hash & 0x7fffffff) % shards);
            assert_int_equal(routing_shard(reference[i].key, strlen(reference[i].key), 5, 17, shards), expected);
        }
}

static void without_a_key_the_coordinates_route(void **state)
{
    (void)state;
    assert_int_equal(routing_shard(NULL, 0, 0, 0, 16), 0);
    assert_int_equal(routing_shard("", 0, 3, 17, 16), 4);
    assert_int_equal(routing_shard("", 0, 1023, (INT64_C(1) << 43) - 1, 16), 14);
    assert_int_equal(routing_shard("", 0, 7, 9, 1), 0);
}

static void bytes_above_127_count_as_in_java(void **state)
{
    /* Words that differ in the sign bit of a byte only must not collide by sign extension. */
    (void)state;
    assert_true(routing_murmur2("\xff", 1) != routing_murmur2("\x7f", 1));
    assert_true(routing_murmur2("\xff\x80\xfe", 3) != routing_murmur2("\x7f\x80\xfe", 3));
    assert_true(routing_murmur2("", 0) == UINT32_C(275646681));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2_is_that_of_the_java_client),
        cmocka_unit_test(a_key_routes_by_its_hash_without_the_sign),
        cmocka_unit_test(without_a_key_the_coordinates_route),
        cmocka_unit_test(bytes_above_127_count_as_in_java),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
