/* What may be wrong with a queue: one table of the kinds of trouble. Everything that tells of them comes from it: the codes
 * and bounds that Lua uses (common/functions/constants_lua.c), what `bgopctl doctor` says is to be done, and the table of
 * common/functions/HEALTH.md (unit.test_functions_page compares).
 *
 * To add one: a line here, where it is told (common/functions/read/health.lua), a case in tests/functions/test_health.c,
 * and the page printed again: `unit_test_functions_page --print-health`. */
#ifndef BGOP_RECORD_HEALTH_H
#define BGOP_RECORD_HEALTH_H

/* clang-format off */
/* XX(id, "what" of bgop_stats, its "where", when it is told, what is to be done). The gravest first: so they are listed. */
#define HEALTH_KINDS(XX) \
    XX(QUEUE_MISSING, "no queue", "this Redis", \
       "no coordinator has set up a queue here", \
       "Start bgop-coordinator, or correct the address of Redis") \
    XX(COORDINATOR_NONE, "no coordinator", "the queue", \
       "no coordinator was heard of within coordinator_late_ms, however the last one ended", \
       "Start bgop-coordinator: until then nothing is recorded, no outcome is applied and no timer fires") \
    XX(SOURCE_HALTED, "source halted", "topic[partition]", \
       "Kafka's retention took what was not read yet; also when the coordinator that said so is dead", \
       "Read the text: it says what is gone. `bgopctl recover` goes on without it; until then nothing more of this " \
       "partition is read, others go on") \
    XX(SOURCE_HEALING, "source healing", "topic[partition]", \
       "Kafka went backwards, and the coordinator is bringing the two together again", \
       "Nothing: it ends by itself. When it lasts, the coordinator's log says what it waits for") \
    XX(SHARD_CLOSED, "shard not open", "shard", \
       "it was never armed, Redis was restarted and nobody has armed it since, or it replays its logs", \
       "Nothing, while a coordinator runs and Kafka is there: it opens by itself. Else look at those first") \
    XX(CLOCK_BEHIND, "clock behind", "Redis", \
       "the clock of Redis is clock_gap_ms behind the queue's time, which never goes back", \
       "Set the clock of the Redis server right: slowly (NTP slews it), not by a step. Until then nothing becomes due there") \
    XX(CLOCK_AHEAD, "clock ahead", "Redis", \
       "the clock of Redis went on by clock_gap_ms more than its coordinator has measured", \
       "Set the clock of the Redis server right. When it stays as it is for clock_doubted_ms, it is believed: what was to be " \
       "done by that time is done then, and what was to be kept until then is removed") \
    XX(SOURCE_UNREAD, "source unread", "topic[partition]", \
       "no coordinator has read it for source_unread_ms, though one runs", \
       "Look whether the coordinators' consumer groups are stable (kafka-consumer-groups); restart the coordinators if not") \
    XX(SOURCE_WAITING, "source waiting", "topic[partition]", \
       "it has an owner, which has not been able to read it for source_waiting_ms", \
       "Read the text: Redis or Kafka is away, Redis is full, or its shards are not open") \
    XX(SOURCE_LAGGING, "source lagging", "topic[partition]", \
       "messages wait in it, and its reader has not moved for source_lagging_ms", \
       "Look at the log of the coordinator that reads it, and at the brokers") \
    XX(ACTION_HALTED, "action halted", "the action", \
       "an action goes on by its record, and no coordinator has run it for action_halted_ms", \
       "Start bgop-coordinator: any of them takes it up where it stands. When one runs, its log says why it does not") \
    XX(KAFKA_AWAY, "Kafka outage", "the process that sees it", \
       "a coordinator or worker does not reach Kafka", \
       "Look at the brokers and at the network of that host; the process goes on by itself") \
    XX(REDIS_AWAY, "Redis outage", "the process that sees it", \
       "Redis refuses calls of a coordinator or worker that it answers otherwise", \
       "Read the text: Redis says why it refuses") \
    XX(COORDINATOR_GONE, "coordinator gone", "the coordinator", \
       "it ended without leaving (killed, crashed, its host is gone); told for told_ms after it was last heard of", \
       "Look at its log, and start it again when nobody does; the others have taken over") \
    XX(WORKER_GONE, "worker gone", "the worker", \
       "it ended without leaving; told for told_ms after its leases have ended", \
       "Look at its log, and start it again when nobody does; what it ran is run again by others")

/* XX(id, ms, what ends with it) */
#define HEALTH_BOUNDS(XX) \
    XX(COORDINATOR_LATE_MS, 10000, "a coordinator that was not heard of for so long is gone; it beats once a second") \
    XX(SOURCE_UNREAD_MS, 25000, "of a partition: longer than Kafka takes to give it to another (session.timeout.ms 10 s)") \
    XX(SOURCE_WAITING_MS, 10000, "of a partition that is assigned and not read") \
    XX(SOURCE_LAGGING_MS, 10000, "of a partition that is read, while its position does not move") \
    XX(CLOCK_GAP_MS, 15000, "longer than a shard goes without a tick: a clock of Redis that goes on by more between two calls " \
                            "is ahead unless a coordinator has measured that time, and one that much behind was set back") \
    XX(CLOCK_DOUBTED_MS, 60000, "a clock that has stayed ahead for so long was set right, and is believed") \
    XX(ACTION_HALTED_MS, 15000, "of an action: its coordinator renews it within 5 s, and another takes it over when not") \
    XX(TOLD_MS, 60000, "how long a coordinator or worker that is gone is told of, when others go on") \
    XX(FORGOTTEN_MS, 600000, "after so long nothing is left of a coordinator or worker")
/* clang-format on */

enum {
#define XX(id, ms, text) HEALTH_##id = ms,
    HEALTH_BOUNDS(XX)
#undef XX
};

enum health_kind {
#define XX(id, what, where, when, advice) HEALTH_##id,
    HEALTH_KINDS(XX)
#undef XX
        HEALTH_COUNT
};
extern const char *const health_whats[HEALTH_COUNT];

/* What a coordinator says of a partition (bgop_source). */
#define HEALTH_STATES(XX) XX(known) XX(reads) XX(lags) XX(waits) XX(healing) XX(halted)

/* What is to be done about it; "": nothing is known of such a kind. */
const char *health_advice(const char *what);

#endif
