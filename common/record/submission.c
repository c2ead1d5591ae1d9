/* The rules for one submission. Every refusal reads "Member: rule, got value". */
#include "common/record/submission.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/clock.h"
#include "common/base/text.h"

#define DERIVED_NAME_PREFIX "BO-"
enum { QUOTE_SIZE = 96 }; /* of a value in a refusal */

void submission_init(struct submission *submission)
{
    /* Only first bytes: clearing 4 KB of strings for each of 40,000 messages a second would be the dearest part. */
    submission->type[0] = submission->parent_key[0] = submission->name[0] = submission->sequence_group[0] = '\0';
    submission->process_after_ms = SUBMISSION_ABSENT;
    submission->retry_backoff_ms = SUBMISSION_ABSENT;
    submission->retry_limit = SUBMISSION_ABSENT;
    submission->timeout_ms = SUBMISSION_ABSENT;
    submission->sequence_number = SUBMISSION_ABSENT;
    submission->payload = NULL;
    submission->payload_size = 0;
    submission->payload_memory = NULL;
}

void submission_release(struct submission *submission)
{
    free(submission->payload_memory);
    submission_init(submission);
}

enum status submission_check_string(const char *member, const char *text, size_t size, struct err *err)
{
    char quoted[QUOTE_SIZE];
    long characters = text_utf8_length(text, size);

    if (characters < 0) {
        size_t at = text_utf8_cut(text, size, size);
        return err_set(err, ST_INVALID, "%s: must be UTF-8, got byte 0x%02x at position %zu of %s", member,
                       (unsigned char)text[at], at, text_quote(quoted, sizeof quoted, text, size));
    }
    if (characters > RECORD_STRING_MAX_CHARACTERS) {
        return err_set(err, ST_INVALID, "%s: must have at most %d characters, got %ld: %s", member,
                       RECORD_STRING_MAX_CHARACTERS, characters, text_quote(quoted, sizeof quoted, text, size));
    }
    const char *nul = memchr(text, '\0', size);
    if (nul) {
        return err_set(err, ST_INVALID, "%s: must not contain NUL bytes, got one at position %td of %s", member,
                       nul - text, text_quote(quoted, sizeof quoted, text, size));
    }
    return ST_OK;
}

static enum status check_strings(const struct submission *submission, struct err *err)
{
    const struct {
        const char *member, *text;
    } strings[] = {
        { "Type", submission->type },
        { "ParentKey", submission->parent_key },
        { "Name", submission->name },
        { "SequenceGroup", submission->sequence_group },
    };

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        size_t size = strnlen(strings[i].text, RECORD_STRING_SIZE);
        enum status st = size ? submission_check_string(strings[i].member, strings[i].text, size, err) : ST_OK;
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status submission_check_number(const char *member, int64_t value, int64_t max, struct err *err)
{
    if (value >= 0 && value <= max)
        return ST_OK;
    return err_set(err, ST_INVALID, "%s: must be an integer from 0 to %" PRId64 ", got %" PRId64, member, max, value);
}

const char *const submission_time_rule =
    "ISO 8601 with a zone (2026-11-23T10:00:00Z) or epoch milliseconds, from 2000 to 9999";

enum status submission_check_time(const char *member, int64_t value, struct err *err)
{
    const char *wrong = clock_check_recent(value);

    return wrong ? err_set(err, ST_INVALID, "%s: must be %s; this one %s, got %" PRId64, member, submission_time_rule,
                           wrong, value)
                 : ST_OK;
}

static enum status check_numbers(const struct submission *submission, struct err *err)
{
    const struct {
        const char *member;
        int64_t value, max;
    } numbers[] = {
        { "RetryBackoff", submission->retry_backoff_ms, RECORD_INT_MAX },
        { "RetryLimit", submission->retry_limit, RECORD_INT_MAX },
        { "Timeout", submission->timeout_ms, RECORD_INT_MAX },
        { "SequenceNumber", submission->sequence_number, RECORD_INT_MAX },
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value == SUBMISSION_ABSENT)
            continue;
        enum status st = submission_check_number(numbers[i].member, numbers[i].value, numbers[i].max, err);
        if (st != ST_OK)
            return st;
    }
    return submission->process_after_ms == SUBMISSION_ABSENT
               ? ST_OK
               : submission_check_time("ProcessAfter", submission->process_after_ms, err);
}

static const char *nearest_type(const char *type)
{
    const char *names[] = {
#define XX(name, ...) #name,
        RECORD_TYPES(XX)
#undef XX
    };

    return text_nearest(type, names, sizeof names / sizeof *names);
}

static enum status check_type(const char *type, const struct type_lookup *types, struct err *err)
{
    char quoted[QUOTE_SIZE];
    int reserved = 0;

    if (type[0] == '\0')
        return err_set(err, ST_INVALID, "Type: is required, got none");
    if (!types->find(types->arg, type, &reserved)) {
        const char *nearest = nearest_type(type);
        return err_set(err, ST_INVALID,
                       "Type: must be a Type of the record or one declared in the configuration, got %s%s%s%s",
                       text_quote(quoted, sizeof quoted, type, strlen(type)), nearest ? " (did you mean " : "",
                       nearest ? nearest : "", nearest ? "?)" : "");
    }
    if (reserved)
        return err_set(err, ST_INVALID, "Type: must not be a reserved Type, got \"%s\"", type);
    return ST_OK;
}

static enum status check_sequence(const struct submission *submission, struct err *err)
{
    char quoted[QUOTE_SIZE];
    const char *group = submission->sequence_group;
    bool numbered = submission->sequence_number != SUBMISSION_ABSENT;

    if (group[0] != '\0' && !numbered) {
        return err_set(err, ST_INVALID, "SequenceGroup: must come with a SequenceNumber, got %s alone",
                       text_quote(quoted, sizeof quoted, group, strlen(group)));
    }
    if (group[0] == '\0' && numbered) {
        return err_set(err, ST_INVALID, "SequenceNumber: must come with a SequenceGroup, got %" PRId64 " alone",
                       submission->sequence_number);
    }
    return ST_OK;
}

enum status submission_check(const struct submission *submission, const struct type_lookup *types,
                             size_t payload_max_bytes, struct err *err)
{
    char quoted[QUOTE_SIZE];
    const char *name = submission->name;
    enum status st = check_strings(submission, err);

    if (st == ST_OK)
        st = check_type(submission->type, types, err);
    if (st == ST_OK)
        st = check_numbers(submission, err);
    if (st == ST_OK)
        st = check_sequence(submission, err);
    if (st != ST_OK)
        return st;
    if (strncmp(name, DERIVED_NAME_PREFIX, strlen(DERIVED_NAME_PREFIX)) == 0) {
        return err_set(err, ST_INVALID, "Name: must not begin with %s (kept for derived names), got %s",
                       DERIVED_NAME_PREFIX, text_quote(quoted, sizeof quoted, name, strlen(name)));
    }
    if (submission->payload_size > payload_max_bytes) {
        return err_set(err, ST_INVALID, "Payload: must have at most %zu bytes (payload_max_bytes), got %zu",
                       payload_max_bytes, submission->payload_size);
    }
    return ST_OK;
}

const char *submission_routing_key(const struct submission *submission, size_t *size)
{
    const char *key = submission->parent_key[0]       ? submission->parent_key
                      : submission->sequence_group[0] ? submission->sequence_group
                                                      : submission->name;

    *size = strlen(key);
    return key;
}

/* Size, then bytes: so that no two submissions run together into the same stream. */
static uint64_t content_bytes(uint64_t sum, const void *data, uint64_t size)
{
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(size >> (8 * i));
    return checksum_crc64(checksum_crc64(sum, length, sizeof length), data, size);
}

static uint64_t content_number(uint64_t sum, int64_t value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
    return checksum_crc64(sum, bytes, sizeof bytes);
}

uint64_t submission_content(const struct submission *submission)
{
    uint64_t sum = 0;

    sum = content_bytes(sum, submission->type, strlen(submission->type));
    sum = content_bytes(sum, submission->parent_key, strlen(submission->parent_key));
    sum = content_bytes(sum, submission->name, strlen(submission->name));
    sum = content_bytes(sum, submission->sequence_group, strlen(submission->sequence_group));
    sum = content_number(sum, submission->process_after_ms);
    sum = content_number(sum, submission->retry_backoff_ms);
    sum = content_number(sum, submission->retry_limit);
    sum = content_number(sum, submission->timeout_ms);
    sum = content_number(sum, submission->sequence_number);
    return content_bytes(sum, submission->payload, submission->payload_size);
}
