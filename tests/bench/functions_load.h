/* The Redis Functions alone, under the load of one shape: a private redis-server, the calls as the programs pack them
 * (common/redis/functions.h), and what they cost. Shared by bench_functions.c (prints) and its guard (compares). */
#ifndef TESTS_BENCH_FUNCTIONS_LOAD_H
#define TESTS_BENCH_FUNCTIONS_LOAD_H

#include <stdbool.h>

enum { FUNCTIONS_SHARDS = 16 };
enum functions_step { STEP_INGEST, STEP_CLAIM, STEP_APPLY, STEP_REMOVE, STEP_COUNT };

struct functions_shape {
    const char *name;
    bool parent, named, sequence; /* as tests/bench/queue_load.c: 1,000 ParentKeys over all shards */
    bool merging;                 /* of a Type that merges: 8 operations of a batch of 64 have one ParentKey */
};
/* Ended by one without a name. */
extern const struct functions_shape functions_shapes[];
extern const char *const functions_step_names[STEP_COUNT];

struct functions_cost { /* of one operation */
    struct {
        double us, commands; /* CPU of redis-server's main thread; commands that functions ran */
    } steps[STEP_COUNT];
    double bytes;   /* of Redis for a finished operation, before it is removed */
    double hset_us; /* CPU of one native HSET of a finished record's fields, 64 in flight, between the rounds */
    double ratio;   /* of ingest, claim and apply to that HSET: the median of all rounds */
};

/* NULL: there is no such shape. */
const struct functions_shape *functions_shape_find(const char *name);
/* Runs so many operations (a multiple of a round: `batch` for each of 16 shards) through a server of its own. Ends the
 * program with a message when anything fails, with 77 without redis-server. */
void functions_load_run(const struct functions_shape *shape, int operations, int batch, struct functions_cost *cost);
int functions_load_round(int batch);

struct functions_point {   /* of a queue that grows */
    long records, backlog; /* operations that have ended and are kept; that wait and are not claimed */
    double arm_ms;         /* from the first call of a take-over of all shards to the last answer */
    struct functions_cost cost;
};
/* One server whose records are kept: measured at each of these counts (a round at least, rising), then once more with so
 * many operations waiting besides (0: not). Each point is given to `report` when it has been measured. */
void functions_growth_run(const struct functions_shape *shape, int batch, const long *records, int count, long backlog,
                          void (*report)(const struct functions_point *point));

#endif
