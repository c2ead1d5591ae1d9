/* Submissions: both forms by the members' table; nothing is allocated but a payload that has to be rewritten. */
#include <stddef.h>

#include "bgop/v1/submission.pb-c.h"
#include "common/codec/codec.h"
#include "common/codec/members.h"
#include "common/codec/pack.h"

#define MEMBER(name, number, kind, field)                      \
    {                                                          \
        name, number, kind, offsetof(struct submission, field) \
    }
static const struct member members[] = {
    MEMBER("Type", 1, MEMBER_TEXT, type),
    MEMBER("ParentKey", 2, MEMBER_TEXT, parent_key),
    MEMBER("Name", 3, MEMBER_TEXT, name),
    MEMBER("ProcessAfter", 4, MEMBER_TIME, process_after_ms),
    MEMBER("RetryBackoff", 5, MEMBER_NUMBER, retry_backoff_ms),
    MEMBER("RetryLimit", 6, MEMBER_NUMBER, retry_limit),
    MEMBER("Timeout", 7, MEMBER_NUMBER, timeout_ms),
    MEMBER("SequenceGroup", 8, MEMBER_TEXT, sequence_group),
    MEMBER("SequenceNumber", 9, MEMBER_NUMBER, sequence_number),
    MEMBER("Payload", 10, MEMBER_PAYLOAD, payload),
    MEMBER("PayloadBase64", 0, MEMBER_PAYLOAD_BASE64, payload),
};
const struct member_table submission_members = { "a bgop.v1.Submission", members, sizeof members / sizeof *members };

enum status codec_read_submission(struct submission *submission, const void *data, size_t size, struct err *err)
{
    if (size > 0 && *(const char *)data == '{')
        return codec_read_submission_json(submission, data, size, err);
    submission_init(submission);
    if (size == 0)
        return err_set(err, ST_INVALID, "empty message: must be %s or JSON", submission_members.message);
    enum status st = members_read_protobuf(&submission_members, submission, data, size, err);
    if (st != ST_OK)
        submission_release(submission);
    return st;
}

enum status codec_read_submission_json(struct submission *submission, const char *json, size_t size, struct err *err)
{
    submission_init(submission);
    enum status st = members_read_json(&submission_members, submission, json, size, err);
    if (st != ST_OK)
        submission_release(submission);
    return st;
}

void codec_write_submission(struct buf *to, const struct submission *submission)
{
    Bgop__V1__Submission message = BGOP__V1__SUBMISSION__INIT;

    message.type = pack_string(submission->type);
    message.parent_key = pack_text(submission->parent_key);
    message.name = pack_text(submission->name);
    message.sequence_group = pack_text(submission->sequence_group);
    pack_int64(&message.has_process_after_ms, &message.process_after_ms, submission->process_after_ms);
    pack_int32(&message.has_retry_backoff_ms, &message.retry_backoff_ms, submission->retry_backoff_ms);
    pack_int32(&message.has_retry_limit, &message.retry_limit, submission->retry_limit);
    pack_int32(&message.has_timeout_ms, &message.timeout_ms, submission->timeout_ms);
    pack_int32(&message.has_sequence_number, &message.sequence_number, submission->sequence_number);
    pack_bytes(&message.has_payload, &message.payload, submission->payload, submission->payload_size);
    pack_message(to, &message.base);
}
