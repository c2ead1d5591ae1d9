/* Is Redis' clock to be believed? All of the queue's times are Redis' (write/prelude.lua), and a clock that is set forward
 * by an hour would end every lease and do at once what was to be done in an hour. So the time of a shard does not leap by
 * itself: calls are refused (RECOVERING) until the loop that owns the shard has told bgop_clock what the time may be by its
 * own measure: the time that its last tick was answered, and what CLOCK_BOOTTIME has gone on by since that tick was sent.
 *
 * A clock that is ahead of that is not followed: the shard's time goes on from where it was. When the clock has stayed so for
 * HEALTH_CLOCK_DOUBTED_MS, somebody has set it right, and it is believed. */
#ifndef BGOP_COORDINATOR_STATUS_CLOCK_WATCH_H
#define BGOP_COORDINATOR_STATUS_CLOCK_WATCH_H

#include "coordinator/source/gate_copies.h"

struct shard_clock {
    int64_t now_ms, at_us;    /* the shard's time, and CLOCK_BOOTTIME not after it was read; at_us 0: not known */
    int64_t doubted_since_us; /* the clock is ahead since; 0: it is believed */
    bool believe;             /* it has stayed so: with the next call */
};

/* Pure: what to tell bgop_clock, and what to make of its answer to a call that was sent and answered then. */
int64_t shard_clock_expected(const struct shard_clock *clock, int64_t now_us);
enum clock_verdict {
    CLOCK_BELIEVED,
    CLOCK_SLOW_ANSWER, /* it is not ahead: the call took so long. Call again */
    CLOCK_AHEAD,
};
enum clock_verdict shard_clock_take(struct shard_clock *clock, const struct clock_answer *answer, int64_t sent_us,
                                    int64_t received_us);

struct clock_watch {
    struct loop *loop;
    struct gate_copies *gates;
    struct shard_clock *at; /* [shards] */
    int doubted;            /* so many are ahead */
};

void clock_watch_init(struct clock_watch *watch, struct loop *loop, struct gate_copies *gates);
void clock_watch_release(struct clock_watch *watch);
/* A shard was taken over or given up: what was measured of it is void. */
void clock_watch_forget(struct clock_watch *watch, int shard);
/* A tick that was sent then answered this time. */
void clock_watch_note(struct clock_watch *watch, int shard, int64_t now_ms, int64_t sent_us);
/* Tells bgop_clock of these shards, but for those that cannot be called now. */
enum status clock_watch_settle(struct clock_watch *watch, const int *shards, int count, struct err *err) MUST_CHECK;

#endif
