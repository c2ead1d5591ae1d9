/* What the benchmarks load a queue with: a connection to its Kafka and Redis, and submissions in the shapes that people
 * use. Ends the program when a server fails: a benchmark has nothing to go on with. */
#ifndef BGOP_BENCH_QUEUE_LOAD_H
#define BGOP_BENCH_QUEUE_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/config/config.h"
#include "common/kafka/kafka.h"
#include "common/record/id.h"
#include "common/redis/redis.h"

enum { LOAD_PAYLOAD_BYTES = 200, LOAD_PARENT_KEYS = 1000 };

struct load_shape {
    const char *name, *type;
    bool parent, named, sequence;
};
const struct load_shape *load_shape_find(const char *name); /* NULL: unknown */
void load_shape_print_names(FILE *to);

/* What all operations of the benchmark's Type are counted as, over all shards. */
struct load_tally {
    int64_t complete, merged, running, failed; /* failed: Error (waiting for a retry, too) and Canceled */
};

struct load {
    const struct config *config;
    const struct load_shape *shape;
    struct redis *redis;
    struct kafka_producer *producer;
    int shards;
    int64_t run;          /* differs from run to run: Names and sequence groups are never used twice */
    int64_t asked;        /* commands that this program sent to Redis */
    int64_t refused;      /* submissions that Kafka did not take */
    char (*ids)[ID_SIZE]; /* by number of submission, written when it is delivered; NULL: not wanted */
    struct buf message;
    char payload[LOAD_PAYLOAD_BYTES];
};

void load_start(struct load *load, const struct config *config, const struct load_shape *shape, int linger_ms);
void load_end(struct load *load);
/* Submission `number` of this run; waits only while the producer's queue is full. */
void load_submit(struct load *load, int64_t number);
void load_flush(struct load *load);

struct load_tally load_tally(struct load *load);
double load_info(struct load *load, const char *section, const char *name); /* "name:value" of Redis' INFO */
double load_commands(struct load *load); /* calls of every command so far, those inside functions included */

_Noreturn void load_fail(const char *what, const struct err *err);

#endif
