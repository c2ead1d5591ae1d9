/* The rules for one submission, each at its edge. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/submission.h"
#include "tests/support/test.h"

enum { PAYLOAD_MAX = 100 };

static const char *find_type(void *arg, const char *type, int *reserved)
{
    const struct record_type *found = record_type_find(type);

    (void)arg;
    if (strcmp(type, "Declared") == 0)
        return "Declared";
    if (found)
        *reserved = found->reserved;
    return found ? found->name : NULL;
}
static const struct type_lookup types = { find_type, NULL };

static struct submission good(void)
{
    struct submission submission;

    memset(&submission, 'x', sizeof submission); /* what was never cleared must not matter */
    submission_init(&submission);
    strncpy(submission.type, "WebCart", sizeof submission.type);
    return submission;
}

static void accepted(const struct submission *submission)
{
    struct err err = ERR_INIT;

    if (submission_check(submission, &types, PAYLOAD_MAX, &err) != ST_OK)
        fail_msg("refused: %s", err.text);
}

/* The refusal must say all of words (NULL-terminated by count). */
static void refused(const struct submission *submission, const char *member, const char *value, const char *rule)
{
    struct err err = ERR_INIT;

    assert_int_equal(submission_check(submission, &types, PAYLOAD_MAX, &err), ST_INVALID);
    if (strncmp(err.text, member, strlen(member)) != 0 || err.text[strlen(member)] != ':' || !strstr(err.text, value) ||
        !strstr(err.text, rule))
        fail_msg("\"%s\" does not name %s, %s and %s", err.text, member, value, rule);
}

static void fill(char *to, const char *character, size_t count)
{
    size_t size = strlen(character);

    for (size_t i = 0; i < count; i++)
        memcpy(to + i * size, character, size);
    to[count * size] = '\0';
}

static void only_type_is_required(void **state)
{
    struct submission submission = good();

    (void)state;
    accepted(&submission);
    strncpy(submission.type, "Declared", sizeof submission.type);
    accepted(&submission);
    submission.type[0] = '\0';
    refused(&submission, "Type", "none", "required");
}

static void unknown_and_reserved_types_are_refused(void **state)
{
    struct submission submission = good();

    (void)state;
    strncpy(submission.type, "ExternalConnectivityPoller", sizeof submission.type);
    refused(&submission, "Type", "ExternalConnectivityPoller", "reserved");
    strncpy(submission.type, "webcart", sizeof submission.type);
    refused(&submission, "Type", "\"webcart\"", "did you mean WebCart?");
    strncpy(submission.type, "Zebra\n", sizeof submission.type);
    refused(&submission, "Type", "\"Zebra\\n\"", "Type of the record");
}

static void strings_hold_255_characters_of_any_size(void **state)
{
    static const char *const characters[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\n" };
    struct submission submission = good();

    (void)state;
    submission.sequence_number = 1;
    for (size_t i = 0; i < TEST_COUNT(characters); i++) {
        fill(submission.parent_key, characters[i], 255);
        fill(submission.name, characters[i], 255);
        fill(submission.sequence_group, characters[i], 255);
        accepted(&submission);
    }
    fill(submission.parent_key, "\xc3\xa4", 256);
    refused(&submission, "ParentKey", "got 256", "at most 255 characters");
    submission = good();
    fill(submission.name, "n", 256);
    refused(&submission, "Name", "nnn...", "at most 255 characters");
    submission = good();
    fill(submission.sequence_group, "g", 1000);
    refused(&submission, "SequenceGroup", "got 1000", "at most 255 characters");
    submission = good();
    fill(submission.type, "t", 256);
    refused(&submission, "Type", "got 256", "at most 255 characters");
}

static void strings_must_be_utf8(void **state)
{
    struct submission submission = good();

    (void)state;
    strncpy(submission.parent_key, "ab\xff", sizeof submission.parent_key);
    refused(&submission, "ParentKey", "byte 0xff at position 2", "UTF-8");
    submission = good();
    snprintf(submission.name, sizeof submission.name, "%s", "\xed\xa0\x80");
    refused(&submission, "Name", "byte 0xed at position 0", "UTF-8");
}

static void a_nul_inside_a_string_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(submission_check_string("Name", "a\0b", 3, &err), ST_INVALID);
    assert_string_equal(err.text, "Name: must not contain NUL bytes, got one at position 1 of \"a\\x00b\"");
    assert_int_equal(submission_check_string("Name", "", 0, &err), ST_OK);
}

static void numbers_have_nine_digits_and_no_sign(void **state)
{
    static const struct {
        const char *member;
        size_t offset;
    } numbers[] = {
        { "RetryBackoff", offsetof(struct submission, retry_backoff_ms) },
        { "RetryLimit", offsetof(struct submission, retry_limit) },
        { "Timeout", offsetof(struct submission, timeout_ms) },
        { "SequenceNumber", offsetof(struct submission, sequence_number) },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(numbers); i++) {
        struct submission submission = good();
        strncpy(submission.sequence_group, "g", sizeof submission.sequence_group);
        submission.sequence_number = 1;
        int64_t *number = (int64_t *)(void *)((char *)&submission + numbers[i].offset);
        *number = 0;
        accepted(&submission);
        *number = 999999999;
        accepted(&submission);
        *number = 1000000000;
        refused(&submission, numbers[i].member, "got 1000000000", "from 0 to 999999999");
        *number = -2;
        refused(&submission, numbers[i].member, "got -2", "from 0 to 999999999");
        *number = INT64_MIN;
        refused(&submission, numbers[i].member, "got -9223372036854775808", "from 0 to 999999999");
    }
}

static void process_after_is_from_2000_to_9999(void **state)
{
    struct submission submission = good();

    (void)state;
    submission.process_after_ms = CLOCK_2000_MS;
    accepted(&submission);
    submission.process_after_ms = 0;
    refused(&submission, "ProcessAfter", "got 0", "before 2000");
    submission.process_after_ms = 1795428000; /* seconds */
    refused(&submission, "ProcessAfter", "got 1795428000", "milliseconds");
    submission.process_after_ms = CLOCK_2000_MS - 1;
    refused(&submission, "ProcessAfter", "got 946684799999", "before 2000");
    submission.process_after_ms = CLOCK_MAX_MS;
    accepted(&submission);
    submission.process_after_ms = CLOCK_MAX_MS + 1;
    refused(&submission, "ProcessAfter", "got 253402300800000", "from 2000 to 9999");
    submission.process_after_ms = -5;
    refused(&submission, "ProcessAfter", "got -5", "before 2000");
}

static void sequence_group_and_number_come_together(void **state)
{
    struct submission submission = good();

    (void)state;
    submission.sequence_number = 0;
    refused(&submission, "SequenceNumber", "got 0", "SequenceGroup");
    strncpy(submission.sequence_group, "g", sizeof submission.sequence_group);
    accepted(&submission);
    submission.sequence_number = SUBMISSION_ABSENT;
    refused(&submission, "SequenceGroup", "\"g\"", "SequenceNumber");
}

static void derived_names_cannot_be_given(void **state)
{
    static const char *const fine[] = { "BO", "BO_1", "bo-1", "xBO-1", "B" };
    struct submission submission = good();

    (void)state;
    snprintf(submission.name, sizeof submission.name, "%s", "BO-");
    refused(&submission, "Name", "\"BO-\"", "must not begin with BO-");
    snprintf(submission.name, sizeof submission.name, "%s", "BO-08P0");
    refused(&submission, "Name", "\"BO-08P0\"", "must not begin with BO-");
    for (size_t i = 0; i < TEST_COUNT(fine); i++) {
        snprintf(submission.name, sizeof submission.name, "%s", fine[i]);
        accepted(&submission);
    }
}

static void payload_is_capped(void **state)
{
    struct submission submission = good();
    char payload[PAYLOAD_MAX + 1] = { 0 };

    (void)state;
    submission.payload = payload;
    submission.payload_size = PAYLOAD_MAX;
    accepted(&submission);
    submission.payload_size = PAYLOAD_MAX + 1;
    refused(&submission, "Payload", "got 101", "at most 100 bytes");
}

static void refusals_cut_long_values(void **state)
{
    struct submission submission = good();
    struct err err = ERR_INIT;

    (void)state;
    fill(submission.name, "\xf0\x9f\x98\x80", 255);
    memcpy(submission.name, "BO-", 3);
    submission.name[3] = '-';
    assert_int_equal(submission_check(&submission, &types, PAYLOAD_MAX, &err), ST_INVALID);
    assert_true(strlen(err.text) < 200);
    assert_non_null(strstr(err.text, "...\""));
}

static void the_routing_key_is_the_first_that_is_there(void **state)
{
    struct submission submission = good();
    size_t size;

    (void)state;
    (void)submission_routing_key(&submission, &size);
    assert_int_equal(size, 0);
    snprintf(submission.name, sizeof submission.name, "%s", "name");
    assert_string_equal(submission_routing_key(&submission, &size), "name");
    assert_int_equal(size, 4);
    strncpy(submission.sequence_group, "group", sizeof submission.sequence_group);
    assert_string_equal(submission_routing_key(&submission, &size), "group");
    strncpy(submission.parent_key, "p\xc3\xa4rent", sizeof submission.parent_key);
    assert_string_equal(submission_routing_key(&submission, &size), "p\xc3\xa4rent");
    assert_int_equal(size, 7);
}

static void content_differs_with_every_member(void **state)
{
    enum { VARIANTS = 14 };
    struct submission variants[VARIANTS];

    (void)state;
    for (size_t i = 0; i < VARIANTS; i++)
        variants[i] = good();
    strncpy(variants[1].type, "XClean", RECORD_STRING_SIZE);
    strncpy(variants[2].parent_key, "p", RECORD_STRING_SIZE);
    strncpy(variants[3].name, "p", RECORD_STRING_SIZE);
    strncpy(variants[4].sequence_group, "p", RECORD_STRING_SIZE);
    variants[5].process_after_ms = 0;
    variants[6].retry_backoff_ms = 0;
    variants[7].retry_limit = 0;
    variants[8].timeout_ms = 0;
    variants[9].sequence_number = 0;
    variants[10].payload = "p", variants[10].payload_size = 1;
    variants[11].payload = "q", variants[11].payload_size = 1;
    strncpy(variants[12].parent_key, "ab", RECORD_STRING_SIZE);
    strncpy(variants[12].name, "c", RECORD_STRING_SIZE);
    strncpy(variants[13].parent_key, "a", RECORD_STRING_SIZE);
    strncpy(variants[13].name, "bc", RECORD_STRING_SIZE);
    for (size_t i = 0; i < VARIANTS; i++)
        for (size_t j = 0; j < VARIANTS; j++)
            assert_int_equal(submission_content(&variants[i]) == submission_content(&variants[j]), i == j);
}

static void content_never_changes(void **state)
{
    /* Kept in records: a later version must compute the same. */
    struct submission submission = good();

    (void)state;
    strncpy(submission.name, "import-7", RECORD_STRING_SIZE);
    submission.payload = "{}", submission.payload_size = 2;
    assert_true(submission_content(&submission) == UINT64_C(0xe749a8e5b0d08767));
}

static void release_empties(void **state)
{
    struct submission submission = good();

    (void)state;
    submission.payload_memory = strdup("x");
    submission.payload = submission.payload_memory;
    submission.payload_size = 1;
    submission_release(&submission);
    assert_null(submission.payload_memory);
    assert_null(submission.payload);
    assert_int_equal(submission.type[0], 0);
    submission_release(&submission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_type_is_required),
        cmocka_unit_test(unknown_and_reserved_types_are_refused),
        cmocka_unit_test(strings_hold_255_characters_of_any_size),
        cmocka_unit_test(strings_must_be_utf8),
        cmocka_unit_test(a_nul_inside_a_string_is_refused),
        cmocka_unit_test(numbers_have_nine_digits_and_no_sign),
        cmocka_unit_test(process_after_is_from_2000_to_9999),
        cmocka_unit_test(sequence_group_and_number_come_together),
        cmocka_unit_test(derived_names_cannot_be_given),
        cmocka_unit_test(payload_is_capped),
        cmocka_unit_test(refusals_cut_long_values),
        cmocka_unit_test(the_routing_key_is_the_first_that_is_there),
        cmocka_unit_test(content_differs_with_every_member),
        cmocka_unit_test(content_never_changes),
        cmocka_unit_test(release_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
