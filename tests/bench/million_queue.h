/* A queue of many operations in a private redis-server, made through the functions themselves (ingest, claim, apply,
 * tick), so that every index is what it is in life: 16 shards, six Types, all eight statuses, ParentKeys of all sizes,
 * Names, sequence groups, workers, removed records; spread over 20 hours by a clock of its own (key sim:now). */
#ifndef TESTS_BENCH_MILLION_QUEUE_H
#define TESTS_BENCH_MILLION_QUEUE_H

#include <stdint.h>

#include <hiredis/hiredis.h>

#include "common/record/id.h"

enum {
    MILLION_SHARDS = 16,
    MILLION_BATCH = 250,
    MILLION_WORKERS = 8,
    MILLION_HUGE_SHARD = 3, /* where the ParentKey acct-huge is: more than half of that shard */
    MILLION_HOURS = 20,
    MILLION_ARGS = 8 + 14 * 500,
    MILLION_TEXT = 1 << 20,
};
#define MILLION_T0 INT64_C(1700000000000)

struct million {
    redisContext *redis;
    int per_shard; /* operations submitted to each shard */
    int next;      /* the first that there is none of, in any shard */
    int64_t now_ms;
    int64_t submit_next[MILLION_SHARDS], status_next[MILLION_SHARDS];
    /* the call being written */
    const char *argv[MILLION_ARGS];
    int argc;
    char text[MILLION_TEXT];
    size_t used;
};

/* Loads the library with the queue's clock; fills, unless the server holds such a queue already. */
void million_open(struct million *million, redisContext *redis, int operations);
void million_clock(struct million *million, int64_t now_ms);
/* Submits the MILLION_BATCH operations from `first` on and ends them as their fate says, as filling does: from `next` on there
 * are none yet; who has gone on says so, for the next one who opens it. */
void million_note_next(struct million *million, int next);
void million_batch(struct million *million, int shard, int first);
/* The Id of submission n of a shard; which ones exist is the fill's business (about one in twenty was removed). */
void million_id(char id[ID_SIZE], int shard, int n);

/* A call is begun, gets arguments, and is sent; an error ends the program. Free the answer. */
void million_begin(struct million *million, const char *function, int shard);
void million_add(struct million *million, const char *format, ...) __attribute__((format(printf, 2, 3)));
redisReply *million_call(struct million *million);
/* Any command, checked. */
redisReply *million_command(struct million *million, const char *format, ...);

#endif
