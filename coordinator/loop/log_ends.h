/* Where logs end: queried by a thread of its own (end_poller.h), all partitions of a topic at once. A broker takes 1 to
 * 20 ms for it, and a loop that waited would show in the latency of everything else.
 *
 * There are two users. Loops report how far they have read each partition; every LOG_ENDS_CHECK_MS that is compared
 * with the end: an end below it means that Kafka lost its tail. And the owner of a status partition queries its end
 * when leases are overdue (timers.h). */
#ifndef BGOP_COORDINATOR_LOOP_LOG_ENDS_H
#define BGOP_COORDINATOR_LOOP_LOG_ENDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_ENDS_CHECK_MS = 5000 };

enum log_kind { LOG_SUBMIT, LOG_STATUS, LOG_KIND_COUNT };

struct log_end {
    _Atomic int64_t read;              /* position of the loop that reads it; -1: none of ours does */
    _Atomic int64_t lost;              /* the end was found here, below a position read; -1: it was not */
    _Atomic int64_t queried, answered; /* numbers of the last query and of the last one answered; 0: none */
    _Atomic int64_t answer;
    int64_t checked_at_ms; /* the polling thread's own */
};

struct log_ends {
    struct log_end *of[LOG_KIND_COUNT]; /* [partitions] */
    int count[LOG_KIND_COUNT];
    pthread_mutex_t lock; /* of the condition only */
    pthread_cond_t queried;
};

void log_ends_init(struct log_ends *ends, int submit_partitions, int shards);
void log_ends_release(struct log_ends *ends);

/* ---- for loops ---- */
/* So far it was read; -1: it is not ours (any more), or is not read at the moment. */
void log_end_report_read(struct log_ends *ends, enum log_kind kind, int partition, int64_t position);
/* Where a log was found to end, below what was read; else -1. Said once. */
int64_t log_end_lost(struct log_ends *ends, enum log_kind kind, int partition);
/* Queries the end as it is now or later; returns the query's number. */
int64_t log_end_query(struct log_ends *ends, enum log_kind kind, int partition);
/* The end that answers this query or a later one, or -1: there is none yet (the brokers are asked until they answer). */
int64_t log_end_result(struct log_ends *ends, enum log_kind kind, int partition, int64_t query);

#endif
