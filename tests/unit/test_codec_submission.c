/* Submissions as strangers write them: JSON and protobuf give the same struct, and every refusal says why. */
#include <stdlib.h>
#include <string.h>

#include "bgop/v1/submission.pb-c.h"
#include "common/base/clock.h"
#include "common/codec/codec.h"
#include "common/codec/members.h"
#include "tests/support/test.h"

static struct submission read_json(const char *json)
{
    struct submission submission;
    struct err err = ERR_INIT;

    if (codec_read_submission(&submission, json, strlen(json), &err) != ST_OK)
        fail_msg("%s\nrefused: %s", json, err.text);
    return submission;
}

/* The reason must contain text. */
static void refused(const void *data, size_t size, const char *text)
{
    struct submission submission;
    struct err err = ERR_INIT;

    if (codec_read_submission(&submission, data, size, &err) != ST_INVALID)
        fail_msg("accepted: %.*s", (int)size, (const char *)data);
    if (!strstr(err.text, text))
        fail_msg("%.*s\nrefused: %s\nwanted:  %s", (int)size, (const char *)data, err.text, text);
    assert_null(submission.payload_memory);
}

static void the_example_of_the_interface_is_read(void **state)
{
    struct submission submission = read_json(
        "{\"Type\":\"ExternalObject\",\"ParentKey\":\"acct-42\",\"Name\":\"import-7\","
        "\"ProcessAfter\":\"2026-11-23T10:00:00.000Z\",\"RetryBackoff\":1000,\"RetryLimit\":5,\"Timeout\":30000,"
        "\"SequenceGroup\":\"g\",\"SequenceNumber\":7,\"Payload\":{\"any\":\"JSON\"}}");

    (void)state;
    assert_string_equal(submission.type, "ExternalObject");
    assert_string_equal(submission.parent_key, "acct-42");
    assert_string_equal(submission.name, "import-7");
    assert_string_equal(submission.sequence_group, "g");
    assert_true(submission.process_after_ms == INT64_C(1795428000000));
    assert_int_equal(submission.retry_backoff_ms, 1000);
    assert_int_equal(submission.retry_limit, 5);
    assert_int_equal(submission.timeout_ms, 30000);
    assert_int_equal(submission.sequence_number, 7);
    assert_int_equal(submission.payload_size, 14);
    assert_memory_equal(submission.payload, "{\"any\":\"JSON\"}", 14);
    submission_release(&submission);
}

static void empty_strings_and_null_are_absent(void **state)
{
    static const char *const cases[] = {
        "{}",
        "{\"Type\":null,\"ParentKey\":null,\"Name\":null,\"ProcessAfter\":null,\"RetryBackoff\":null,\"RetryLimit\":null,"
        "\"Timeout\":null,\"SequenceGroup\":null,\"SequenceNumber\":null,\"Payload\":null,\"PayloadBase64\":null}",
        "{\"Type\":\"\",\"ParentKey\":\"\",\"Name\":\"\",\"ProcessAfter\":\"\",\"RetryBackoff\":\"\",\"RetryLimit\":\"\","
        "\"Timeout\":\"\",\"SequenceGroup\":\"\",\"SequenceNumber\":\"\",\"Payload\":\"\",\"PayloadBase64\":\"\"}",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct submission submission = read_json(cases[i]);
        assert_int_equal(
            submission.type[0] | submission.parent_key[0] | submission.name[0] | submission.sequence_group[0], 0);
        assert_int_equal(submission.process_after_ms, SUBMISSION_ABSENT);
        assert_int_equal(submission.retry_backoff_ms, SUBMISSION_ABSENT);
        assert_int_equal(submission.retry_limit, SUBMISSION_ABSENT);
        assert_int_equal(submission.timeout_ms, SUBMISSION_ABSENT);
        assert_int_equal(submission.sequence_number, SUBMISSION_ABSENT);
        assert_int_equal(submission.payload_size, 0);
        submission_release(&submission);
    }
}

static void times_are_iso_8601_or_epoch_ms(void **state)
{
    static const struct {
        const char *json;
        int64_t ms;
    } cases[] = {
        { "{\"ProcessAfter\":946684800000}", 946684800000 },
        { "{\"ProcessAfter\":1795428000000.5}", 1795428000000 },
        { "{\"ProcessAfter\":\"2099-01-01T00:00Z\"}", 4070908800000 },
        { "{\"ProcessAfter\":\"2099-01-01 02:00:00+02\"}", 4070908800000 },
        { "{\"ProcessAfter\":\"2026-11-23\"}", 1795392000000 },
        { "{\"ProcessAfter\":1795428000000}", 1795428000000 },
        { "{\"ProcessAfter\":\"1795428000000\"}", 1795428000000 },
        { "{\"ProcessAfter\":\"2026-11-23T10:00:00Z\"}", 1795428000000 },
        { "{\"ProcessAfter\":\"2026-11-23T10:00:00.000+0000\"}", 1795428000000 },
        { "{\"ProcessAfter\":\"2026-11-23T11:00:00.123+01:00\"}", 1795428000123 },
        { "{\"ProcessAfter\":\"9999-12-31T23:59:59.999Z\"}", 253402300799999 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct submission submission = read_json(cases[i].json);
        assert_true(submission.process_after_ms == cases[i].ms);
    }
}

static void a_payload_is_its_string_or_its_compact_text(void **state)
{
    static const struct {
        const char *json, *payload;
        size_t size;
    } cases[] = {
        { "{\"Payload\":\"text\"}", "text", 4 },
        { "{\"Payload\":\" kept \"}", " kept ", 6 },
        { "{\"Payload\":\"a\\u0000b\\n\\u00e4\\ud83d\\ude00\"}", "a\0b\n\xc3\xa4\xf0\x9f\x98\x80", 10 },
        { "{\"Payload\":\"{\\\"a\\\": 1}\"}", "{\"a\": 1}", 8 },
        { "{\"Payload\":0}", "0", 1 },
        { "{\"Payload\":false}", "false", 5 },
        { "{\"Payload\": true }", "true", 4 },
        { "{\"Payload\":0.1}", "0.1", 3 },
        { "{\"Payload\":-1.50E+400}", "-1.50E+400", 10 },
        { "{\"Payload\":123456789012345678901234567890}", "123456789012345678901234567890", 30 },
        { "{\"Payload\":[]}", "[]", 2 },
        { "{\"Payload\":{}}", "{}", 2 },
        { "{\"Payload\":[ 1 ,\n[ ],\t{ } , \" x \\\" y \" ]}", "[1,[],{},\" x \\\" y \"]", 20 },
        { "{\"Payload\":{ \"z\" : 1, \"a\" : { \"\\\\\" : \"\\\\\" } }}", "{\"z\":1,\"a\":{\"\\\\\":\"\\\\\"}}", 23 },
        { "{\"Payload\":{\"twice\":1,\"twice\":2}}", "{\"twice\":1,\"twice\":2}", 21 },
        { "{\"Payload\":[\"\\u0000\",\"\\ud800\"]}", "[\"\\u0000\",\"\\ud800\"]", 19 },
        { "{\"PayloadBase64\":\"AP8A\"}", "\0\xff\0", 3 },
        { "{\"PayloadBase64\":\"YQ==\",\"Payload\":null}", "a", 1 },
        { "{\"PayloadBase64\":\"\",\"Payload\":\"b\"}", "b", 1 },
        { "{\"PayloadBase64\":\"YWJj\\u0059Q==\"}", "abca", 4 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct submission submission = read_json(cases[i].json);
        if (submission.payload_size != cases[i].size ||
            memcmp(submission.payload, cases[i].payload, cases[i].size) != 0)
            fail_msg("%s gave %.*s (%zu bytes)", cases[i].json, (int)submission.payload_size, submission.payload,
                     submission.payload_size);
        submission_release(&submission);
    }
}

static void a_payload_stays_in_the_message_where_it_can(void **state)
{
    static const char json[] = "{\"Payload\":{\"a\":\"b\"}}", text[] = "{\"Payload\":\"b\"}";
    struct submission submission;

    (void)state;
    assert_int_equal(codec_read_submission(&submission, json, sizeof json - 1, NULL), ST_OK);
    assert_ptr_equal(submission.payload, json + 11);
    assert_null(submission.payload_memory);
    assert_int_equal(codec_read_submission(&submission, text, sizeof text - 1, NULL), ST_OK);
    assert_ptr_equal(submission.payload, text + 12);
}

static void escapes_in_texts_and_names_are_read(void **state)
{
    struct submission submission =
        read_json("{\"T\\u0079pe\":\"Web\\u0043art\",\"ParentKey\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\"}");

    (void)state;
    assert_string_equal(submission.type, "WebCart");
    assert_string_equal(submission.parent_key, "a\"\\/\b\f\n\r\t\xe2\x82\xac");
}

static void blanks_may_stand_anywhere_between(void **state)
{
    struct submission submission = read_json("{ \t\r\n\"Type\" \n:\r\"WebCart\"\t,\"RetryLimit\": 3 } \n");
    struct err err = ERR_INIT;
    static const char leading[] = " {\"Type\":\"XClean\"}";

    (void)state;
    assert_string_equal(submission.type, "WebCart");
    assert_int_equal(submission.retry_limit, 3);
    assert_int_equal(codec_read_submission_json(&submission, leading, sizeof leading - 1, &err), ST_OK);
    assert_string_equal(submission.type, "XClean");
}

static void the_longest_strings_are_read(void **state)
{
    char json[2000] = "{\"Name\":\"";
    struct submission submission;

    (void)state;
    for (int i = 0; i < 255; i++)
        memcpy(json + 9 + 4 * i, "\xf0\x9f\x98\x80", 4);
    memcpy(json + 9 + 1020, "\"}", 3);
    submission = read_json(json);
    assert_int_equal(strlen(submission.name), 1020);
    memcpy(json + 9 + 1020, "x\"}", 4);
    refused(json, strlen(json), "Name: must have at most 255 characters, got 256");
}

static void json_refusals_name_the_member(void **state)
{
    static const struct {
        const char *json, *reason;
    } cases[] = {
        { "{\"Foo\":1}", "unknown member \"Foo\"" },
        { "{\"type\":\"x\"}", "unknown member \"type\"; did you mean Type?" },
        { "{\"Retrylimits\":1}", "did you mean RetryLimit?" },
        { "{\"parent_key\":1}", "did you mean ParentKey?" },
        { "{\"\":1}", "unknown member \"\"" },
        { "{\"a\\u0000b\":1}", "unknown member \"a\\x00b\"" },
        { "{\"Type\":5}", "Type: must be a string, got 5" },
        { "{\"Type\":[\"WebCart\"]}", "Type: must be a string, got [\"WebCart\"]" },
        { "{\"Name\":true}", "Name: must be a string, got true" },
        { "{\"Name\":\"a\\u0000\"}", "Name: must not contain NUL" },
        { "{\"Name\":\"\\ud800\"}", "Name: must be a string without half surrogate pairs" },
        { "{\"Name\":\"ab\xff\"}", "Name: must be UTF-8, got byte 0xff" },
        { "{\"Payload\":\"ab\xff\"}", "Payload: must be UTF-8, got byte 0xff" },
        { "{\"Payload\":[\"\xed\xa0\x80\"]}", "Payload: must be UTF-8, got byte 0xed" },
        { "{\"Payload\":\"\\ud800x\"}", "Payload: must be a string without half surrogate pairs" },
        { "{\"N\xff"
          "ame\":\"a\"}",
          "unknown member \"N\\xffame\"" },
        { "{\"RetryLimit\":\"x\"}", "RetryLimit: must be an integer from 0 to 999999999, got \"x\"" },
        { "{\"RetryLimit\":\"5\"}", "RetryLimit: must be an integer from 0 to 999999999, got \"5\"" },
        { "{\"RetryLimit\":-1}", "RetryLimit: must be an integer from 0 to 999999999, got -1" },
        { "{\"RetryLimit\":1000000000}", "got 1000000000" },
        { "{\"RetryLimit\":99999999999999999999999}",
          "RetryLimit: must be an integer from 0 to 999999999, got 9999999999" },
        { "{\"RetryBackoff\":1.5}", "RetryBackoff: must be an integer from 0 to 999999999, got 1.5" },
        { "{\"Timeout\":1e3}", "Timeout: must be an integer from 0 to 999999999, got 1e3" },
        { "{\"SequenceNumber\":false}", "SequenceNumber: must be an integer from 0 to 999999999, got false" },
        { "{\"SequenceNumber\":{}}", "SequenceNumber: must be an integer from 0 to 999999999, got {}" },
        { "{\"ProcessAfter\":\"tomorrow\"}",
          "ProcessAfter: must be ISO 8601 with a zone (2026-11-23T10:00:00Z) or epoch "
          "milliseconds, from 2000 to 9999; this one is no time, got \"tomorrow\"" },
        { "{\"ProcessAfter\":\"2026-11-23T10:00:00\"}",
          "has no zone: end it with Z, or with an offset such as +02:00, got \"2026-11-23T10:00:00\"" },
        { "{\"ProcessAfter\":\"2026-W48-1\"}", "is a week date" },
        { "{\"ProcessAfter\":1795428000}", "before 2000-01-01: epoch times are in milliseconds" },
        { "{\"ProcessAfter\":\"1795428000\"}", "before 2000-01-01: epoch times are in milliseconds" },
        { "{\"ProcessAfter\":0}", "before 2000-01-01" },
        { "{\"ProcessAfter\":1795428000000000}", "beyond the year 9999: epoch times are in milliseconds" },
        { "{\"ProcessAfter\":true}", "is no time" },
        { "{\"ProcessAfter\":-1}", "ProcessAfter: must be ISO 8601" },
        { "{\"ProcessAfter\":1.5}", "ProcessAfter: must be ISO 8601" },
        { "{\"ProcessAfter\":253402300800000}", "got 253402300800000" },
        { "{\"ProcessAfter\":[1]}", "ProcessAfter: must be ISO 8601" },
        { "{\"PayloadBase64\":\"a\"}", "PayloadBase64: must be base64" },
        { "{\"PayloadBase64\":5}", "PayloadBase64: must be a string in base64, got 5" },
        { "{\"Payload\":\"a\",\"PayloadBase64\":\"YQ==\"}", "PayloadBase64: must not come together with Payload" },
        { "{\"PayloadBase64\":\"YQ==\",\"Payload\": [ 1 ]}", "Payload: must not come together with PayloadBase64" },
        { "{\"Payload\": [ 1 ],\"Payload\":[ 2 ]}", "Payload: must stand there once" },
        { "{\"Type\":\"a\",\"Type\":\"a\"}", "Type: must stand there once, got it twice" },
        { "{\"Type\":null,\"Type\":\"a\"}", "Type: must stand there once, got it twice" },
        { "{\"Payload\": [ 1 ],\"Foo\":2}", "unknown member" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].json, strlen(cases[i].json), cases[i].reason);
}

static void broken_json_says_where(void **state)
{
    static const struct {
        const char *json, *reason;
    } cases[] = {
        { "{", "not JSON: expected a member's name in double quotes at byte 1, found the end" },
        { "{\"Type\":\"WebCart\"", "expected a comma or } at byte 17, found the end" },
        { "{\"Type\":\"WebCart", "expected the end of a string at byte 16, found the end" },
        { "{\"Type\"}", "expected a colon at byte 7, found \"}\"" },
        { "{\"Type\":}", "expected a value at byte 8, found \"}\"" },
        { "{\"Type\":\"a\",}", "expected a member's name in double quotes at byte 12" },
        { "{\"Type\":\"a\"}x", "expected nothing behind the object at byte 12, found \"x\"" },
        { "{\"Type\":\"a\"}{}", "expected nothing behind the object at byte 12" },
        { "{Type:1}", "expected a member's name in double quotes at byte 1, found \"T\"" },
        { "{'Type':1}", "expected a member's name in double quotes at byte 1" },
        { "{\"Type\":\"a\nb\"}", "expected an escape instead of a control character at byte 10, found \"\\n\"" },
        { "{\"Type\":\"\\x\"}", "after a backslash" },
        { "{\"Type\":\"\\u12g4\"}", "four hexadecimal digits" },
        { "{\"Payload\":01}", "expected a comma or }" },
        { "{\"Payload\":1.}", "expected a digit" },
        { "{\"Payload\":.5}", "expected a value" },
        { "{\"Payload\":+5}", "expected a value" },
        { "{\"Payload\":1e}", "expected a digit" },
        { "{\"Payload\":-}", "expected a digit" },
        { "{\"Payload\":nul}", "expected a value" },
        { "{\"Payload\":NaN}", "expected a value" },
        { "{\"Payload\":True}", "expected a value" },
        { "{\"Payload\":[1,]}", "expected a value" },
        { "{\"Payload\":[1 2]}", "expected a comma or ]" },
        { "{\"Payload\":[1}", "expected a comma or ]" },
        { "{\"Payload\":{\"a\":1]}", "expected a comma or }" },
        { "{\"Payload\":{\"a\" 1}}", "expected a colon" },
        { "{\"Payload\":{1:1}}", "expected a member's name" },
        { "{\"Payload\":{\"a\":1,}}", "expected a member's name" },
        { "{\"Payload\":\xff}", "expected a value at byte 11" },
        { "{\"Type\":\"a\"/**/}", "expected a comma or }" },
        { "{]", "expected a member's name" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].json, strlen(cases[i].json), cases[i].reason);
    refused("{\"Type\":\"WebCart\"}\0", 19, "nothing behind the object");
    refused("{\0}", 3, "expected a member's name");
}

static void nesting_is_bounded(void **state)
{
    enum { DEEP = 512 };
    char json[4 * DEEP + 100];

    (void)state;
    for (int depth = DEEP; depth <= DEEP + 1; depth++) {
        char *at = json + snprintf(json, sizeof json, "{\"Payload\":");
        memset(at, '[', (size_t)depth);
        memset(at + depth, ']', (size_t)depth);
        memcpy(at + 2 * depth, "}", 2);
        if (depth == DEEP) {
            struct submission submission = read_json(json);
            assert_int_equal(submission.payload_size, 2 * DEEP);
        } else {
            refused(json, strlen(json), "fewer levels of nesting");
        }
    }
}

/* ---- protobuf ---- */

static void a_message_of_another_program_is_read(void **state)
{
    /* As protoc --encode wrote it for the interface's example (payload: bytes 00 01). */
    static const char bytes[] = "\x0a\x0e"
                                "ExternalObject"
                                "\x12\x07"
                                "acct-42"
                                "\x1a\x08"
                                "import-7"
                                "\x20\x80\xc2\xe4\xbe\xa0\x34"
                                "\x28\xe8\x07"
                                "\x30\x05"
                                "\x38\xb0\xea\x01"
                                "\x42\x01"
                                "g"
                                "\x48\x07"
                                "\x52\x02\x00\x01";
    struct submission submission;
    struct err err = ERR_INIT;

    (void)state;
    if (codec_read_submission(&submission, bytes, sizeof bytes - 1, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(submission.type, "ExternalObject");
    assert_string_equal(submission.parent_key, "acct-42");
    assert_string_equal(submission.name, "import-7");
    assert_string_equal(submission.sequence_group, "g");
    assert_int_equal(submission.retry_backoff_ms, 1000);
    assert_int_equal(submission.retry_limit, 5);
    assert_int_equal(submission.timeout_ms, 30000);
    assert_int_equal(submission.sequence_number, 7);
    assert_int_equal(submission.payload_size, 2);
    assert_ptr_equal(submission.payload, bytes + sizeof bytes - 3);
    assert_null(submission.payload_memory);
    assert_true(submission.process_after_ms == INT64_C(1795428000000));
}

static void what_is_written_comes_back(void **state)
{
    struct submission submission, back;
    struct err err = ERR_INIT;
    struct buf buf;

    (void)state;
    for (int variant = 0; variant < 512; variant++) {
        submission_init(&submission);
        snprintf(submission.type, sizeof submission.type, "WebCart");
        snprintf(submission.parent_key, sizeof submission.parent_key, "%s", variant & 1 ? "p\xc3\xa4" : "");
        snprintf(submission.name, sizeof submission.name, "%s", variant & 2 ? "n" : "");
        snprintf(submission.sequence_group, sizeof submission.sequence_group, "%s", variant & 4 ? "g" : "");
        submission.process_after_ms = variant & 8 ? CLOCK_MAX_MS : SUBMISSION_ABSENT;
        submission.retry_backoff_ms = variant & 16 ? 0 : SUBMISSION_ABSENT;
        submission.retry_limit = variant & 32 ? 999999999 : SUBMISSION_ABSENT;
        submission.timeout_ms = variant & 64 ? 128 : SUBMISSION_ABSENT;
        submission.sequence_number = variant & 128 ? 1 : SUBMISSION_ABSENT;
        if (variant & 256)
            submission.payload = "\0payload", submission.payload_size = 8;
        buf_init(&buf, 10000);
        codec_write_submission(&buf, &submission);
        assert_false(buf.overflow);
        if (codec_read_submission(&back, buf.data, buf.size, &err) != ST_OK)
            fail_msg("%s", err.text);
        assert_string_equal(back.type, submission.type);
        assert_string_equal(back.parent_key, submission.parent_key);
        assert_string_equal(back.name, submission.name);
        assert_string_equal(back.sequence_group, submission.sequence_group);
        assert_true(submission_content(&back) == submission_content(&submission));
        buf_release(&buf);
    }
}

static void protobuf_refusals_name_the_member(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } cases[] = {
        { "", 0, "empty message" },
        { "\xff\xfe\x00garbage", 10,
          "neither JSON (first byte {) nor a bgop.v1.Submission in protobuf: unreadable at byte 0 of 10" },
        { "[1,2]", 5, "neither JSON" },
        { " {\"Type\":\"WebCart\"}", 19, "neither JSON" },
        { "\x0a", 1, "unreadable at byte 0" },
        { "\x0a\x05WebC", 6, "unreadable at byte 0 of 6" },
        { "\x0a\x01W\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14, "unreadable at byte 3" },
        { "\x0a\x01W\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 14, "unreadable at byte 3" },
        { "\x00\x00", 2, "unreadable at byte 0" },
        { "\xef\xbb\xbf{\"Type\":\"WebCart\"}", 21, "begins with a byte order mark" },
        { "\x0b\x00", 2, "unreadable" }, /* a group */
        { "\x08\x01", 2, "Type: must be length-delimited (field 1), got wire type 0" },
        { "\x32\x01x", 3, "RetryLimit: must be a varint (field 6), got wire type 2" },
        { "\x0a\x02"
          "a\xff",
          4, "Type: must be UTF-8, got byte 0xff at position 1" },
        { "\x1a\x03"
          "a\0b",
          5, "Name: must not contain NUL bytes, got one at position 1" },
        { "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
          "RetryLimit: must be an integer from 0 to 999999999, got -1" },
        { "\x30\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
          "RetryLimit: must be an integer from 0 to 999999999, got -5" },
        { "\x28\x80\x94\xeb\xdc\x03", 6, "RetryBackoff: must be an integer from 0 to 999999999, got 1000000000" },
        { "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
          "before 2000-01-01: epoch times are in milliseconds, not in seconds, got -1" },
        { "\x20\x80\xb8\xff\x90\xfd\xce\x39", 8,
          "beyond the year 9999: epoch times are in milliseconds, got 253402300800000" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].bytes, cases[i].size, cases[i].reason);
}

static void a_string_too_long_for_the_struct_is_refused(void **state)
{
    char bytes[6000] = "\x12\xe0\x2e"; /* 6000 - 16: more than the array of 1021 holds */

    (void)state;
    memset(bytes + 3, 'x', 5984);
    refused(bytes, 3 + 5984, "ParentKey: must have at most 255 characters, got 5984");
}

static void later_fields_are_ignored_and_the_last_value_counts(void **state)
{
    static const char bytes[] = "\x0a\x01"
                                "a"
                                "\x98\x06\x07"
                                "\xa1\x06"
                                "12345678"
                                "\xaa\x06\x02"
                                "xx"
                                "\xb5\x06"
                                "1234"
                                "\x0a\x01"
                                "b"
                                "\x52\x01"
                                "p"
                                "\x52\x00"
                                "\x30\x01\x30\x02";
    struct submission submission;
    struct err err = ERR_INIT;

    (void)state;
    if (codec_read_submission(&submission, bytes, sizeof bytes - 1, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(submission.type, "b");
    assert_int_equal(submission.retry_limit, 2);
    assert_int_equal(submission.payload_size, 0);
}

/* "process_after_ms" of the message file is "ProcessAfter" for us, but for the unit at its end. */
static bool same_name(const char *field, const char *member)
{
    for (; *field; field++) {
        if (*field == '_')
            continue;
        if ((*field | 0x20) != (*member | 0x20))
            return *member == '\0' && strcmp(field, "ms") == 0;
        member++;
    }
    return *member == '\0';
}

static void the_table_agrees_with_the_message_file(void **state)
{
    const ProtobufCMessageDescriptor *descriptor = &bgop__v1__submission__descriptor;
    size_t numbered = 0;

    (void)state;
    for (size_t i = 0; i < submission_members.count; i++) {
        const struct member *member = &submission_members.members[i];
        if (member->number == 0)
            continue;
        numbered++;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(descriptor, member->number);
        assert_non_null(field);
        if (!same_name(field->name, member->name))
            fail_msg("%s is %s", member->name, field->name);
        assert_int_equal(field->type == PROTOBUF_C_TYPE_STRING, member->kind == MEMBER_TEXT);
        assert_int_equal(field->type == PROTOBUF_C_TYPE_INT32, member->kind == MEMBER_NUMBER);
        assert_int_equal(field->type == PROTOBUF_C_TYPE_INT64, member->kind == MEMBER_TIME);
        assert_int_equal(field->type == PROTOBUF_C_TYPE_BYTES, member->kind == MEMBER_PAYLOAD);
    }
    assert_int_equal(numbered, descriptor->n_fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_interface_is_read),
        cmocka_unit_test(empty_strings_and_null_are_absent),
        cmocka_unit_test(times_are_iso_8601_or_epoch_ms),
        cmocka_unit_test(a_payload_is_its_string_or_its_compact_text),
        cmocka_unit_test(a_payload_stays_in_the_message_where_it_can),
        cmocka_unit_test(escapes_in_texts_and_names_are_read),
        cmocka_unit_test(blanks_may_stand_anywhere_between),
        cmocka_unit_test(the_longest_strings_are_read),
        cmocka_unit_test(json_refusals_name_the_member),
        cmocka_unit_test(broken_json_says_where),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_message_of_another_program_is_read),
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(protobuf_refusals_name_the_member),
        cmocka_unit_test(a_string_too_long_for_the_struct_is_refused),
        cmocka_unit_test(later_fields_are_ignored_and_the_last_value_counts),
        cmocka_unit_test(the_table_agrees_with_the_message_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
