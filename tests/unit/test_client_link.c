/* What libbgop says of a Redis that is not there. */
#include "tests/support/test.h"

#include <string.h>

#include "common/client/link.h"

static void nobody_there_is_said_with_address_and_likely_cause(void **state)
{
    struct link link;
    struct redisReply *reply;

    (void)state;
    assert_int_equal(link_init(&link, "unix:///nowhere/redis.sock", 100), BGOP_OK);
    assert_int_equal(link_call(&link, &reply, 1, (const char *[]){ "PING" }), BGOP_UNREACHABLE);
    assert_null(reply);
    assert_non_null(strstr(link.error, "/nowhere/redis.sock"));
    assert_non_null(strstr(link.error, "is redis-server running, with this unixsocket?"));
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_there_is_said_with_address_and_likely_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
