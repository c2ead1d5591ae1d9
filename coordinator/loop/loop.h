/* One thread of the coordinator: a loop with its own Redis connection, consumer and producer. What the loops of a
 * process share is here too: it is little, and all of it atomic or constant while they run. */
#ifndef BGOP_COORDINATOR_LOOP_LOOP_H
#define BGOP_COORDINATOR_LOOP_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/log.h"
#include "common/base/wake.h"
#include "common/config/config.h"
#include "coordinator/loop/appender.h"
#include "coordinator/loop/counters.h"
#include "coordinator/loop/health.h"
#include "coordinator/loop/log_ends.h"
#include "coordinator/loop/tick_requests.h"

enum { INSTANCE_SIZE = 128, GENESIS_SIZE = 64 };

struct shared {
    const struct config *config;
    char instance[INSTANCE_SIZE]; /* host, process and start: who took a generation */
    char genesis[GENESIS_SIZE];   /* of this queue; written before the loops start */
    bool rebuild;                 /* what is empty is to be filled from Kafka (--rebuild) */
    struct counters counters;
    struct tick_requests tick_requests;
    struct log_ends ends;
    struct health health;
    pthread_mutex_t library_lock;
    char library_reported[48]; /* SHA-1 of the functions that Redis had last, under the lock */
    atomic_bool stop;          /* finish what is at hand, then leave */
    atomic_int exit_code;      /* 0, or why the process must end; set before stop */
};

struct loop {
    struct shared *shared;
    char name[32]; /* "intake-1" */
    void (*run)(struct loop *loop);
    pthread_t thread;
    bool started;
    bool redis_only; /* it produces nothing */

    _Atomic int64_t beat_ms; /* CLOCK_BOOTTIME of the last turn; 0: not running */
    atomic_bool assigned;    /* the group gave it its partitions (perhaps none) once */
    atomic_int owned, ready; /* partitions; of them, those settled (status: and whose shard is open) */
    struct wake wake;        /* ends a wait for messages, and a pause when stopping */

    struct redis *redis; /* the loop's thread only, from here on */
    struct appender appender;
    struct outage redis_outage, kafka_outage; /* the consumer tells of the latter ... */
    struct outage kafka_call_outage;          /* ... but not of what a call of ours met */
};

/* Opens the loop's connections. ST_INVALID, ST_FAILED: cannot ever work. */
enum status loop_open(struct loop *loop, struct err *err) MUST_CHECK;
void loop_close(struct loop *loop);

/* At every turn and in every wait: the watchdog aborts a process whose loop stands still. */
void loop_beat(struct loop *loop);
bool loop_stopping(const struct loop *loop);
/* Waits a little before something is tried again; returns early when stopping (loop->wake). */
void loop_pause(struct loop *loop, int ms);
/* A call to a server failed or worked again: one line at the outage's start and end. */
void loop_failed(struct loop *loop, const struct err *err); /* of whose doing err is */
void loop_redis_works(struct loop *loop);
void loop_kafka_works(struct loop *loop);
/* Connects, and makes sure that nothing is written into a Redis that is empty, or another queue's (recovery.c ends the process
 * for that). *known: the connection on which that was found out; 0 at first. false: err says why not. */
bool loop_redis_is_ours(struct loop *loop, uint64_t *known, struct err *err);
/* The process cannot go on: everything stops and it exits with this code. */
void loop_fatal(struct loop *loop, int exit_code, const char *text);

#endif
