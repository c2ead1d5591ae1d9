/* What the rounds of functions_load.c are made of: a server, and each of the functions called for a
 * batch in every shard. Whatever fails ends the program with a message. */
#ifndef TESTS_BENCH_FUNCTIONS_CALLS_H
#define TESTS_BENCH_FUNCTIONS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis/functions.h"
#include "tests/bench/functions_load.h"
#include "tests/support/redis_server.h"

enum { SHARDS = FUNCTIONS_SHARDS, PAYLOAD = 200, BATCH_MAX = 500, PARENT_KEYS = 1000, HSETS = 64, MERGED = 8 };

struct shard_load { /* what is on its way in one shard */
    int64_t submit_next, status_next, nonce;
    int made;                /* operations submitted so far */
    char (*hinted)[ID_SIZE]; /* claimable: told by the last answer */
    size_t hinted_count;
    struct claim_answer claimed;
};

struct load {
    const struct functions_shape *shape;
    int64_t generation; /* of every shard */
    struct redis_server server;
    struct redis *redis;
    int batch;
    struct functions_cost *cost; /* sums, until the end */
    double hsets;
    struct shard_load shards[SHARDS];
    struct submission submissions[BATCH_MAX];
    struct ingest_op ops[BATCH_MAX];
    struct apply_entry applied[BATCH_MAX];
    struct status_entry entries[BATCH_MAX];
    char payload[PAYLOAD];
    double cpu, commands; /* when the step began */
};

void functions_need(struct load *load, enum status st, const struct err *err);
/* Opens every shard in a new generation; what ends from then on is removed after so many seconds. */
void functions_arm(struct load *load, int retention_s);
void functions_ingest(struct load *load);
/* Of each shard that has any: what was hinted, each of which takes along what merges. */
void functions_claim(struct load *load);
/* Answers whether anything has become claimable by it. */
bool functions_apply(struct load *load);
/* Ticks until nothing is due any more. */
void functions_remove(struct load *load);

#endif
