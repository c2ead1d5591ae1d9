/* The W3C form of a traceparent, and what only looks like it. */
#include <string.h>

#include "common/record/traceparent.h"
#include "tests/support/test.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define GOOD   "00-" TRACE "-" PARENT "-01"

static const char *const good[] = {
    GOOD,
    "00-" TRACE "-" PARENT "-00",
    "01-" TRACE "-" PARENT "-01",
    "cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like",
    "fe-" TRACE "-" PARENT "-ff-.",
};

static const char *const bad[] = {
    "",
    "x",
    "00-aa-bb-01",
    "ff-" TRACE "-" PARENT "-01",
    "00-00000000000000000000000000000000-" PARENT "-01",
    "00-" TRACE "-0000000000000000-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
    "0A-" TRACE "-" PARENT "-01",
    "00-" TRACE "-00F067AA0BA902B7-01",
    "00-" TRACE "-" PARENT "-0G",
    "00-" TRACE "-" PARENT "-0",
    "00-" TRACE "-" PARENT "-011",
    "00-" TRACE "-" PARENT "-01-more",
    "00-" TRACE "-" PARENT "-01\r\n",
    "00-" TRACE "-" PARENT "-01 ",
    " " GOOD,
    "00_" TRACE "-" PARENT "-01",
    "00-" TRACE "_" PARENT "-01",
    "00-" TRACE "-" PARENT "_01",
    "00-" TRACE "a-" PARENT "-01",
    "00-4bf92f3577b34da6a3ce929d0e0e473 -" PARENT "-01",
    "01-" TRACE "-" PARENT "-01more",
    "01-" TRACE "-" PARENT "-01-",
    "01-" TRACE "-" PARENT "-01-a\r\nX-Bgop-Token: 1",
    "01-" TRACE "-" PARENT "-01-a b",
    "01-" TRACE "-" PARENT "-01-\x7f",
    "01-" TRACE "-" PARENT "-01-\xc3\xa4",
    "x\r\nContent-Length:0\r\n\r\nPUT /pwned HTTP/1.1\r\nA:",
};

static void only_the_form_of_the_w3c_is_taken(void **state)
{
    char long_one[TRACEPARENT_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(good); i++)
        if (!traceparent_is_valid(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        if (traceparent_is_valid(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
    assert_false(traceparent_is_valid(GOOD "\0", sizeof GOOD)); /* a NUL inside */
    memset(long_one, 'a', sizeof long_one);
    memcpy(long_one, "01-" TRACE "-" PARENT "-01-", TRACEPARENT_LENGTH + 1);
    assert_true(traceparent_is_valid(long_one, TRACEPARENT_SIZE - 1));
    assert_false(traceparent_is_valid(long_one, TRACEPARENT_SIZE));
}

/* Any one byte of a good one replaced by any other: what passes is hex, or a flag, in its place. */
static void every_byte_counts(void **state)
{
    char text[] = GOOD;

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char kept = text[i];
            bool is_dash = GOOD[i] == '-', is_lower_hex = byte && strchr("0123456789abcdef", byte);

            text[i] = (char)byte;
            if (traceparent_is_valid(text, sizeof text - 1) != (is_dash ? byte == '-' : is_lower_hex))
                fail_msg("byte 0x%02x at %zu", (unsigned)byte, i);
            text[i] = kept;
        }
    }
}

static void a_child_is_of_the_same_trace_and_sampled_alike(void **state)
{
    char text[TRACEPARENT_SIZE];

    (void)state;
    traceparent_child(text, GOOD, 0xabc);
    assert_string_equal(text, "00-" TRACE "-0000000000000abc-01");
    assert_memory_equal(traceparent_trace_id(text), TRACE, TRACE_ID_LENGTH);
    assert_memory_equal(traceparent_span_id(text), "0000000000000abc", SPAN_ID_LENGTH);
    traceparent_child(text, "cc-" TRACE "-" PARENT "-fe-more", 1);
    assert_string_equal(text, "00-" TRACE "-0000000000000001-00");
    for (int flags = 0; flags < 256; flags++) {
        snprintf(text, sizeof text, "00-" TRACE "-" PARENT "-%02x", (unsigned)flags);
        assert_int_equal(traceparent_is_sampled(text), flags & 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_is_of_the_same_trace_and_sampled_alike),
        cmocka_unit_test(only_the_form_of_the_w3c_is_taken),
        cmocka_unit_test(every_byte_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
