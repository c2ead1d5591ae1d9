/* A queue of four shards for tests of the reading functions: shard 3 is the one of shard.h, with its clock; all are
 * open, and know the Types WebCart and Declared (one of the configuration). */
#ifndef TESTS_SUPPORT_READS_H
#define TESTS_SUPPORT_READS_H

#include <jansson.h>

#include "tests/support/shard.h"

enum { READS_SHARDS = 4 };

void reads_open(struct shard *shard, struct redis_server *server);
void reads_close(struct shard *shard);
/* Sets such a queue up by the present clock: a server that was emptied has one again. */
void reads_arm(struct shard *shard);

/* The Id of submission `number` in a shard (partition 0, offset number): a valid one. In a buffer of its own, good for
 * some calls. */
const char *reads_id(int shard_number, int number);
/* Records submissions, all in one call: Id, and what is between Id and crc as bgop_ingest takes it ("WebCart acct-1 ..."
 * with "" for what is absent: Type ParentKey Name ProcessAfter RetryBackoff RetryLimit Timeout Group Number). */
void reads_submit(struct shard *shard, int shard_number, int first, int count, const char *type_to_number);
/* Of shard 3: claims as instance i1 at http://w1, applies one entry to the attempt. */
void reads_claim(struct shard *shard, int number);
void reads_apply(struct shard *shard, const char *kind, int number, int attempt, const char *text);

/* Every shard ticks once: fires, removes, and knows what time it is. */
void reads_tick(struct shard *shard);

/* FCALL_RO of "bgop_find 0 '...'": the answer, or the error's text. */
const char *reads_ask(struct shard *shard, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The answer as JSON; the test fails when it is an error or no JSON. The caller decrefs it. */
json_t *reads_json(struct shard *shard, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The test fails unless the answer is this text, or an error that begins with code and holds part. */
void reads_expect(struct shard *shard, const char *answer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reads_refused(struct shard *shard, const char *code, const char *part, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
