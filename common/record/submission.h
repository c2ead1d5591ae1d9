/* One submission as a producer gave it, and whether it can be accepted. */
#ifndef BGOP_RECORD_SUBMISSION_H
#define BGOP_RECORD_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/record/tables.h"

enum { SUBMISSION_ABSENT = -1 }; /* of the numbers */

struct submission {
    char type[RECORD_STRING_SIZE];
    char parent_key[RECORD_STRING_SIZE]; /* strings: empty = absent */
    char name[RECORD_STRING_SIZE];
    char sequence_group[RECORD_STRING_SIZE];
    int64_t process_after_ms; /* numbers: SUBMISSION_ABSENT = absent */
    int64_t retry_backoff_ms;
    int64_t retry_limit;
    int64_t timeout_ms;
    int64_t sequence_number;
    const char *payload; /* borrowed from payload_memory or from the message; may be NULL */
    size_t payload_size;
    char *payload_memory; /* owned; NULL when payload points into the message */
};

void submission_init(struct submission *submission);
void submission_release(struct submission *submission);

/* Is this Type known? Answers with its name, or NULL; `reserved` is set for a reserved one. */
struct type_lookup {
    const char *(*find)(void *arg, const char *type, int *reserved);
    void *arg;
};

/* The rules that hold for each string (UTF-8, at most 255 characters, no NUL: the record is read by C programs and
 * handed over in environment variables; other control characters are the caller's business) and each number
 * (0 .. max). member is what the error calls it. The codec uses them where a value would not even fit into the struct
 * (too long, NUL inside, -1 for absent). */
enum status submission_check_string(const char *member, const char *text, size_t size, struct err *err) MUST_CHECK;
enum status submission_check_number(const char *member, int64_t value, int64_t max, struct err *err) MUST_CHECK;
/* ProcessAfter: a time from 2000 to 9999. What lies before is epoch seconds, taken for milliseconds. */
enum status submission_check_time(const char *member, int64_t value, struct err *err) MUST_CHECK;
extern const char *const submission_time_rule;

/* Checks every rule that one submission alone can break (README.md; proto/README.md): known and not reserved
 * Type, lengths in characters, UTF-8, ints in 0 .. 999,999,999, SequenceGroup with SequenceNumber, Name not
 * beginning "BO-", payload size. ST_INVALID: err names field, value and rule. */
enum status submission_check(const struct submission *submission, const struct type_lookup *types,
                             size_t payload_max_bytes, struct err *err) MUST_CHECK;
/* The first non-empty of ParentKey, SequenceGroup, Name; *size 0 when there is none. */
const char *submission_routing_key(const struct submission *submission, size_t *size);
/* What two submissions of one Name are compared by: a checksum over every member and the payload. Kept in
 * records: must never change. */
uint64_t submission_content(const struct submission *submission);

#endif
