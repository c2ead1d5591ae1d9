/* Which Redis addresses libbgop understands. */
#include "tests/support/test.h"

#include <string.h>

#include "common/client/link.h"

static void an_address_is_taken_apart(void **state)
{
    static const struct { const char *uri, *address, *user, *password; int database; } cases[] = {
        { "redis://127.0.0.1", "127.0.0.1:6379", "", "", 0 },
        { "redis://127.0.0.1/", "127.0.0.1:6379", "", "", 0 },
        { "redis://host.example:7000/3", "host.example:7000", "", "", 3 },
        { "redis://:secret@host:1", "host:1", "", "secret", 0 },
        { "redis://me:p%40ss%3aword@host", "host:6379", "me", "p@ss:word", 0 },
        { "redis://me:a@b@host", "host:6379", "me", "a@b", 0 },
        { "redis://[::1]:6380", "::1:6380", "", "", 0 },
        { "redis://[::1]", "::1:6379", "", "", 0 },
        { "unix:///run/redis.sock", "/run/redis.sock", "", "", 0 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct link link;

        if (link_init(&link, cases[i].uri, 100) != BGOP_OK)
            fail_msg("%s: %s", cases[i].uri, link.error);
        assert_string_equal(link.address, cases[i].address);
        assert_string_equal(link.user, cases[i].user);
        assert_string_equal(link.password, cases[i].password);
        assert_int_equal(link.database, cases[i].database);
    }
}

static void other_addresses_are_refused_without_showing_them(void **state)
{
    static const char *const cases[] = {
        "", "127.0.0.1:6379", "http://h", "redis://", "redis://:6379", "redis://h:0", "redis://h:65536", "redis://h:x",
        "redis://h/x", "redis://h/-1", "redis://secret@h", "redis://[::1", "unix://", "unix://relative",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct link link;

        if (link_init(&link, cases[i], 100) != BGOP_INVALID)
            fail_msg("%s was taken", cases[i]);
        assert_non_null(strstr(link.error, "redis://"));
        assert_null(strstr(link.error, "secret"));
    }
}

static void nobody_there_is_said_with_address_and_likely_cause(void **state)
{
    struct link link;
    struct redisReply *reply;

    (void)state;
    assert_int_equal(link_init(&link, "unix:///nowhere/redis.sock", 100), BGOP_OK);
    assert_int_equal(link_call(&link, &reply, 1, (const char *[]){ "PING" }), BGOP_UNREACHABLE);
    assert_null(reply);
    assert_non_null(strstr(link.error, "/nowhere/redis.sock"));
    assert_non_null(strstr(link.error, "no such socket"));
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_taken_apart),
        cmocka_unit_test(other_addresses_are_refused_without_showing_them),
        cmocka_unit_test(nobody_there_is_said_with_address_and_likely_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
