/* What the coordinator counts: one table, from which the stats line is made. Totals since the start of the process;
 * written by any loop, read by the main thread. */
#ifndef BGOP_COORDINATOR_LOOP_COUNTERS_H
#define BGOP_COORDINATOR_LOOP_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/base/buf.h"

/*     name            what it counts */
/* clang-format off */
#define COUNTERS(XX)                                                                     \
    XX(submissions,    "messages read from the submit topic")                            \
    XX(skipped,        "of them, applied before (below their shard's cursor)")           \
    XX(ingested,       "submissions applied by bgop_ingest")                             \
    XX(rejected,       "messages refused to the rejects topic")                          \
    XX(bad_traces,     "submissions whose traceparent was no such thing and was dropped")\
    XX(commands,       "commands resolved to entries of the status log")                 \
    XX(outcomes,       "entries of the status log applied by bgop_apply")                \
    XX(bad_batches,    "messages of the status topic that could not be read")            \
    XX(foreign_batches, "messages of the status topic that are another queue's, and were dropped") \
    XX(bad_entries,    "entries of the status log that bgop_apply refused")              \
    XX(hinted,         "Ids hinted to workers")                                          \
    XX(hints_dropped,  "hint messages dropped (queue full): workers pull instead")       \
    XX(ticks,          "calls of bgop_tick")                                             \
    XX(guest_ticks,    "of shards whose timers run in another process: something scheduled was recorded here") \
    XX(verdicts,       "verdicts on lost or overdue attempts appended")                  \
    XX(arms,           "shards armed with a new generation")                             \
    XX(opens,          "shards opened after recovery")                                   \
    XX(refusals,       "calls refused by an offset fence")                               \
    XX(loads,          "times the function library was missing or older, and loaded again")  \
    XX(reloads,        "times a loop read its fences again")                             \
    XX(halts,          "partitions halted because Kafka and the fences disagree")                \
    XX(rewinds,        "partitions rewound because Kafka went backwards")                    \
    XX(lost_messages,  "offsets of them that had been applied and were gone from the log")
/* clang-format on */

struct counters {
#define XX(name, meaning) _Atomic int64_t name;
    COUNTERS(XX)
#undef XX
};

/* counter_add(&counters.hinted, 3) */
static inline void counter_add(_Atomic int64_t *counter, int64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

/* "submissions=12 skipped=0 ..." */
void counters_print(struct counters *counters, struct buf *to);

#endif
