/* When an operation passed which stage of its way: for tests/bench/stages.py, which joins what several processes write. Off
 * unless BGOP_STAGES names a folder; then each process has a file of lines there: microseconds of CLOCK_BOOTTIME, stage, Id. */
#ifndef BGOP_BASE_STAGE_H
#define BGOP_BASE_STAGE_H

#include <stdint.h>

/* In the order of the way. XX(constant, name in the file, what has happened) */
#define STAGES(XX)                                                                \
    XX(STAGE_DUE, "due", "the load means to submit it")                           \
    XX(STAGE_ACKED, "acked", "the load has Kafka's word for it")                  \
    XX(STAGE_READ, "read", "intake has read it")                                  \
    XX(STAGE_RECORDED, "recorded", "Redis has answered intake's call")            \
    XX(STAGE_HINTED, "hinted", "a worker has its hint, from Redis or Kafka")      \
    XX(STAGE_GRANTED, "granted", "Redis has answered the worker's call")          \
    XX(STAGE_FINISHED, "finished", "its handler is done")                         \
    XX(STAGE_REPORTED, "reported", "the worker has Kafka's word for the outcome") \
    XX(STAGE_OUTCOME, "outcome", "the status loop has read the outcome")          \
    XX(STAGE_APPLIED, "applied", "Redis has answered the status loop's call")     \
    XX(STAGE_SEEN, "seen", "the load has read Complete from the stream of changes")

enum stage {
#define XX(constant, name, what) constant,
    STAGES(XX)
#undef XX
};

extern int stage_state; /* 0: off; else stage_write finds out */
void stage_write(enum stage stage, const char *id);
/* Of what is told later. */
void stage_write_at(enum stage stage, const char *id, int64_t boot_us);

/* From any thread. */
static inline void stage_point(enum stage stage, const char *id)
{
    if (__builtin_expect(stage_state != 0, 0))
        stage_write(stage, id);
}

#endif
