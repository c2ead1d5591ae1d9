/* Every metric that a program of ours shows: one table, from which come the text at /metrics (metrics.c), the table of
 * README.md (unit.test_metrics compares), and the names that rules and dashboards may use (tests/unit/monitoring.py).
 *
 * Names and units are those of Prometheus: base units (seconds, bytes), _total behind what only rises. To add one: a line
 * here, where it is put (queue_metrics.c for what Redis knows; process_metrics.c; of the worker
 * worker/daemon/worker_metrics.c), and the page printed again: `unit_test_metrics --print`. */
#ifndef BGOP_METRICS_METRICS_TABLE_H
#define BGOP_METRICS_METRICS_TABLE_H

/* Who shows it: QUEUE every coordinator and worker, the same numbers, since they come from Redis; PROCESS each its own;
 * WORKER, COORDINATOR each its own. */
/* clang-format off */
/* XX(id, source, kind, name, first label, second label, help). The samples of one are put together, in this order. */
#define METRICS(XX) \
    XX(REDIS_UP, PROCESS, GAUGE, "bgop_redis_up", "", "", \
       "1: Redis has answered with the numbers of the queue; 0: they are missing below") \
    XX(MODE, QUEUE, GAUGE, "bgop_mode", "mode", "", \
       "1 for the mode of the queue: OPEN, RECOVERING (some shard replays its logs), EMPTY (no queue yet)") \
    XX(SHARDS, QUEUE, GAUGE, "bgop_shards", "", "", "Shards of the queue") \
    XX(SHARDS_CLOSED, QUEUE, GAUGE, "bgop_shards_closed", "", "", "Shards that are not open") \
    XX(HEALTH, QUEUE, GAUGE, "bgop_health", "what", "", \
       "Entries of the health list of this kind; 0 for all kinds when all is well") \
    XX(OPERATIONS, QUEUE, GAUGE, "bgop_operations", "type", "status", "Records at hand") \
    XX(CLAIMABLE, QUEUE, GAUGE, "bgop_claimable_operations", "type", "", \
       "Operations that wait for nothing but a worker") \
    XX(OLDEST_WAITING, QUEUE, GAUGE, "bgop_oldest_waiting_seconds", "type", "", \
       "How long the oldest claimable operation has been waiting") \
    XX(BLOCKED_GROUPS, QUEUE, GAUGE, "bgop_blocked_groups", "", "", \
       "Sequence groups that are held by a member that failed for good") \
    XX(ACTIONS_RUNNING, QUEUE, GAUGE, "bgop_actions_running", "", "", \
       "Actions (on many operations, or pauses) that go on; those that nobody runs: bgop_health, action halted") \
    XX(ACTIONS_ENDED, QUEUE, COUNTER, "bgop_actions_ended_total", "state", "", \
       "Actions that have ended: Complete, Aborted by a person, or with an Error") \
    XX(WORKERS, QUEUE, GAUGE, "bgop_workers", "", "", "Workers that were heard of within a lease's time") \
    XX(SLOTS, QUEUE, GAUGE, "bgop_worker_slots", "", "", "Executions that all of them may run at a time") \
    XX(WAIT, QUEUE, HISTOGRAM, "bgop_wait_seconds", "", "", "From claimable to claimed, of each claim") \
    XX(RUN, QUEUE, HISTOGRAM, "bgop_run_seconds", "", "", "How long attempts ran, whatever came of them") \
    XX(WAITING, QUEUE, COUNTER, "bgop_waiting_seconds_total", "cause", "", \
       "Time that operations have waited, of all together, by what they waited for; counted when the wait ends") \
    XX(ACCEPTED, QUEUE, COUNTER, "bgop_accepted_total", "", "", "Submissions that became operations") \
    XX(DUPLICATES, QUEUE, COUNTER, "bgop_duplicates_total", "", "", \
       "Submissions that repeated a Name with the same content") \
    XX(REJECTS, QUEUE, COUNTER, "bgop_rejects_total", "", "", "Messages refused, to the topic of rejects") \
    XX(COMPLETED, QUEUE, COUNTER, "bgop_completed_total", "", "", "Operations that succeeded") \
    XX(FAILED, QUEUE, COUNTER, "bgop_failed_total", "", "", "Operations that failed for good") \
    XX(CANCELED, QUEUE, COUNTER, "bgop_canceled_total", "", "", "Operations that were canceled") \
    XX(RETRIES, QUEUE, COUNTER, "bgop_retries_total", "", "", "Retries granted after a failed attempt") \
    XX(REDRIVES, QUEUE, COUNTER, "bgop_redrives_total", "", "", "Failed operations that a person gave their retries back") \
    XX(REDRIVES_REFUSED, QUEUE, COUNTER, "bgop_redrives_refused_total", "", "", "Redrives beyond redrive_limit") \
    XX(LEASE_EXPIRIES, QUEUE, COUNTER, "bgop_lease_expiries_total", "", "", \
       "Attempts taken back because their worker did not renew their lease") \
    XX(SUPERSEDED, QUEUE, COUNTER, "bgop_superseded_total", "", "", \
       "Outcomes of an attempt that was not the newest: without effect") \
    XX(REPEATED, QUEUE, COUNTER, "bgop_repeated_outcomes_total", "", "", \
       "Outcomes read a second time, of what had ended: without effect") \
    XX(LATE, QUEUE, COUNTER, "bgop_late_outcomes_total", "", "", \
       "Failures of an attempt whose lease had been taken back: counted already") \
    XX(DUPLICATE_EXECUTIONS, QUEUE, COUNTER, "bgop_duplicate_executions_total", "", "", \
       "Operations that succeeded twice, in two attempts") \
    XX(ADOPTED, QUEUE, COUNTER, "bgop_adopted_total", "", "", \
       "Attempts that Redis had forgotten when it went backwards, and that were taken over") \
    XX(PARKED, QUEUE, COUNTER, "bgop_parked_total", "", "", \
       "Outcomes and commands that were read before their submission") \
    \
    XX(CLAIMED, WORKER, COUNTER, "bgop_worker_claimed_total", "", "", "Operations that this worker was granted") \
    XX(OUTCOMES, WORKER, COUNTER, "bgop_worker_outcomes_total", "kind", "", "Outcomes that it has delivered to Kafka") \
    XX(RUNNING, WORKER, GAUGE, "bgop_worker_running", "type", "", "Executions that it runs") \
    XX(CONCURRENCY, WORKER, GAUGE, "bgop_worker_concurrency", "type", "", "Executions of a Type that it may run at a time") \
    XX(UNDELIVERED, WORKER, GAUGE, "bgop_worker_undelivered_outcomes", "", "", \
       "Outcomes that are not known to be in the status log yet") \
    XX(SHARDS_READY, WORKER, GAUGE, "bgop_worker_shards_ready", "", "", "Shards from which it may claim") \
    XX(SPANS, WORKER, COUNTER, "bgop_worker_spans_total", "result", "", \
       "Spans of attempts: exported, or dropped (the queue was full, or the receiver would not have them)") \
    XX(READY, WORKER, GAUGE, "bgop_worker_ready", "", "", "1: /readyz says so") \
    \
    XX(EVENTS, COORDINATOR, COUNTER, "bgop_coordinator_events_total", "event", "", \
       "What this coordinator counts; the events are those of its line \"stats\"") \
    XX(LAG, COORDINATOR, GAUGE, "bgop_consumer_lag_messages", "log", "partition", \
       "Messages of a partition that it reads, and has not applied") \
    \
    XX(ROUND_TRIP, PROCESS, HISTOGRAM, "bgop_redis_round_trip_seconds", "", "", \
       "From the sending of calls to Redis, one or a batch, to the first answer") \
    XX(OUTAGE, PROCESS, GAUGE, "bgop_outage", "server", "", "1: this process does not reach it, or is refused by it") \
    XX(BUILD, PROCESS, GAUGE, "bgop_build_info", "program", "version", "1, of what runs here") \
    XX(CPU, PROCESS, COUNTER, "process_cpu_seconds_total", "", "", "CPU time of the process, its handlers not included") \
    XX(RESIDENT, PROCESS, GAUGE, "process_resident_memory_bytes", "", "", "Memory that it holds") \
    XX(VIRTUAL, PROCESS, GAUGE, "process_virtual_memory_bytes", "", "", "Address space that it has") \
    XX(THREADS, PROCESS, GAUGE, "process_threads", "", "", "Threads that it has") \
    XX(OPEN_FDS, PROCESS, GAUGE, "process_open_fds", "", "", "Descriptors that it has open") \
    XX(MAX_FDS, PROCESS, GAUGE, "process_max_fds", "", "", "Descriptors that it may have open") \
    XX(START_TIME, PROCESS, GAUGE, "process_start_time_seconds", "", "", "When it was started, epoch seconds")
/* clang-format on */

#endif
