/* Questions about the ends of logs, asked by a thread of their own, all of a topic at once: a broker answers in 1
 * to 20 ms, and a loop that waited for it would show in the latency of everything else.
 *
 * * Twofold use. Loops say how far they have read each partition; every LOG_ENDS_CHECK_MS the end is compared: one
 * below what was read means that Kafka lost its tail. And the owner of a status partition asks for its end now
 * (timers.h). */
#ifndef BGOP_COORDINATOR_LOG_ENDS_H
#define BGOP_COORDINATOR_LOG_ENDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_ENDS_CHECK_MS = 5000 };

enum log_kind { LOG_SUBMIT, LOG_STATUS, LOG_KIND_COUNT };

struct log_end {
    _Atomic int64_t read;               /* position of the loop that reads it; -1: none of ours does */
    _Atomic int64_t lost;               /* the end was found here, below a position read; -1: it was not */
    _Atomic int64_t wanted, answered;   /* numbers of the last question and of the last one answered; 0: none */
    _Atomic int64_t answer;
    int64_t checked_at_ms;              /* the asking thread's own */
};

struct log_ends {
    struct log_end *of[LOG_KIND_COUNT]; /* [partitions] */
    int count[LOG_KIND_COUNT];
    pthread_mutex_t lock;               /* of the condition only */
    pthread_cond_t wanted;
};

void log_ends_init(struct log_ends *ends, int submit_partitions, int shards);
void log_ends_release(struct log_ends *ends);

/* ---- for loops ---- */
/* So far it was read; -1: it is not ours (any more), or is not read at the moment. */
void log_end_read(struct log_ends *ends, enum log_kind kind, int partition, int64_t position);
/* Where a log was found to end, below what was read; else -1. Said once. */
int64_t log_end_lost(struct log_ends *ends, enum log_kind kind, int partition);
/* Wants the end as it is now or later; answers the question's number. */
int64_t log_end_ask(struct log_ends *ends, enum log_kind kind, int partition);
/* The answer to that question or a later one, or -1: not yet (the brokers are asked on until they answer). */
int64_t log_end_answer(struct log_ends *ends, enum log_kind kind, int partition, int64_t question);

/* ---- the asking thread ---- */
struct loop;
void log_ends_run(struct loop *loop);

#endif
