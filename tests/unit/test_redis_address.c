/* Redis addresses and commands: no server. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/redis/edge.h"

static const char *or_none(const char *text)
{
    return text ? text : "(none)";
}

static void addresses_are_read(void **state)
{
    static const struct {
        const char *uri, *host;
        int port;
        const char *user, *password;
        int db;
        const char *path, *text;
    } cases[] = {
        { "redis://127.0.0.1:6380", "127.0.0.1", 6380, NULL, NULL, -1, NULL, "127.0.0.1:6380" },
        { "redis://host", "host", 6379, NULL, NULL, -1, NULL, "host:6379" },
        { "redis://host/", "host", 6379, NULL, NULL, -1, NULL, "host:6379" },
        { "redis://h:1/15", "h", 1, NULL, NULL, 15, NULL, "h:1" },
        { "redis://u:p@h:1", "h", 1, "u", "p", -1, NULL, "h:1" },
        { "redis://:p@h", "h", 6379, NULL, "p", -1, NULL, "h:6379" },
        { "redis://u:p%40%3a%zz%4@h", "h", 6379, "u", "p@:%zz%4", -1, NULL, "h:6379" },
        { "redis://u:p@q@h/2", "h", 6379, "u", "p@q", 2, NULL, "h:6379" },
        { "redis://[::1]:7/3", "::1", 7, NULL, NULL, 3, NULL, "[::1]:7" },
        { "redis://[::1]", "::1", 6379, NULL, NULL, -1, NULL, "[::1]:6379" },
        { "unix:///run/r.sock", NULL, 0, NULL, NULL, -1, "/run/r.sock", "/run/r.sock" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct redis_address address;
        struct err err = ERR_INIT;

        if (redis_address_parse(&address, cases[i].uri, &err) != ST_OK)
            fail_msg("%s: %s", cases[i].uri, err.text);
        assert_string_equal(or_none(address.host), or_none(cases[i].host));
        assert_int_equal(address.port, cases[i].port);
        assert_string_equal(or_none(address.user), or_none(cases[i].user));
        assert_string_equal(or_none(address.password), or_none(cases[i].password));
        assert_int_equal(address.db, cases[i].db);
        assert_string_equal(or_none(address.path), or_none(cases[i].path));
        assert_string_equal(address.text, cases[i].text);
        redis_address_release(&address);
    }
}

static void wrong_addresses_say_what_is_expected(void **state)
{
    static const char *const wrong[] = {
        "", "localhost", "localhost:6379", "http://h", "redis://", "redis://:6379", "redis://h:0", "redis://h:65536",
        "redis://h:x", "redis://h/x", "redis://h/-1", "redis://[::1", "redis://[::1]x", "unix://relative", "rediss://h",
        "redis://secret:secret@:1",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        struct err err = ERR_INIT;

        if (redis_new(wrong[i], 1000, &err))
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(err.status, ST_INVALID);
        assert_non_null(strstr(err.text, "Redis address"));
        assert_null(strstr(err.text, "secret"));
    }
}

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
    redis_command_add_int(&command, 0);
    redis_command_add(&command, "a\0b", 3);
    redis_command_set_int(&command, 4, 42);
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
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(wrong_addresses_say_what_is_expected),
        cmocka_unit_test(commands_are_written_as_redis_reads_them),
        cmocka_unit_test(numbers_stay_where_they_are_as_a_command_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
