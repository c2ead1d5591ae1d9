/* What `bgopctl submit` is made of: one submission from options, many from lines. */
#ifndef BGOP_COORDINATOR_CTL_SUBMIT_SUBMIT_H
#define BGOP_COORDINATOR_CTL_SUBMIT_SUBMIT_H

#include <stdio.h>

#include "common/record/submission.h"
#include "coordinator/ctl/queue_types.h"

/* submission_check, with the nearest Type named when it is unknown. */
enum status submit_check(const struct submission *submission, const struct queue_types *types, size_t payload_max_bytes,
                         struct err *err) MUST_CHECK;
/* The same members, borrowed, for libbgop. */
struct bgop_submission submit_borrow(const struct submission *submission);

/* One submission per line, JSON as the topic takes it. Good ones are submitted whatever becomes of the others; exit
 * code 1 when some were not. */
int submit_lines(struct session *session, const struct queue_types *types, FILE *from, const char *file_name);

/* librdkafka's mock broker (`bgop dev`) keeps about 5 MB of a partition and drops the oldest without a word. So that
 * nothing is lost there, at most MOCK_UNREAD_MAX_BYTES of one partition may be unread. On a real broker: off. */
enum { MOCK_UNREAD_MAX_BYTES = 2 * 1024 * 1024, MOCK_MEASURE_BYTES = 256 * 1024, MOCK_PARTITIONS_MAX = 1024 };
struct mock_limit {
    bool on;                                 /* bgop:meta says broker = mock */
    int64_t sent_bytes[MOCK_PARTITIONS_MAX]; /* acknowledged, and not known to be read */
    int64_t next[MOCK_PARTITIONS_MAX];       /* behind the last acknowledged */
    int64_t unmeasured_bytes;                /* acknowledged since the last look */
};
int mock_limit_init(struct mock_limit *limit, struct session *session);
void mock_limit_sent(struct mock_limit *limit, int partition, int64_t offset, size_t size);
/* Waits until no partition has too much unread. false: the queue does not read (said on stderr once by the caller). */
bool mock_limit_wait(struct mock_limit *limit, struct session *session);

#endif
