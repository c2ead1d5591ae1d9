/* Text questions, with the awkward bytes. */
#include <inttypes.h>
#include <string.h>

#include "common/base/text.h"
#include "tests/support/test.h"

static void characters_are_counted_not_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        long length;
    } cases[] = {
        { "", 0, 0 },
        { "abc", 3, 3 },
        { "a\0b", 3, 3 },
        { "\xc3\xa4", 2, 1 },
        { "\xe2\x82\xac", 3, 1 },
        { "\xf0\x9f\x98\x80", 4, 1 },
        { "\xf4\x8f\xbf\xbf", 4, 1 }, /* U+10FFFF */
        { "\xed\x9f\xbf", 3, 1 },     /* U+D7FF */
        { "\xee\x80\x80", 3, 1 },     /* U+E000 */
        { "\x80", 1, -1 },
        { "\xc3", 1, -1 },
        { "\xc3"
          "a",
          2, -1 },
        { "\xc0\x80", 2, -1 }, /* overlong NUL */
        { "\xc1\xbf", 2, -1 },
        { "\xe0\x80\x80", 3, -1 }, /* overlong */
        { "\xe0\x9f\xbf", 3, -1 },
        { "\xf0\x80\x80\x80", 4, -1 },
        { "\xf0\x8f\xbf\xbf", 4, -1 },
        { "\xed\xa0\x80", 3, -1 }, /* surrogate */
        { "\xed\xbf\xbf", 3, -1 },
        { "\xf4\x90\x80\x80", 4, -1 }, /* beyond U+10FFFF */
        { "\xf5\x80\x80\x80", 4, -1 },
        { "\xff", 1, -1 },
        { "\xf0\x9f\x98", 3, -1 },
        { "\xf0\x9f\x98\x41", 4, -1 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        if (text_utf8_length(cases[i].text, cases[i].size) != cases[i].length)
            fail_msg("case %zu: %ld instead of %ld", i, text_utf8_length(cases[i].text, cases[i].size),
                     cases[i].length);
}

static void a_cut_keeps_whole_characters(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t sizes[] = { 0, 1, 3, 6, 10, 11, 11 };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(sizes); i++)
        assert_int_equal(text_utf8_cut(text, sizeof text - 1, i), sizes[i]);
    assert_int_equal(text_utf8_cut(text, 9, 100), 6); /* the last one is cut already */
    assert_int_equal(text_utf8_cut("ab\xff"
                                   "cd",
                                   5, 100),
                     2); /* stops where UTF-8 does */
}

static void what_was_cut_by_bytes_ends_with_a_whole_character(void **state)
{
    static const struct {
        const char *text;
        size_t size, whole;
    } cases[] = {
        { "", 0, 0 },
        { "abc", 3, 3 },
        { "a\xc3\xa4", 3, 3 },
        { "a\xc3", 2, 1 },
        { "a\xe2\x82\xac", 4, 4 },
        { "a\xe2\x82", 3, 1 },
        { "a\xe2", 2, 1 },
        { "a\xf0\x9f\x98\x80", 5, 5 },
        { "a\xf0\x9f\x98", 4, 1 },
        { "a\xf0\x9f", 3, 1 },
        { "\xf0", 1, 0 },
        { "a\x80\x80\x80\x80", 5, 5 }, /* no UTF-8: nothing to keep whole */
        { "a\xc3\x80\x80", 4, 4 },
        { "a\xff", 2, 2 },
        { "a\xc1", 2, 2 },
        { "a\xf5\x80", 3, 3 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        if (text_utf8_whole(cases[i].text, cases[i].size) != cases[i].whole)
            fail_msg("case %zu: %zu instead of %zu", i, text_utf8_whole(cases[i].text, cases[i].size), cases[i].whole);
}

static void one_line_is_made_of_any_bytes(void **state)
{
    static const char text[] = "a\n\xc3\xa4\xff\x7f\xe2\x82\xac\xe2\x82";
    char to[64];

    (void)state;
    assert_int_equal(text_one_line(to, 255, text, sizeof text - 1), 11);
    assert_string_equal(to, "a \xc3\xa4? \xe2\x82\xac??");
    assert_int_equal(text_one_line(to, 3, text, sizeof text - 1), 4);
    assert_string_equal(to, "a \xc3\xa4");
    assert_int_equal(text_one_line(to, 255,
                                   "\xc2\x9b"
                                   "31m\xc2\xa0",
                                   7),
                     6); /* C1: CSI of a terminal */
    assert_string_equal(to, " 31m\xc2\xa0");
    assert_int_equal(text_one_line(to, 255, "", 0), 0);
    assert_string_equal(to, "");
}

static void copies_report_truncation(void **state)
{
    char to[4] = "xyz";

    (void)state;
    assert_true(text_copy(to, sizeof to, "abc", 3));
    assert_string_equal(to, "abc");
    assert_false(text_copy(to, sizeof to, "defg", 4));
    assert_string_equal(to, "def");
    assert_true(text_copy(to, sizeof to, NULL, 0));
    assert_string_equal(to, "");
    assert_false(text_copy(to, 0, "a", 1));
}

static void quoted_text_is_safe_and_fits(void **state)
{
    char to[64];
    char text[200];

    (void)state;
    assert_string_equal(text_quote(to, sizeof to, "plain", 5), "\"plain\"");
    assert_string_equal(text_quote(to, sizeof to, "a\"b\\c\nd\te\0f\x7f", 12), "\"a\\\"b\\\\c\\nd\\te\\x00f\\x7f\"");
    assert_string_equal(text_quote(to, sizeof to, "\xff\xc3\xa4", 3), "\"\\xff\xc3\xa4\"");
    for (size_t room = 16; room <= sizeof to; room++)
        for (int byte = 1; byte < 256; byte++) {
            memset(text, byte, sizeof text);
            text_quote(to, room, text, sizeof text);
            assert_true(strlen(to) < room);
            assert_string_equal(to + strlen(to) - 4, "...\"");
        }
}

static void what_disturbs_a_terminal_is_escaped(void **state)
{
    static const struct {
        const char *text, *escape; /* NULL: plain */
    } cases[] = {
        { " ", NULL },
        { "~", NULL },
        { "\xc2\xa0", NULL },
        { "\xc3\xa4", NULL },
        { "\xe2\x80\x8d", NULL },
        { "\xf0\x9f\x98\x80", NULL },
        { "\xd7\x90", NULL },
        { "\033", "\\x1b" },
        { "\n", "\\n" },
        { "\t", "\\t" },
        { "\r", "\\x0d" },
        { "\x7f", "\\x7f" },
        { "\xc2\x80", "\\u0080" },
        { "\xc2\x9b", "\\u009b" },
        { "\xc2\x9f", "\\u009f" },
        { "\xd8\x9c", "\\u061c" },
        { "\xe2\x80\x8f", "\\u200f" },
        { "\xe2\x80\xa8", "\\u2028" },
        { "\xe2\x80\xae", "\\u202e" },
        { "\xe2\x81\xa6", "\\u2066" },
        { "\xe2\x81\xa9", "\\u2069" },
        { "\xef\xbb\xbf", "\\ufeff" },
        { "\xff", "\\xff" },
        { "\xc2", "\\xc2" },
        { "\xed\xa0\x80", "\\xed" },
        { "\x9b", "\\x9b" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *text = cases[i].text;
        size_t size = strlen(text), plain = text_plain_size(text, size);
        char escape[TEXT_ESCAPE_SIZE] = "";

        if (plain == 0)
            assert_in_range(text_escape(escape, text, size), 1, size);
        if (plain != (cases[i].escape ? 0 : size) || strcmp(escape, cases[i].escape ? cases[i].escape : "") != 0)
            fail_msg("case %zu: %zu, %s", i, plain, escape);
    }
}

static void urls_are_shown_without_their_secret(void **state)
{
    static const char *const cases[][2] = {
        { "redis://h:1/2", "redis://h:1/2" },
        { "redis://u:p@h", "redis://u:***@h" },
        { "redis://:p@h:1", "redis://:***@h:1" },
        { "redis://u:p:q@r/s@h", "redis://u:***@h" },
        { "https://token@h/x", "https://***@h/x" },
        { "u:p@h", "u:***@h" },
        { "redis://@h", "redis://@h" },
        { "unix:///a/b", "unix:///a/b" },
        { "", "" },
    };
    char to[64];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        assert_string_equal(text_url_shown(to, sizeof to, cases[i][0]), cases[i][1]);
    assert_string_equal(text_url_shown(to, 9, "redis://u:p@h"), "redis://");
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },    { "-0", true, 0 },   { "7", true, 7 },
        { "007", true, 7 },  { "-5", true, -5 },  { "100", true, 100 },
        { "101", false, 0 }, { "-6", false, 0 },  { "", false, 0 },
        { "-", false, 0 },   { "+1", false, 0 },  { " 1", false, 0 },
        { "1 ", false, 0 },  { "1x", false, 0 },  { "0x1", false, 0 },
        { "1.0", false, 0 }, { "--1", false, 0 }, { "99999999999999999999", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        int64_t value = 42;
        bool ok = text_parse_int64(cases[i].text, -5, 100, &value);
        if (ok != cases[i].ok || value != (ok ? cases[i].value : 42))
            fail_msg("\"%s\": %d, %" PRId64, cases[i].text, ok, value);
    }
    int64_t value;
    assert_true(text_parse_int64("9223372036854775807", INT64_MIN, INT64_MAX, &value) && value == INT64_MAX);
    assert_true(text_parse_int64("-9223372036854775808", INT64_MIN, INT64_MAX, &value) && value == INT64_MIN);
    assert_false(text_parse_int64("9223372036854775808", INT64_MIN, INT64_MAX, &value));
}

static void the_nearest_word_is_found(void **state)
{
    static const char *const words[] = { "Type", "ParentKey", "RetryLimit", "RetryBackoff" };
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        { "type", "Type" },
        { "TYPE", "Type" },
        { "Typ", "Type" },
        { "parent_key", "ParentKey" },
        { "Parentkey", "ParentKey" },
        { "RetriesLimit", "RetryLimit" },
        { "retry_backoff", "RetryBackoff" },
        { "Priority", NULL },
        { "", NULL },
        { "x", NULL },
        { "Foo", NULL },
    };
    char huge[500];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *nearest = text_nearest(cases[i].word, words, TEST_COUNT(words));
        if ((nearest == NULL) != (cases[i].nearest == NULL) || (nearest && strcmp(nearest, cases[i].nearest) != 0))
            fail_msg("%s: %s", cases[i].word, nearest ? nearest : "none");
    }
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(text_nearest(huge, words, TEST_COUNT(words)));
    assert_null(text_nearest("Type", words, 0));
}

static void base64_has_the_values_of_rfc_4648(void **state)
{
    static const struct {
        const char *text, *base64;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    char encoded[16], decoded[16];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        size_t size = strlen(cases[i].text);
        assert_int_equal(text_base64_encode(encoded, cases[i].text, size), strlen(cases[i].base64));
        assert_string_equal(encoded, cases[i].base64);
        assert_true(strlen(encoded) < BASE64_SIZE(size));
        assert_int_equal(text_base64_decode(decoded, size, encoded, strlen(encoded)), size);
        assert_memory_equal(decoded, cases[i].text, size);
    }
}

static void base64_of_every_byte_comes_back(void **state)
{
    unsigned char bytes[256], back[256];
    char text[BASE64_SIZE(256)];

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t size = 0; size <= 256; size++) {
        size_t length = text_base64_encode(text, bytes, size);
        assert_int_equal(length, BASE64_SIZE(size) - 1);
        assert_int_equal(text_base64_decode(back, sizeof back, text, length), size);
        assert_memory_equal(back, bytes, size);
        if (size > 0)
            assert_int_equal(text_base64_decode(back, size - 1, text, length), -1);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const cases[] = {
        "Z",    "Zg",    "Zg=",  "Zg===", "=",    "==",       "===",  "====",
        "Z===", "Zm9v=", "Zm 9", "Zm9\n", "Zm-_", "Zg==Zg==", "Z=g=", "Zh==", /* bits behind the end */
        "Zm9=",
    };
    char decoded[16];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        if (text_base64_decode(decoded, sizeof decoded, cases[i], strlen(cases[i])) != -1)
            fail_msg("%s was taken", cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(a_cut_keeps_whole_characters),
        cmocka_unit_test(what_was_cut_by_bytes_ends_with_a_whole_character),
        cmocka_unit_test(one_line_is_made_of_any_bytes),
        cmocka_unit_test(copies_report_truncation),
        cmocka_unit_test(quoted_text_is_safe_and_fits),
        cmocka_unit_test(what_disturbs_a_terminal_is_escaped),
        cmocka_unit_test(urls_are_shown_without_their_secret),
        cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(base64_has_the_values_of_rfc_4648),
        cmocka_unit_test(base64_of_every_byte_comes_back),
        cmocka_unit_test(what_is_not_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
