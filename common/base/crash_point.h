/* Crash points: BGOP_CRASH=<name>:<n> in the environment kills the process at the n-th pass of that point, as SIGKILL
 * does, after one line in its log. For the fault tests only; without the variable a point costs one comparison. */
#ifndef BGOP_BASE_CRASH_POINT_H
#define BGOP_BASE_CRASH_POINT_H

#include "common/base/err.h"

/* clang-format off */
/*     enum              name in BGOP_CRASH   where; first the coordinator's, then the worker's */
#define CRASH_POINTS(XX) \
    XX(INGEST_BEFORE,    "ingest-before",     "a batch is decided, no bgop_ingest was sent") \
    XX(INGEST_SENT,      "ingest-sent",       "bgop_ingest calls are sent, no answer was read") \
    XX(INGEST_AFTER,     "ingest-after",      "an answer of bgop_ingest is read, its hints are not produced") \
    XX(HINT_AFTER,       "hint-after",        "hints are produced, their delivery is not known") \
    XX(REJECT_BEFORE,    "reject-before",     "a message is refused, its reject is not produced") \
    XX(REJECT_AFTER,     "reject-after",      "a batch's rejects are delivered, the fence has not moved") \
    XX(COMMAND_AFTER,    "command-after",     "commands are in the status log, their offset is not stored") \
    XX(STORE_BEFORE,     "store-before",      "what was read is dealt with, its offsets are not stored (the worker too: hints)") \
    XX(APPLY_BEFORE,     "apply-before",      "outcomes are read, no bgop_apply was sent") \
    XX(APPLY_SENT,       "apply-sent",        "bgop_apply calls are sent, no answer was read") \
    XX(APPLY_AFTER,      "apply-after",       "an answer of bgop_apply is read, its hints are not produced") \
    XX(TICK_SENT,        "tick-sent",         "bgop_tick calls are sent, no answer was read") \
    XX(TICK_AFTER,       "tick-after",        "an answer of bgop_tick is read, hints and verdicts are not sent") \
    XX(VERDICT_AFTER,    "verdict-after",     "verdicts are in the status log, not applied") \
    XX(CONTROL_BEFORE,   "control-before",    "a generation is chosen, not written to the control topic") \
    XX(CONTROL_AFTER,    "control-after",     "a generation is in the control topic, its shard is not armed") \
    XX(ARM_AFTER,        "arm-after",         "a shard is armed, nothing was replayed") \
    XX(OPEN_BEFORE,      "open-before",       "the marks are reached, bgop_open was not sent") \
    XX(OPEN_AFTER,       "open-after",        "a shard is open") \
    XX(GENESIS_AFTER,    "genesis-after",     "the genesis is in the control topic, not in Redis") \
    XX(REWIND_RECORDED,  "rewind-recorded",   "a rewriting is in the control topic, Redis does not know of it") \
    XX(REWIND_EPOCH,     "rewind-epoch",      "Redis knows the new epoch, no fence is put back") \
    XX(REWIND_FENCES,    "rewind-fences",     "the fences are put back, Redis says they are not yet") \
    XX(ACTION_SENT,      "action-sent",       "commands of an action's step are in Kafka, nothing was counted") \
    XX(CLAIM_BEFORE,     "claim-before",      "a claim is wanted, bgop_claim was not sent") \
    XX(CLAIM_AFTER,      "claim-after",       "Redis has granted, nothing here knows") \
    XX(START_BEFORE,     "start-before",      "an operation is claimed, its handler was not called") \
    XX(SPAWN_BEFORE,     "spawn-before",      "exec: the program was not started") \
    XX(SPAWN_AFTER,      "spawn-after",       "exec: the program runs, nothing was read of it") \
    XX(REAP_AFTER,       "reap-after",        "exec: the program has ended, its outcome is not made") \
    XX(PRODUCE_BEFORE,   "produce-before",    "outcomes are there, not produced") \
    XX(PRODUCE_AFTER,    "produce-after",     "outcomes are produced, their delivery is not known") \
    XX(DELIVERY_BEFORE,  "delivery-before",   "outcomes are delivered, nothing here knows") \
    XX(DELIVERY_AFTER,   "delivery-after",    "outcomes are delivered, and their operations let go") \
    XX(STORE_AFTER,      "store-after",       "offsets of hints are stored, not committed")
/* clang-format on */

enum crash_point {
#define XX(id, name, where) CRASH_##id,
    CRASH_POINTS(XX)
#undef XX
        CRASH_POINT_COUNT
};

/* Reads BGOP_CRASH. ST_INVALID: no such point, or no number. */
enum status crash_points_start(struct err *err) MUST_CHECK;

extern int crash_point_armed; /* enum crash_point, or -1 */
void crash_point_reached(void);

static inline void crash_point(enum crash_point point)
{
    if ((int)point == crash_point_armed)
        crash_point_reached();
}

#endif
