/* What a loop writes to Kafka: hints, which nobody waits for, and what must be in the log before the loop goes on
 * (rejects, commands, verdicts, generations). One producer per loop, linger 0. */
#ifndef BGOP_COORDINATOR_LOOP_APPENDER_H
#define BGOP_COORDINATOR_LOOP_APPENDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/config/config.h"
#include "coordinator/loop/counters.h"

enum {
    TOPIC_SIZE = 300,                 /* of the name of any topic, or group */
    APPENDER_WAIT_MS = 10000,         /* longest wait for delivery; shorter than the watchdog's patience */
    APPENDER_STOPPING_WAIT_MS = 2000, /* ... when the process is to leave */
};

struct appender {
    struct kafka_producer *producer; /* owned */
    const struct config *config;
    struct counters *counters;
    const atomic_bool *stop; /* once set, waits are short; may be NULL */
    struct buf buf;          /* of the message being written */
    uintptr_t round;         /* since the last wait; tells late delivery reports apart */
    int outstanding, failed; /* of this round */
    char text[256];          /* why the last one failed */
};

enum status appender_start(struct appender *appender, const struct config *config, struct counters *counters,
                           struct err *err) MUST_CHECK;
/* Hints will be sent: the first of a Type is then as quick as the others. Once the topics exist. */
void appender_prepare_types(struct appender *appender);
/* Waits a little for what is still on its way. */
void appender_stop(struct appender *appender);

/* Appends to <prefix>.<name>[partition]; to be followed by appender_wait before what it stands for counts. */
enum status appender_send(struct appender *appender, const char *name, int partition, const void *value, size_t size,
                          struct err *err) MUST_CHECK;
/* The same, to the partition that key leads to. */
enum status appender_send_keyed(struct appender *appender, const char *name, const char *key, const void *value,
                                size_t size, struct err *err) MUST_CHECK;
/* Until all that was sent since the last wait is in the log. ST_AGAIN: some of it may not be (send it all again). */
enum status appender_wait(struct appender *appender, struct err *err) MUST_CHECK;

/* One hint message per Type to <prefix>.<Type>[shard]. Dropped when the queue is full: workers pull. */
void appender_hint(struct appender *appender, int shard, const struct hints *hints);
/* Serves delivery reports; to be called at every turn of the loop. */
void appender_poll(struct appender *appender);

#endif
