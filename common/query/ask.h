/* The read-only Redis Functions, asked over one connection; answers as JSON. */
#ifndef BGOP_QUERY_ASK_H
#define BGOP_QUERY_ASK_H

#include <jansson.h>
#include <stdint.h>

#include "common/query/plan.h"
#include "common/reading/reading.h"
#include "common/redis/redis.h"

struct ask {
    struct redis *redis;
    int64_t recovering_ms; /* how long a shard that replays its log is waited for */
    struct err *err;
};

enum { ASK_ALL_SHARDS = READING_ALL_SHARDS };
/* FCALL_RO function args..., of all shards or of one; the caller decrefs *answer. */
enum status ask_function(struct ask *ask, json_t **answer, int shard, const char *function, const char *const *args,
                         size_t count) MUST_CHECK;
/* The number of shards, 0 when no queue was set up here yet. */
enum status ask_shards(struct ask *ask, int *shards) MUST_CHECK;
/* The time that records are stamped with. */
enum status ask_now(struct ask *ask, int64_t *now_ms) MUST_CHECK;
/* The queue answers for its records; a replay of its log is waited out. */
enum status ask_open(struct ask *ask) MUST_CHECK;
/* counts.c: {Type:{Status:n}} of all records; those that are none are left out. Decref'd by the caller, whatever the status. */
enum status ask_counts(struct ask *ask, json_t **by_type) MUST_CHECK;
/* Puts member GroupLeader, an object or null, into each of these rows (an array). */
enum status ask_leaders(struct ask *ask, json_t *rows, const struct field_set *fields) MUST_CHECK;
/* spell.c: the texts of a condition on Name or ParentKey as they are spelled in the queue: a JSON array, decref'd by
 * the caller, whatever the status. */
enum status ask_spellings(struct ask *ask, json_t **spellings, const struct query_condition *spelled) MUST_CHECK;

#endif
