/* Keys of the queue in Redis: written from their patterns, and read back. */
#include "common/record/keys.h"

#include <string.h>

#include "tests/support/test.h"

static void keys_are_written_from_their_patterns(void **state)
{
    char key[KEY_SIZE];

    (void)state;
    assert_string_equal(key_format(key, sizeof key, KEY_SHARD, 7, NULL), "bgop:{7}");
    assert_string_equal(key_format(key, sizeof key, KEY_GATE, 7, NULL), "bgop:{7}:gate");
    assert_string_equal(key_format(key, sizeof key, KEY_OP, 12, "08P0"), "bgop:{12}:op:08P0");
    assert_string_equal(key_format(key, sizeof key, KEY_HINTS, 0, "WebCart"), "bgop:{0}:hints:WebCart");
    assert_string_equal(key_format_rest(key, sizeof key, 3, "seq:A:b:c"), "bgop:{3}:seq:A:b:c");
    assert_string_equal(key_name(KEY_META), "bgop:meta");
    assert_string_equal(key_name(KEY_NAMES_GONE), "names_gone");
}

static void a_key_that_does_not_fit_is_cut(void **state)
{
    char key[16];

    (void)state;
    assert_string_equal(key_format(key, sizeof key, KEY_PENDING, 0, "WebCart"), "bgop:{0}:pendin");
}

static void keys_are_told_apart(void **state)
{
    static const char *const foreign[] = {
        "",         "bgop:meta",  "bgop:{}:op",   "bgop:{x}:op",    "bgop:{-1}:op",
        "bgop:{7}", "bgop:{7}op", "bgop:{7:op:a", "other:{7}:op:a", "bgop:{99999999999999999999}:op",
    };
    int shard = -1;

    (void)state;
    assert_string_equal(key_rest("bgop:{15}:op:08P", &shard), "op:08P");
    assert_int_equal(shard, 15);
    for (size_t i = 0; i < TEST_COUNT(foreign); i++)
        assert_null(key_rest(foreign[i], &shard));
    assert_string_equal(key_rest_of("op:08P", KEY_OP), "08P");
    assert_string_equal(key_rest_of("seq:T:a:b", KEY_SEQ), "T:a:b");
    assert_string_equal(key_rest_of("names", KEY_NAMES), "");
    assert_null(key_rest_of("names_gone", KEY_NAMES));
    assert_null(key_rest_of("seq_active:T:a:b", KEY_SEQ));
    assert_null(key_rest_of("worker:http://w", KEY_INSTANCE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_written_from_their_patterns),
        cmocka_unit_test(a_key_that_does_not_fit_is_cut),
        cmocka_unit_test(keys_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
