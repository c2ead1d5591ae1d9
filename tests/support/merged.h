/* What a cluster would answer: the shards asked one by one and merged, compared with what one server answers for all. */
#ifndef TESTS_SUPPORT_MERGED_H
#define TESTS_SUPPORT_MERGED_H

#include "tests/support/shard.h"

/* question: "bgop_find 0 '{...}'"; answer: the server's. Questions about one shard, and pages but the first, are no matter.
 * The test fails when the merge says something else. */
void merged_check(const struct shard *shard, const char *question, const char *answer);

#endif
