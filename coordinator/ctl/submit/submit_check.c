/* What a submission is before it is sent: checked, and lent to libbgop. */
#include <string.h>

#include "common/base/text.h"
#include "coordinator/ctl/submit/submit.h"

enum status submit_check(const struct submission *submission, const struct queue_types *types, size_t payload_max_bytes,
                         struct err *err)
{
    struct type_lookup lookup = queue_types_lookup(types);
    enum status st = submission_check(submission, &lookup, payload_max_bytes, err);
    int reserved;

    if (st == ST_INVALID && *submission->type && !lookup.find(lookup.arg, submission->type, &reserved)) {
        const char *nearest = text_nearest(submission->type, (const char *const *)types->names, types->count);

        if (nearest && !strstr(err->text, "did you mean")) {
            char text[sizeof err->text];

            memcpy(text, err->text, sizeof text);
            st = err_set(err, ST_INVALID, "%.900s; did you mean %.100s?", text, nearest);
        }
    }
    return st;
}

struct bgop_submission submit_borrow(const struct submission *submission)
{
    return (struct bgop_submission){
        .type = submission->type,
        .parent_key = submission->parent_key,
        .name = submission->name,
        .process_after_ms = submission->process_after_ms,
        .retry_backoff_ms = submission->retry_backoff_ms,
        .retry_limit = submission->retry_limit,
        .timeout_ms = submission->timeout_ms,
        .sequence_group = submission->sequence_group,
        .sequence_number = submission->sequence_number,
        .payload = submission->payload,
        .payload_size = submission->payload_size,
    };
}
