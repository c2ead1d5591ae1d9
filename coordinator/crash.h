/* Crash points: BGOP_CRASH=<name>:<n> in the environment aborts the process at the n-th pass of that point. For the
 * fault tests only; without the variable a point costs one comparison. */
#ifndef BGOP_COORDINATOR_CRASH_H
#define BGOP_COORDINATOR_CRASH_H

#include "common/base/err.h"

/*     enum              name in BGOP_CRASH   where */
#define CRASH_POINTS(XX)                                                                                          \
    XX(INGEST_BEFORE,    "ingest-before",     "a batch is decided, no bgop_ingest was sent")                      \
    XX(INGEST_SENT,      "ingest-sent",       "bgop_ingest calls are sent, no answer was read")                   \
    XX(INGEST_AFTER,     "ingest-after",      "an answer of bgop_ingest is read, its hints are not produced")     \
    XX(HINT_AFTER,       "hint-after",        "hints are produced, their delivery is not known")                  \
    XX(REJECT_BEFORE,    "reject-before",     "a message is refused, its reject is not produced")                 \
    XX(REJECT_AFTER,     "reject-after",      "a batch's rejects are delivered, the fence has not moved")         \
    XX(COMMAND_AFTER,    "command-after",     "commands are in the status log, their offset is not stored")       \
    XX(STORE_BEFORE,     "store-before",      "a batch is applied, its offsets are not stored")                   \
    XX(APPLY_BEFORE,     "apply-before",      "outcomes are read, no bgop_apply was sent")                        \
    XX(APPLY_SENT,       "apply-sent",        "bgop_apply calls are sent, no answer was read")                    \
    XX(APPLY_AFTER,      "apply-after",       "an answer of bgop_apply is read, its hints are not produced")      \
    XX(TICK_SENT,        "tick-sent",         "bgop_tick calls are sent, no answer was read")                     \
    XX(TICK_AFTER,       "tick-after",        "an answer of bgop_tick is read, hints and verdicts are not sent")  \
    XX(VERDICT_AFTER,    "verdict-after",     "verdicts are in the status log, not applied")                      \
    XX(CONTROL_BEFORE,   "control-before",    "a generation is chosen, not written to the control topic")         \
    XX(CONTROL_AFTER,    "control-after",     "a generation is in the control topic, its shard is not armed")     \
    XX(ARM_AFTER,        "arm-after",         "a shard is armed, nothing was replayed")                           \
    XX(OPEN_BEFORE,      "open-before",       "the marks are reached, bgop_open was not sent")                    \
    XX(OPEN_AFTER,       "open-after",        "a shard is open")                                                  \
    XX(GENESIS_AFTER,    "genesis-after",     "the genesis is in the control topic, not in Redis")

enum crash_point {
#define XX(id, name, where) CRASH_##id,
    CRASH_POINTS(XX)
#undef XX
    CRASH_POINT_COUNT
};

/* Reads BGOP_CRASH. ST_INVALID: no such point, or no number. */
enum status crash_points_start(struct err *err) MUST_CHECK;

extern int crash_point_armed;               /* enum crash_point, or -1 */
void crash_point_reached(void);

static inline void crash_point(enum crash_point point)
{
    if ((int)point == crash_point_armed)
        crash_point_reached();
}

#endif
