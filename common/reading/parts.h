/* What the merges share: the shards' answers to one question. For the files of common/reading. */
#ifndef BGOP_READING_PARTS_H
#define BGOP_READING_PARTS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/redis/redis.h"

struct reading {
    struct redis *redis;
    int shards;
    const char *function;
    const char *const *args;
    size_t count;
    struct err *err;
};

/* One call on one shard. args NULL: those of the whole question. */
struct part {
    int shard;
    const char **args;
    size_t count;
    json_t *answer;
};

/* Asks them side by side. Not ST_OK: no part has an answer. */
enum status parts_ask(const struct reading *reading, struct part *parts, size_t count) MUST_CHECK;
/* A part for each shard, with the arguments of the question, asked. */
enum status parts_ask_all(const struct reading *reading, struct part **parts) MUST_CHECK;
void parts_release(struct part *parts, size_t count);
/* The answer of one shard is that of all. */
enum status part_ask_one(const struct reading *reading, int shard, json_t **answer) MUST_CHECK;
/* The shard of an Id; 0 for what is none, or of a shard that there is not: it says that there is no such record. */
int part_of_id(const struct reading *reading, const char *id);

/* ---- the merges ---- */
enum status merge_retrieve(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_find(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_lookup(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_window(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_blocked(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_stats(const struct reading *reading, json_t **answer) MUST_CHECK;
enum status merge_history(const struct reading *reading, json_t **answer) MUST_CHECK;
/* stats.health from the parts' uncut lists. */
void merge_health(const struct part *parts, int count, json_t *stats);

#endif
