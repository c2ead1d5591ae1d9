/* The timers of the shards whose status partition a loop owns: bgop_tick at the moment something is due, never
 * further apart than tick_max_ms; a shard whose log has brought nothing for 20 s, than ten seconds. Hints what was
 * released; appends verdicts on lost and overdue attempts to the status log.
 *
 * * Leases are judged only up to read_to: a time t of Redis, then the status partition's end offset e; once
 * everything below e is applied, every outcome reported before t is too, and read_to may be t. Queried only when
 * leases are overdue, since it costs a round trip to the broker (log_ends.h). */
#ifndef BGOP_COORDINATOR_STATUS_TIMERS_H
#define BGOP_COORDINATOR_STATUS_TIMERS_H

#include "coordinator/source/reader.h"
#include "coordinator/status/clock_watch.h"

enum {
    TICK_BUDGET = 500, /* items of each kind in one call */
    TIMER_QUIET_AFTER_MS = 20000,
};

struct timer {
    int64_t at_us;         /* CLOCK_BOOTTIME of the next tick */
    int64_t busy_until_us; /* until then it is not quiet */
    int64_t read_to_ms;    /* Redis time up to which the log is known to be applied */
    int64_t queried_at_ms; /* the time t above, while the end e is queried and reached; 0: not now */
    int64_t query;         /* its number, of log_end_query */
};

struct timers {
    struct loop *loop;
    struct gate_copies *gates;
    struct sources *sources;
    struct timer *at; /* [shards] */
    int *due, due_count;
    int64_t sent_us; /* CLOCK_BOOTTIME, before the ticks of this round were sent */
    struct clock_watch *clocks;
};

void timers_init(struct timers *timers, struct reader *reader, struct clock_watch *clocks);
void timers_release(struct timers *timers);
/* A shard was taken over, or armed again: what was known of its log's end is void. */
void timers_reset(struct timers *timers, int shard);
/* Something came for this shard: what its ticks clear away may pile up. */
void timers_note_work(struct timers *timers, int shard);
/* Something of this shard may be due: tick it at the next run. */
void timers_make_due(struct timers *timers, int shard);
/* Milliseconds until the next tick, at most max_ms. */
int timers_wait_ms(struct timers *timers, int max_ms);
/* When to tick a shard again that sleeps so long (-1: until further notice). Pure. */
int64_t timer_next_us(int64_t now_us, int64_t sleep_ms, int64_t most_ms, int shard, int shards);
/* Ticks the shards that are due. ST_FENCED: read the gates again. ST_AGAIN: Redis is away. */
enum status timers_run(struct timers *timers, struct err *err) MUST_CHECK;

#endif
