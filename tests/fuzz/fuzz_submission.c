/* Submissions, JSON and protobuf: never a crash; what is accepted holds its bounds, comes back when written, and means
 * what jansson and protobuf-c read from the same bytes. */
#include <jansson.h>
#include <string.h>

#include "bgop/v1/submission.pb-c.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

static void check_string(const char *text)
{
    long length = text_utf8_length(text, strnlen(text, RECORD_STRING_SIZE));

    FUZZ_CHECK(length >= 0 && length <= RECORD_STRING_MAX_CHARACTERS);
}

static void check_number(int64_t number)
{
    FUZZ_CHECK(number >= SUBMISSION_ABSENT && number <= RECORD_INT_MAX);
}

static void check_bounds(const struct submission *submission, const uint8_t *data, size_t size)
{
    const char *begin = (const char *)data, *payload = submission->payload;

    check_string(submission->type);
    check_string(submission->parent_key);
    check_string(submission->name);
    check_string(submission->sequence_group);
    check_number(submission->retry_backoff_ms);
    check_number(submission->retry_limit);
    check_number(submission->timeout_ms);
    check_number(submission->sequence_number);
    FUZZ_CHECK(submission->process_after_ms >= SUBMISSION_ABSENT && submission->process_after_ms <= CLOCK_MAX_MS);
    FUZZ_CHECK(submission->payload_size <= size);
    if (submission->payload_memory)
        FUZZ_CHECK(payload == submission->payload_memory);
    else if (payload)
        FUZZ_CHECK(payload >= begin && payload + submission->payload_size <= begin + size);
}

static void check_round_trip(const struct submission *submission)
{
    struct submission back;
    struct buf buf;

    buf_init(&buf, 8 << 20);
    codec_write_submission(&buf, submission);
    FUZZ_CHECK(!buf.overflow);
    FUZZ_CHECK(codec_read_submission(&back, buf.data, buf.size, NULL) == ST_OK);
    FUZZ_CHECK(submission_content(&back) == submission_content(submission));
    submission_release(&back);
    buf_release(&buf);
}

/* What the strings of ours were made of, escapes resolved. */
static void compare_texts(const json_t *json, const struct submission *submission)
{
    const json_t *name = json_object_get(json, "Name"), *payload = json_object_get(json, "Payload");

    if (json_is_string(name))
        FUZZ_CHECK(strcmp(json_string_value(name), submission->name) == 0);
    if (json_is_string(payload) && !json_object_get(json, "PayloadBase64"))
        FUZZ_CHECK(json_string_length(payload) == submission->payload_size &&
                   memcmp(json_string_value(payload), submission->payload ? submission->payload : "",
                          submission->payload_size) == 0);
}

/* jansson accepts: so must we call it JSON. We accept: so must jansson, but for what only it minds (numbers beyond a
 * double, and escapes inside a payload that stand for no character). */
static void compare_with_jansson(const uint8_t *data, size_t size, enum status st, const struct submission *submission,
                                 const struct err *err)
{
    if (memchr(data, '\0', size))
        return; /* jansson 2.14 skips NULs between tokens */
    json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

    if (json && json_is_object(json))
        FUZZ_CHECK(st == ST_OK || strncmp(err->text, "not JSON", 8) != 0 || strstr(err->text, "levels"));
    if (st == ST_OK && !json)
        FUZZ_CHECK(memmem(data, size, "\\u", 2) || memchr(data, 'e', size) || memchr(data, 'E', size) || size > 300);
    if (st == ST_OK && json)
        compare_texts(json, submission);
    json_decref(json);
}

static bool same(const char *theirs, const char *ours)
{
    return strcmp(theirs ? theirs : "", ours) == 0;
}

static void compare_with_protobuf(const uint8_t *data, size_t size, const struct submission *submission)
{
    Bgop__V1__Submission *message = bgop__v1__submission__unpack(NULL, size, data);

    if (!message)
        return; /* it refuses a submission without Type; ours leaves that to submission_check */
    FUZZ_CHECK(same(message->type, submission->type) && same(message->parent_key, submission->parent_key));
    FUZZ_CHECK(same(message->name, submission->name) && same(message->sequence_group, submission->sequence_group));
    FUZZ_CHECK((message->has_retry_limit ? message->retry_limit : -1) == submission->retry_limit);
    FUZZ_CHECK((message->has_process_after_ms ? message->process_after_ms : -1) == submission->process_after_ms);
    FUZZ_CHECK((message->has_payload ? message->payload.len : 0) == submission->payload_size);
    if (submission->payload_size)
        FUZZ_CHECK(memcmp(message->payload.data, submission->payload, submission->payload_size) == 0);
    bgop__v1__submission__free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool json = size > 0 && data[0] == '{';
    struct submission submission;
    struct err err = ERR_INIT;
    enum status st = codec_read_submission(&submission, data, size, &err);

    FUZZ_CHECK(st == ST_OK || st == ST_INVALID);
    FUZZ_CHECK((st == ST_OK) == (err.text[0] == '\0'));
    FUZZ_CHECK(text_utf8_length(err.text, strlen(err.text)) >= 0);
    if (json)
        compare_with_jansson(data, size, st, &submission, &err);
    if (st != ST_OK)
        return 0;
    check_bounds(&submission, data, size);
    check_round_trip(&submission);
    if (!json)
        compare_with_protobuf(data, size, &submission);
    submission_release(&submission);
    return 0;
}
