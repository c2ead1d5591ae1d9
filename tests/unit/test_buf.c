/* Buffers: growth, the maximum, and that an overflow leaves no holes. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/memory.h"
#include "tests/support/test.h"

static void appends_are_kept_in_order_with_a_nul_behind(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 1000);
    assert_true(buf_append_string(&buf, "one"));
    assert_true(buf_append_char(&buf, ' '));
    assert_true(buf_append(&buf, "t\0o", 3));
    assert_true(buf_printf(&buf, " %d", 3));
    assert_int_equal(buf.size, 9);
    assert_memory_equal(buf.data, "one t\0o 3", 10);
    buf_release(&buf);
    assert_null(buf.data);
    assert_true(buf_append_string(&buf, "reusable"));
    buf_release(&buf);
}

static void data_is_there_after_an_empty_append(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 0);
    assert_true(buf_append(&buf, NULL, 0));
    assert_string_equal(buf.data, "");
    assert_true(buf_printf(&buf, "%s", ""));
    assert_false(buf_append_char(&buf, 'x'));
    buf_release(&buf);
}

static void exactly_the_maximum_fits(void **state)
{
    (void)state;
    for (size_t max = 1; max < 300; max++) {
        struct buf buf;
        buf_init(&buf, max);
        for (size_t i = 0; i < max; i++)
            assert_true(buf_append_char(&buf, 'x'));
        assert_false(buf.overflow);
        assert_false(buf_append_char(&buf, 'y'));
        assert_true(buf.overflow);
        assert_int_equal(strlen(buf.data), max);
        buf_release(&buf);
    }
}

static void after_an_overflow_nothing_is_taken_until_clear(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 8);
    assert_true(buf_append_string(&buf, "12345"));
    assert_false(buf_append_string(&buf, "6789"));
    assert_false(buf_append_string(&buf, "6"));
    assert_false(buf_printf(&buf, "6"));
    assert_null(buf_extend(&buf, 1));
    assert_string_equal(buf.data, "12345");
    buf_clear(&buf);
    assert_true(buf_append_string(&buf, "12345678"));
    buf_release(&buf);
}

static void printf_that_does_not_fit_writes_nothing(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    assert_true(buf_printf(&buf, "%s", "abc"));
    assert_false(buf_printf(&buf, "%0200d", 1));
    assert_string_equal(buf.data, "abc");
    assert_int_equal(buf.size, 3);
    buf_release(&buf);
}

static void printf_grows(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    for (int i = 0; i < 1000; i++)
        assert_true(buf_printf(&buf, "%04d,", i));
    assert_int_equal(buf.size, 5000);
    assert_memory_equal(buf.data + 4995, "0999,", 6);
    buf_release(&buf);
}

static void take_gives_the_memory_away(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 10);
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    assert_true(buf_append_string(&buf, "mine"));
    char *text = buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_true(buf_append_string(&buf, "0123456789"));
    buf_release(&buf);
    free(empty);
    free(text);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } cases[] = {
        { "", 0, "\"\"" },
        { "plain", 5, "\"plain\"" },
        { "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
        { "\n\t\0", 3, "\"\\u000a\\u0009\\u0000\"" },
        { "\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
        { "x\xff\xc3", 3, "\"x\\ufffd\\ufffd\"" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct buf buf;
        buf_init(&buf, 100);
        assert_true(buf_append_json(&buf, cases[i].text, cases[i].size));
        assert_string_equal(buf.data, cases[i].json);
        buf_release(&buf);
    }
}

static void shell_words_are_quoted_when_they_must(void **state)
{
    static const char *const words[][2] = {
        { "/plain/path-1.ini", "/plain/path-1.ini" },
        { "", "''" },
        { "a b", "'a b'" },
        { "it's", "'it'\\''s'" },
        { "$HOME `id` \\ \"", "'$HOME `id` \\ \"'" },
        { "new\nline", "'new\nline'" },
        { "*", "'*'" },
        { "~/x", "'~/x'" },
    };
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        buf_clear(&buf);
        assert_true(buf_append_shell(&buf, words[i][0]));
        assert_string_equal(buf.data, words[i][1]);
    }
    buf_release(&buf);
    buf_init(&buf, 4);
    assert_false(buf_append_shell(&buf, "a b c"));
    buf_release(&buf);
}

static void memory_helpers_copy_and_grow(void **state)
{
    char *copy = xmemdup("a\0b", 3), *text = xstrdup("text");
    int *numbers = NULL;
    size_t count = 0, capacity = 0;

    (void)state;
    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(text, "text");
    for (; count < 100; count++) {
        GROW(numbers, count, capacity);
        numbers[count] = (int)count;
    }
    assert_int_equal(numbers[99], 99);
    assert_int_equal(capacity, 128);
    void *nothing = xmalloc(0), *zeros = xcalloc(3, 4);
    assert_non_null(nothing);
    assert_memory_equal(zeros, "\0\0\0\0\0\0\0\0\0\0\0", 12);
    free(copy);
    free(text);
    free(numbers);
    free(nothing);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_are_kept_in_order_with_a_nul_behind),
        cmocka_unit_test(data_is_there_after_an_empty_append),
        cmocka_unit_test(exactly_the_maximum_fits),
        cmocka_unit_test(after_an_overflow_nothing_is_taken_until_clear),
        cmocka_unit_test(printf_that_does_not_fit_writes_nothing),
        cmocka_unit_test(printf_grows),
        cmocka_unit_test(take_gives_the_memory_away),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(shell_words_are_quoted_when_they_must),
        cmocka_unit_test(memory_helpers_copy_and_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
