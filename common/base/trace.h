/* When an operation passed which stage of its way: for tests/bench/stages.py, which joins what several processes write. Off
 * unless BGOP_TRACE names a folder; then each process has a file of lines there: microseconds of CLOCK_BOOTTIME, stage, Id. */
#ifndef BGOP_BASE_TRACE_H
#define BGOP_BASE_TRACE_H

#include <stdint.h>

/* In the order of the way. XX(constant, name in the file, what has happened) */
#define TRACE_STAGES(XX)                                                          \
    XX(TRACE_DUE, "due", "the load means to submit it")                           \
    XX(TRACE_ACKED, "acked", "the load has Kafka's word for it")                  \
    XX(TRACE_READ, "read", "intake has read it")                                  \
    XX(TRACE_RECORDED, "recorded", "Redis has answered intake's call")            \
    XX(TRACE_HINTED, "hinted", "a worker has its hint, from Redis or Kafka")      \
    XX(TRACE_GRANTED, "granted", "Redis has answered the worker's call")          \
    XX(TRACE_FINISHED, "finished", "its handler is done")                         \
    XX(TRACE_REPORTED, "reported", "the worker has Kafka's word for the outcome") \
    XX(TRACE_OUTCOME, "outcome", "the status loop has read the outcome")          \
    XX(TRACE_APPLIED, "applied", "Redis has answered the status loop's call")     \
    XX(TRACE_SEEN, "seen", "the load has read Complete from the stream of changes")

enum trace_stage {
#define XX(constant, name, what) constant,
    TRACE_STAGES(XX)
#undef XX
};

extern int trace_state; /* 0: off; else trace_write finds out */
void trace_write(enum trace_stage stage, const char *id);
/* Of what is told later. */
void trace_write_at(enum trace_stage stage, const char *id, int64_t boot_us);

/* From any thread. */
static inline void trace_point(enum trace_stage stage, const char *id)
{
    if (__builtin_expect(trace_state != 0, 0))
        trace_write(stage, id);
}

#endif
