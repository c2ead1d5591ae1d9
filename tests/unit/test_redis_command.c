/* Redis commands: no server. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/redis/edge.h"

static void commands_are_written_as_redis_reads_them(void **state)
{
    struct redis_command command;
    char *wire;
    size_t size;
    static const char expected[] =
        "*6\r\n$3\r\nSET\r\n$0\r\n\r\n$20\r\n-9223372036854775808\r\n$20\r\n18446744073709551615\r\n"
        "$2\r\n42\r\n$3\r\na\0b\r\n";

    (void)state;
    redis_command_init(&command);
    redis_command_add_text(&command, "SET");
    redis_command_add(&command, NULL, 0);
    redis_command_add_int(&command, INT64_MIN);
    redis_command_add_uint(&command, UINT64_MAX);
    redis_command_add_int(&command, 42);
    redis_command_add(&command, "a\0b", 3);
    wire = malloc(redis_command_wire_max(&command));
    size = (size_t)(redis_command_write(&command, wire) - wire);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(wire, expected, size);
    free(wire);
    redis_command_release(&command);
}

static void numbers_stay_where_they_are_as_a_command_grows(void **state)
{
    struct redis_command command;
    char expected[24];

    (void)state;
    redis_command_init(&command);
    for (int round = 0; round < 3; round++) {
        redis_command_clear(&command);
        for (int64_t i = 0; i < 10000; i++)
            redis_command_add_int(&command, i * 12345678901 - 5);
        assert_int_equal(command.count, 10000);
        for (int64_t i = 0; i < 10000; i++) {
            snprintf(expected, sizeof expected, "%lld", (long long)(i * 12345678901 - 5));
            assert_int_equal(command.args[i].size, strlen(expected));
            assert_memory_equal(command.args[i].data, expected, command.args[i].size);
        }
    }
    redis_command_release(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_written_as_redis_reads_them),
        cmocka_unit_test(numbers_stay_where_they_are_as_a_command_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
