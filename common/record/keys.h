/* Every key and channel of the queue in Redis: one table of patterns, from which come the C helper below, the constants
 * that Lua puts its keys together from, and the page common/functions/KEYS.md (unit.test_functions_page compares them). Of
 * `pending:<Type>`, in Lua: KEY.PENDING ':pending:' stands behind the shard's prefix, INDEX.PENDING 'pending:' is what the
 * doctor calls it, NAME.PENDING 'pending' its name, KIND.PENDING 'zset' how Redis keeps it.
 *
 * To add one: a line here, and the page printed again: `unit_test_functions_page --print`. */
#ifndef BGOP_RECORD_KEYS_H
#define BGOP_RECORD_KEYS_H

#include <stddef.h>

#include "common/record/tables.h"

/* Of one shard: bgop:{s}:<name>[:<of>], a key or a channel (sharded Pub/Sub); of the whole queue: bgop:<name>. */
enum key_scope { KEY_OF_SHARD, KEY_OF_CHANNEL, KEY_OF_QUEUE };

/* clang-format off */
/* XX(id, scope, name, what stands behind it, type, writers, what it holds). Writers: I ingest, C claim, R renew and reassert,
 * A apply, T tick, O arm and open, H beat and source, B actions. */
#define REDIS_KEYS(XX) \
    XX(GATE, SHARD, "gate", NULL, "hash", "O, all (`now`)", \
       "`gen`, `run` (run id of the server), `mode` (RECOVERING, OPEN), `now` (last time seen), `floor` (no " \
       "lease is judged before), `status_mark`, `submit_marks` (\"partition:next ...\"), `lease_ms`, " \
       "`retry_max_delay_ms`, `log_days`, `deleted_log_days`, `armed` (when), `ahead` (so many ms is the server's clock ahead of " \
       "`now` and not believed: write/clock.lua), `ahead_since`; of tick: `swept`, `gone` (records removed " \
       "since), `unswept` (latest removal " \
       "that no whole pass over `born` has followed yet), `pass` (when the present pass began), `rolled` " \
       "(last minute rolled), `pressure` (1: above 70%, 2: above 80% of maxmemory), `changes_from`, " \
       "`deleted_from` (these streams are complete from that ms on; absent: since ever)") \
    XX(FENCES, SHARD, "fences", NULL, "hash", "I, A", \
       "`s<partition>` of submit and `t` of the status log -> \"next fp_offset fp_crc fp_timestamp\"") \
    XX(TYPES, SHARD, "types", NULL, "hash", "O", \
       "Type -> current version; \"Type:version\" -> settings as JSON (`retry_backoff_ms`, `retry_limit`, " \
       "`timeout_ms`, `retention_s`, `retention_error_s`, ...)") \
    XX(OP, SHARD, "op", "<Id>", "hash", "I C R A T", \
       "the record's fields (times in ms; absent: null, the Type's default, or derived), then: `crc` of its " \
       "message; `token` of the last attempt, absent before the first; `in` payload up to 1 KiB, emptied " \
       "when Complete; `large` bytes of a payload that has its own key; `v` version of the Type's settings, " \
       "absent = 1; `more` a claim must look for further fields, `p`: for the ParentKey alone, `s`: a member " \
       "of a sequence group, `l`: of a lane; `ok` a follower succeeded then, and its leader runs still; " \
       "`alone` runs without others; " \
       "`led` followers of it completed without it: it is kept as long as they are; `redrives` a count; " \
       "`commands` there is such a list; `lost`, `crashes` counts; `trace` traceparent; `reason` of a cancel") \
    XX(IN, SHARD, "in", "<Id>", "string", "I A T", \
       "payload above 1 KiB; until Complete or removal") \
    XX(OUT, SHARD, "out", "<Id>", "string", "A", \
       "result, when there is one") \
    XX(TRIES, SHARD, "tries", "<Id>", "list", "A T", \
       "failed attempts as JSON: attempt, worker, started, finished, error; the last 100") \
    XX(COMMANDS, SHARD, "commands", "<Id>", "list", "A", \
       "commands that had an effect, as JSON: command, at, reason, commandId; the last 20") \
    XX(BORN, SHARD, "born", NULL, "stream", "I T", \
       "`ids` of one ingest call; entries leave when none of their records is left") \
    XX(PENDING, SHARD, "pending", "<Type>", "zset by time of release", "I C A T", \
       "claimable: New, and Waiting that waits for nothing else") \
    XX(DUE, SHARD, "due", NULL, "zset by time", "I A T", \
       "Scheduled (ProcessAfter) and Error with a retry to come") \
    XX(LEASES, SHARD, "leases", NULL, "hash", "C R A T", \
       "Id -> \"token backstop_ms instance Type payload\", backstop: StartedAt + Timeout + 5 s, with `!` behind it " \
       "once its worker renewed it later than that; payload: `p` in the record, `L` in its own key, `-`" \
       " none; behind it `s` of a sequence group, `l` of a lane, `g` with followers, `e` with such as are alike, " \
       "`f` perhaps (forgotten). Exactly the Running ones") \
    XX(RUNNING, SHARD, "running", NULL, "zset by deadline", "C R A T", \
       "the same Ids: the end of the lease; of one marked `!`, when that was") \
    XX(CANCELS, SHARD, "cancels", NULL, "hash", "A", \
       "Id of a running operation, or of a follower -> reason") \
    XX(LANE, SHARD, "lane", "<Type>:<ParentKey>", "zset by time of release", "I C A T R", \
       "those that are ready but wait for their turn") \
    XX(LANE_OUT, SHARD, "lane_out", "<Type>:<ParentKey>", "set", "I A T R", \
       "those whose turn it is: in `pending`, laid aside, or running (leaders)") \
    XX(GROUP, SHARD, "group", "<leader>-<attempt>", "list", "C A T", \
       "all that were in an execution group when it was claimed, the leader first, then an empty one for each " \
       "that left it or succeeded by itself; until its execution has ended") \
    XX(ERRORS, SHARD, "errors", NULL, "zset by FinishedAt", "A T", \
       "everything in Error, timed or final") \
    XX(DONE, SHARD, "done", "<retention s>", "stream", "A T", \
       "`ids` that ended in one call: what to look at for expiry when that time has passed") \
    XX(RETENTIONS, SHARD, "retentions", NULL, "set", "A T", \
       "which `done` streams exist") \
    XX(DELETED, SHARD, "deleted", NULL, "stream", "T", \
       "`ids` removed, `crcs` of their submissions in the same order; trimmed by deleted_log_days and 32 MiB") \
    XX(CHANGES, SHARD, "changes", NULL, "stream", "I C R A T", \
       "(status, Ids)* of one call; trimmed by log_days and 32 MiB") \
    XX(SEQ, SHARD, "seq", "<group>", "zset by SequenceNumber", "I A T", \
       "group = Type:ParentKey:SequenceGroup (`:` and `%` of the ParentKey as `%3A`, `%25`): members that " \
       "are unfinished, or failed for good and hold the rest") \
    XX(SEQ_ACTIVE, SHARD, "seq_active", "<group>", "set", "C R A T", \
       "its members that run (several in one execution group)") \
    XX(SEQ_FAILED, SHARD, "seq_failed", "<group>", "set", "A T", \
       "its members that failed for good and hold it") \
    XX(SEQ_RELEASED, SHARD, "seq_released", NULL, "hash", "I C R A T", \
       "group -> the member that is in `pending`, or in its lane") \
    XX(SEQ_FAILING, SHARD, "seq_failing", NULL, "hash", "A T", \
       "group -> the failed member behind which all is being ended") \
    XX(BLOCKED, SHARD, "blocked", NULL, "zset by time", "I A T", \
       "members that failed for good and have others behind them: they do not expire") \
    XX(PAUSED, SHARD, "paused", NULL, "hash", "A", \
       "`T:<Type>`, `P:<ParentKey>` -> \"ms reason\": nothing of it is claimed") \
    XX(ASIDE, SHARD, "aside", "<of paused>", "zset by time of release", "C A T", \
       "what claims met of it; may hold what has gone another way since") \
    XX(RESUMING, SHARD, "resuming", NULL, "zset by time of the pause", "A T", \
       "resumed, and not all of it put back") \
    XX(NAMES, SHARD, "names", NULL, "hash", "I T", \
       "Name -> JSON list of [Id, Type, routing key, content checksum]") \
    XX(NAMES_GONE, SHARD, "names_gone", NULL, "stream", "I T", \
       "(`id`, `name`)* of records removed within the last day, in one entry those of one call") \
    XX(PARENT, SHARD, "parent", "<ParentKey>", "zset by SubmittedAt", "I T", \
       "its operations") \
    XX(WORKER, SHARD, "worker", "<uri>", "stream", "C R T", \
       "`ids` of one claim or reassert") \
    XX(URIS, SHARD, "uris", NULL, "zset by ms", "C R T", \
       "URI -> when its stream was last swept") \
    XX(WORKERS, SHARD, "workers", NULL, "zset by last renewal", "C R T", \
       "live instances; forgotten after 10 minutes") \
    XX(INSTANCE, SHARD, "w", "<instance>", "hash", "C R T", \
       "`uri`, `types`, `slots`, `nonce:<Type>` -> \"nonce Ids\" of the last claim; in shard 0 `kafka`, `redis` -> " \
       "\"ms text\" of an outage that it sees; as long as it is in `workers`") \
    XX(COORDINATORS, SHARD, "coordinators", NULL, "zset by last beat", "H", \
       "coordinators, in shard 0 only; forgotten after 10 minutes") \
    XX(COORDINATOR, SHARD, "coordinator", "<instance>", "hash", "H", \
       "`state` (runs, left), `since` (ms), `kafka`, `redis` -> \"ms text\" of an outage that it sees; as long as it is " \
       "in `coordinators`") \
    XX(SOURCES, SHARD, "sources", NULL, "zset by last beat", "H", \
       "topic[partition] -> when its reader last said that it has it; partition p of the submit topic is in shard p " \
       "mod shards") \
    XX(SOURCE, SHARD, "source", "<topic[partition]>", "hash", "H", \
       "`state` (reads, lags, waits, healing, halted; known: nobody has read it yet), `since` (ms), `why`, `instance` of " \
       "its reader") \
    XX(ACTIONS, SHARD, "actions", NULL, "zset by ms", "B", \
       "actions (cancel, redrive, pause, resume: `common/record/actions.h`) by when they were asked for, in shard 0 only; " \
       "the newest 1,000 that have ended, of 30 days") \
    XX(ACTIONS_RUNNING, SHARD, "actions_running", NULL, "zset by ms", "B", \
       "those of them that have not ended") \
    XX(ACTION, SHARD, "action", "<action>", "hash", "B", \
       "`kind`, `where`, `ids` (a count) or `type` or `parent`; `reason`, `who`, `rate`, `state`, `started`, `finished`; " \
       "`found` so far and `matching` when all were found; `cursor`: of them so many are settled, as `done`, `skipped` or " \
       "`failed`; `failures` \"Id text\" a line each, `error`; `owner`, `fence`, `until`: the coordinator that runs it, how " \
       "often it was taken over, the end of its lease") \
    XX(ACTION_IDS, SHARD, "action_ids", "<action>", "hash", "B", \
       "number of the first (0, 500, ...) -> 500 Ids joined by blanks that are not all settled; until the action has ended") \
    XX(COUNTS, SHARD, "counts", NULL, "hash", "all", \
       "\"Type:Status\" -> number of records; totals since ever: `accepted`, `duplicates`, `rejected`, " \
       "`finished`, `failed` (for good), `canceled`, `retried`, `redriven`, `redrive_refused`, `lost` " \
       "(leases taken back), `superseded`, `repeated`, `late`, `dup_exec` (two successes), `adopted`, " \
       "`parked`, `actions_Complete`, `actions_Aborted`, `actions_Error`; ms spent waiting, of all together, by cause: `waited_schedule`, `waited_retry`, `waited_predecessor`, " \
       "`waited_turn`, `waited_pause`, `waited_worker`; of times, up to the last minute rolled: `w<n>`, `r<n>`, where n holds " \
       "[2^(n-1), 2^n) ms, `ws`, `rs`") \
    XX(STATS, SHARD, "stats", "<minute>", "hash", "all, T", \
       "the totals of `counts` in one minute (epoch minute); `removed`; `w<n>`, `r<n>` wait and run times: " \
       "bucket 0 is below 1 ms, n holds [2^((n-1)/4), 2^(n/4)) ms. `stats:5` and `stats:60`: of the last 5 " \
       "and 60 full minutes. `ws`, `rs`: sums of ms") \
    XX(PARKED, SHARD, "parked", NULL, "hash", "A R I T", \
       "Id -> JSON list of what was read before its submission: entries as in `apply`, or a worker's claim " \
       "(\"held\", Id, token, StartedAt, instance, WorkerUri). A day") \
    XX(PARKED_AT, SHARD, "parked_at", NULL, "zset by ms", "A R I T", \
       "Id -> since when something is parked for it") \
    XX(SWEEPS, SHARD, "sweeps", NULL, "hash", "T", \
       "stream -> where the last sweep of it stopped") \
    XX(META, QUEUE, "meta", NULL, "hash", "coordinators", \
       "`genesis`, `shards`, `submit_partitions`, `prefix` and `cluster` of the queue, `created`; " \
       "`settings:<shard>`: digest of what that shard is armed with; `broker`: \"mock\" under `bgop dev`") \
    XX(EPOCHS, QUEUE, "epochs", NULL, "hash", "coordinators", \
       "submit partition -> the epoch of the Ids of its new submissions, one base-62 digit; absent: 0") \
    XX(REWINDS, QUEUE, "rewinds", NULL, "hash", "coordinators", \
       "of submit partitions whose history was rewritten: \"partition:epoch\" -> \"from lost_to fp_offset fp_crc " \
       "fp_timestamp\": Ids of offsets from `from` on are of that epoch; what was applied up to lost_to before is " \
       "gone; then the last message that is common. partition -> epoch: its fences are still to be put back") \
    XX(POINTS, QUEUE, "points", "<topic>:<partition>", "hash", "coordinators", \
       "topic: submit, status or command. A ring of messages that were applied, to find the last common point when Kafka went backwards: `s<n>`, " \
       "`m<n>`, `h<n>` (second, minute, hour, in turn) -> \"offset crc timestamp\"") \
    XX(HINTS, CHANNEL, "hints", "<Type>", "channel", "I A T", \
       "Ids joined by blanks, as they become claimable: what ingest, apply and tick answer as hints") \
    XX(LISTENERS, CHANNEL, "workers", NULL, "channel", "nobody", \
       "nothing; workers listen, so that the number of listeners is theirs (`common/redis/subscriber.h`)")
/* clang-format on */

enum redis_key {
#define XX(id, scope, name, of, type, writers, holds) KEY_##id,
    REDIS_KEYS(XX)
#undef XX
        KEY_COUNT,
    KEY_SHARD /* bgop:{s} alone: the key that a function is called with */
};

enum { KEY_SIZE = 64 + RECORD_STRING_SIZE }; /* room for a key of an Id, a Type, a ParentKey or an instance */
#define KEY_EVERYTHING "bgop:{*"             /* what SCAN asks for */

/* Writes the key of a shard into room; of: what stands behind its name, NULL: nothing. Answers room. */
const char *key_format(char *room, size_t size, enum redis_key key, int shard, const char *of);
/* bgop:{shard}:rest, of a name that was met. */
const char *key_format_rest(char *room, size_t size, int shard, const char *rest);
/* "bgop:meta" of the whole queue; of a shard what stands between its prefix and what the key is of: "pending". */
const char *key_name(enum redis_key key);
/* What stands behind bgop:{shard}: of a key; NULL: it is none of ours. */
const char *key_rest(const char *key, int *shard);
/* Is such a rest that of this key? What stands behind its name (of "op:08P..." the Id, of "due" nothing); NULL: another's. */
const char *key_rest_of(const char *rest, enum redis_key key);

#endif
