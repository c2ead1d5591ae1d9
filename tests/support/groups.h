/* A shard whose Types take turns: ExternalObject merges (up to 4, of 1,000 bytes), Sweeper runs two of a ParentKey. */
#ifndef TESTS_SUPPORT_GROUPS_H
#define TESTS_SUPPORT_GROUPS_H

#include "tests/support/shard.h"

enum { GROUPS_MERGE_MAX = 4, GROUPS_MERGE_MAX_BYTES = 1000, GROUPS_LIMIT = 2 };

/* Arms again, with these settings, and opens; passes the lease floor. */
void groups_arm(struct shard *shard, int merge_max, int merge_max_bytes, int max_running_per_parent);
/* Submits an ExternalObject of ParentKey p. */
void groups_submit(struct shard *shard, int op, struct shard_op more);
/* Claims `leader` and expects the answer to hold exactly these, in this order, a blank between: "1 2 3". */
void groups_claim(struct shard *shard, int leader, const char *members);
/* One entry of a follower, as a worker writes it. */
void groups_apply(struct shard *shard, const char *kind, int op, int attempt, int leader, const char *text);

void groups_later(struct shard *shard, int64_t ms); /* the clock goes on, and a tick */
void groups_stand(struct shard *shard, int op, const char *places);
void groups_hinted(struct shard *shard, int op); /* by the last call */
void groups_not_granted(struct shard *shard, const char *type, int op);
void groups_field(struct shard *shard, int op, const char *field, const char *value); /* "": absent */

/* Submits them, of payload x. */
void groups_submit_all(struct shard *shard, int from, int to);
void groups_member(struct shard *shard, int op, const char *sequence_group, const char *number);
void groups_three(struct shard *shard); /* 1 leads 2 and 3 */
/* What the three fields of execution groups say. */
void groups_is_lone(struct shard *shard, int op);
void groups_follows(struct shard *shard, int op, int leader, int attempt);
void groups_leads(struct shard *shard, int op, int attempt, const char *followers); /* "": none, so no group */

int groups_setup(void **state);
#define groups_test(test) cmocka_unit_test_setup_teardown(test, groups_setup, shard_teardown)

#endif
