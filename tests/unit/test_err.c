/* Errors: what callers rely on when they build one text out of another. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/text.h"
#include "tests/support/test.h"

static void setting_an_error_answers_its_status(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&err, ST_LIMIT, "%d of %s", 3, "four"), ST_LIMIT);
    assert_int_equal(err.status, ST_LIMIT);
    assert_string_equal(err.text, "3 of four");
    assert_int_equal(err_set(NULL, ST_AGAIN, "nobody asks"), ST_AGAIN);
}

static void ok_has_no_text(void **state)
{
    struct err err = { ST_FAILED, "old", NULL };

    (void)state;
    assert_int_equal(err_set(&err, ST_OK, "fine"), ST_OK);
    assert_string_equal(err.text, "");
}

static void the_server_is_that_of_the_last_error(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(err_set_server(&err, ST_AGAIN, "kafka", "%s", "away"), ST_AGAIN);
    assert_string_equal(err.server, "kafka");
    (void)err_prefix(&err, "asking");
    assert_string_equal(err.text, "asking: away");
    assert_string_equal(err.server, "kafka");
    (void)err_set(&err, ST_FAILED, "something else");
    assert_null(err.server);
    assert_int_equal(err_set_server(NULL, ST_AGAIN, "redis", "nobody asks"), ST_AGAIN);
}

static void text_is_one_line_without_control_characters(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set(&err, ST_FAILED,
                  "a\nb\r\tc\x01\x7f"
                  "d\r\n\n");
    assert_string_equal(err.text, "a b  c  d");
}

static void old_text_may_be_an_argument_of_the_new_one(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set(&err, ST_FAILED, "cause");
    (void)err_set(&err, ST_AGAIN, "%s, again: %s", "x", err.text);
    assert_string_equal(err.text, "x, again: cause");
}

static void a_prefix_keeps_the_status(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set(&err, ST_STALE, "inner");
    assert_int_equal(err_prefix(&err, "shard %d", 7), ST_STALE);
    assert_string_equal(err.text, "shard 7: inner");
}

static void long_text_is_cut_between_characters(void **state)
{
    struct err err = ERR_INIT;
    char text[3000];

    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', lead);
        for (size_t at = lead; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "\xf0\x9f\x98\x80", 5);
        (void)err_set(&err, ST_FAILED, "%s", text);
        size_t size = strlen(err.text);
        assert_in_range(size, sizeof err.text - 4, sizeof err.text - 1);
        assert_true(text_utf8_length(err.text, size) > 0);
        (void)err_prefix(&err, "prefix");
        assert_true(text_utf8_length(err.text, strlen(err.text)) > 0);
        assert_memory_equal(err.text, "prefix: ", 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_answers_its_status),
        cmocka_unit_test(ok_has_no_text),
        cmocka_unit_test(the_server_is_that_of_the_last_error),
        cmocka_unit_test(text_is_one_line_without_control_characters),
        cmocka_unit_test(old_text_may_be_an_argument_of_the_new_one),
        cmocka_unit_test(a_prefix_keeps_the_status),
        cmocka_unit_test(long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
