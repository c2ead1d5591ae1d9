/* The group protocol: how a handler outside this process sees the members of an execution, and answers for each.
 *
 * A member is one JSON object {"Id","Token","Attempt","ParentKey","SequenceGroup","SequenceNumber","Payload"} (or
 * "PayloadBase64" when the payload is not UTF-8; null what is absent); an answer is {"Id","Outcome","Error","Result",
 * "RetryAfterMs"} with Outcome ok, error, permanent or skipped. exec carries one object per line, http one array. */
#ifndef BGOP_WORKER_HANDLERS_GROUP_H
#define BGOP_WORKER_HANDLERS_GROUP_H

#include "common/base/buf.h"
#include "worker/execution/execution.h"

/* all: also what a process of one execution alone has in its environment: Type, DeadlineMs, Traceparent. */
void group_write_lines(struct buf *to, const struct execution *execution, bool all);
void group_write_array(struct buf *to, const struct execution *execution);

/* Reads answers as their bytes come and settles the members named. What cannot be read, or names nobody, is logged,
 * ignored, and remembered: it may explain why a member was left without an answer. */
enum { GROUP_LINE_MAX_BYTES = 256 * 1024, GROUP_ARRAY_MAX_BYTES = 8 * 1024 * 1024 };
struct group_answers {
    struct execution *execution;
    struct buf line;
    char complaint[200]; /* the first thing that was wrong; empty: nothing was */
};
void group_answers_init(struct group_answers *answers, struct execution *execution);
void group_answers_release(struct group_answers *answers);
void group_answers_feed_lines(struct group_answers *answers, const char *data, size_t size);
void group_answers_end_lines(struct group_answers *answers); /* a last line without its newline counts */
void group_answers_read_array(struct group_answers *answers, const char *data, size_t size);
/* Settles as failed whoever was not answered, after a handler that ended well. */
void group_answers_finish(struct group_answers *answers);

#endif
