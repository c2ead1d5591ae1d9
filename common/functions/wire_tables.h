/* The wire between C and Lua goes by position: this is the one table of the positions, for both sides. Each layout
 * below is a row of fields in the order in which they travel; a layout may begin with, or be, another one.
 *
 *   C     WIRE_<LAYOUT>_<FIELD>   counted from 0; WIRE_<LAYOUT>_SIZE how many fields: common/redis/calls.c, answers.c
 *   Lua   <LAYOUT>.<FIELD>        a number that library.cmake puts in its place when it joins the sources, so that a
 *         <LAYOUT>.SIZE           name costs nothing at run time, and one that is not here ends the build
 *
 * In Lua a HEAD is counted from 1, as it stands in `args` or in an answer: args[CLAIM.TYPE]. A GROUP repeats behind a
 * head, and its fields are counted from its first: args[i + OP.NAME]. A READ is what one HMGET asks for; <LAYOUT>.NAMES
 * are the names of its fields ('Status', 'Type' ...), counted from 1 in the answer: f[LOADED.STATUS]. An INSIDE is what
 * nobody but these files sees: as a HEAD, and told on no page.
 *
 * Arguments are texts; numbers in answers are integers, or texts where they may be absent or exceed 2^53 (redis_reply_int
 * reads both). Where something comes behind a group that repeats, a count in front says how often (`m`, `r`, `l`, `v`, `n`).
 *
 * To add a field: a line here, and the places that write and read it. Behind the name is what README.md and the heads of
 * the Lua files call it (unit.test_functions_page compares), or the hash field that a READ asks for. */
#ifndef BGOP_FUNCTIONS_WIRE_TABLES_H
#define BGOP_FUNCTIONS_WIRE_TABLES_H

/* clang-format off */
/* ---- what several calls have in common ---- */

#define WIRE_FENCE(XX, L)           /* where a fence stands */ \
    XX(L, NEXT,         "next") \
    XX(L, FP_OFFSET,    "fp_offset") \
    XX(L, FP_CRC,       "fp_crc") \
    XX(L, FP_TIMESTAMP, "fp_timestamp")

#define WIRE_REFUSED(XX, L) XX(L, SAYS, "FENCE") WIRE_FENCE(XX, L)

#define WIRE_FENCE_MOVE(XX, L) XX(L, FROM, "from") WIRE_FENCE(XX, L)

#define WIRE_HINT(XX, L)            /* at the end of an answer: what has become claimable */ \
    XX(L, TYPE, "Type") \
    XX(L, IDS,  "Ids")

#define WIRE_ANSWER(XX, L)          /* how every answer that is no refusal begins */ \
    XX(L, SAYS, "OK") \
    XX(L, NOW,  "now")

/* ---- bgop_ingest: INGEST, MOVE*, rejected, OP* -> ANSWER, HINT* or "FENCE", FENCE_AT* or "REJECT", REJECT* ---- */

#define WIRE_INGEST(XX, L) \
    XX(L, GENERATION, "generation") \
    XX(L, MOVES,      "m")

#define WIRE_MOVE(XX, L) XX(L, PARTITION, "partition") WIRE_FENCE_MOVE(XX, L)

#define WIRE_OP(XX, L) \
    XX(L, ID,              "Id") \
    XX(L, TYPE,            "Type") \
    XX(L, PARENT_KEY,      "ParentKey") \
    XX(L, NAME,            "Name") \
    XX(L, PROCESS_AFTER,   "ProcessAfter") \
    XX(L, RETRY_BACKOFF,   "RetryBackoff") \
    XX(L, RETRY_LIMIT,     "RetryLimit") \
    XX(L, TIMEOUT,         "Timeout") \
    XX(L, SEQUENCE_GROUP,  "SequenceGroup") \
    XX(L, SEQUENCE_NUMBER, "SequenceNumber") \
    XX(L, CRC,             "crc") \
    XX(L, SUBMITTED_AT,    "SubmittedAt") \
    XX(L, CONTENT,         "content") \
    XX(L, TRACEPARENT,     "traceparent") \
    XX(L, PAYLOAD,         "payload")

#define WIRE_REJECT(XX, L) \
    XX(L, ID,     "Id") \
    XX(L, REASON, "reason")

#define WIRE_FENCE_AT(XX, L) XX(L, PARTITION, "partition") WIRE_FENCE(XX, L)

/* ---- bgop_claim: CLAIM, Id* -> CLAIM_ANSWER, CLAIMED* ---- */

#define WIRE_CLAIM(XX, L) \
    XX(L, GENERATION, "generation") \
    XX(L, INSTANCE,   "instance") \
    XX(L, WORKER_URI, "WorkerUri") \
    XX(L, NONCE,      "nonce") \
    XX(L, TYPE,       "Type") \
    XX(L, WANT,       "want")

#define WIRE_CLAIM_ANSWER(XX, L) WIRE_ANSWER(XX, L) XX(L, LEASE_MS, "lease_ms")

#define WIRE_CLAIMED(XX, L) \
    XX(L, ID,              "Id") \
    XX(L, TOKEN,           "token") \
    XX(L, TIMEOUT,         "timeout_ms") \
    XX(L, PARENT_KEY,      "ParentKey") \
    XX(L, SEQUENCE_GROUP,  "SequenceGroup") \
    XX(L, SEQUENCE_NUMBER, "SequenceNumber") \
    XX(L, TRACEPARENT,     "traceparent") \
    XX(L, PAYLOAD,         "payload") \
    XX(L, LEADER_ID,       "leader Id")

/* ---- bgop_renew: RENEW, LEASE* -> RENEW_ANSWER, lost Id*, CANCEL*; bgop_reassert with REASSERT* for LEASE* ---- */

#define WIRE_RENEW(XX, L) \
    XX(L, GENERATION, "generation") \
    XX(L, INSTANCE,   "instance") \
    XX(L, WORKER_URI, "WorkerUri") \
    XX(L, TYPES,      "types") \
    XX(L, SLOTS,      "slots")

#define WIRE_LEASE(XX, L) \
    XX(L, ID,    "Id") \
    XX(L, TOKEN, "token")

#define WIRE_REASSERT(XX, L) \
    WIRE_LEASE(XX, L) \
    XX(L, TYPE,       "Type") \
    XX(L, STARTED_AT, "StartedAt")

#define WIRE_RENEW_ANSWER(XX, L) \
    WIRE_ANSWER(XX, L) \
    XX(L, LEASE_MS, "lease_ms") \
    XX(L, WORKERS,  "workers") \
    XX(L, LOST,     "l")

#define WIRE_CANCEL(XX, L) \
    XX(L, ID,     "Id") \
    XX(L, REASON, "reason")

/* ---- bgop_apply: APPLY, (ENTRY or PAUSE)* -> ANSWER, HINT* or REFUSED ---- */

#define WIRE_APPLY(XX, L) XX(L, GENERATION, "generation") WIRE_FENCE_MOVE(XX, L)

/* An outcome, a verdict, or a command for one operation. */
#define WIRE_ENTRY(XX, L) \
    XX(L, KIND,        "kind") \
    XX(L, ID,          "Id") \
    XX(L, TOKEN,       "token") \
    XX(L, STARTED_AT,  "StartedAt") \
    XX(L, DURATION,    "duration_ms") \
    XX(L, WORKER_URI,  "WorkerUri") \
    XX(L, TEXT,        "text") \
    XX(L, RETRY_AFTER, "retry_after_ms") \
    XX(L, RESULT,      "result") \
    XX(L, LEADER_ID,   "leader Id") \
    XX(L, COMMAND_ID,  "command id")

/* An entry whose kind is pause or resume is about no operation: as many fields, of its own. */
#define WIRE_PAUSE(XX, L) \
    XX(L, KIND,       "kind") \
    XX(L, NO_ID,      "''") \
    XX(L, TOKEN,      "0") \
    XX(L, EMPTY_3,    "''") \
    XX(L, EMPTY_4,    "''") \
    XX(L, EMPTY_5,    "''") \
    XX(L, REASON,     "reason") \
    XX(L, EMPTY_7,    "''") \
    XX(L, PARENT_KEY, "ParentKey") \
    XX(L, TYPE,       "Type") \
    XX(L, COMMAND_ID, "command id")

/* ---- bgop_tick: TICK -> TICK_ANSWER, VERDICT*, HINT* ---- */

#define WIRE_TICK(XX, L) \
    XX(L, GENERATION, "generation") \
    XX(L, READ_TO,    "read_to") \
    XX(L, BUDGET,     "budget")

#define WIRE_TICK_ANSWER(XX, L) \
    WIRE_ANSWER(XX, L) \
    XX(L, SLEEP_MS, "sleep_ms") \
    XX(L, OVERDUE,  "overdue") \
    XX(L, VERDICTS, "v")

#define WIRE_VERDICT(XX, L) \
    XX(L, ID,         "Id") \
    XX(L, TOKEN,      "token") \
    XX(L, KIND,       "kind") \
    XX(L, STARTED_AT, "StartedAt") \
    XX(L, DURATION,   "duration_ms") \
    XX(L, TEXT,       "text") \
    XX(L, LEADER_ID,  "leader Id")

/* ---- bgop_arm: ARM, MARK*, ARM_QUEUE, ARM_TYPE* -> ANSWER; bgop_open: OPEN -> ANSWER or OPEN_WAIT ---- */

#define WIRE_ARM(XX, L) \
    XX(L, GENERATION,  "generation") \
    XX(L, STATUS_MARK, "status_mark") \
    XX(L, MARKS,       "m")

#define WIRE_MARK(XX, L) \
    XX(L, PARTITION, "partition") \
    XX(L, NEXT,      "next")

#define WIRE_ARM_QUEUE(XX, L) \
    XX(L, LEASE_MS,           "lease_ms") \
    XX(L, RETRY_MAX_DELAY_MS, "retry_max_delay_ms") \
    XX(L, LOG_DAYS,           "log_days") \
    XX(L, DELETED_LOG_DAYS,   "deleted_log_days")

#define WIRE_ARM_TYPE(XX, L) \
    XX(L, TYPE,     "Type") \
    XX(L, SETTINGS, "settings as JSON")

#define WIRE_OPEN(XX, L) XX(L, GENERATION, "generation")

#define WIRE_OPEN_WAIT(XX, L) \
    XX(L, SAYS,  "WAIT") \
    XX(L, AHEAD, "which mark is not reached")

/* ---- bgop_rewind: REWIND -> ANSWER or "FENCE", FENCE ---- */

#define WIRE_REWIND(XX, L) XX(L, GENERATION, "generation") XX(L, FIELD, "field") WIRE_FENCE_MOVE(XX, L)

/* ---- bgop_clock: CLOCK -> CLOCK_ANSWER ---- */

#define WIRE_CLOCK(XX, L)        XX(L, GENERATION, "generation") XX(L, EXPECTED, "expected")
#define WIRE_CLOCK_ANSWER(XX, L) WIRE_ANSWER(XX, L) XX(L, AHEAD, "ahead")

/* ---- bgop_check: CHECK or CHECK_MEMBERS, subject* or CHECK_FENCE* -> CHECKED, (CHECKED_RECORD, WRONG*)* or FOUND* or CHECKED_COUNTS, COUNT*;
 * bgop_mend: MEND (the last may be missing) -> ANSWER, what was mended* ---- */

#define WIRE_CHECK(XX, L) XX(L, WHAT, "what")

#define WIRE_CHECK_MEMBERS(XX, L) WIRE_CHECK(XX, L) XX(L, INDEX, "index")

#define WIRE_CHECK_FENCE(XX, L) XX(L, FIELD, "field") XX(L, LEAST, "least")

#define WIRE_CHECKED(XX, L) XX(L, POSITION, "position of `changes`")

#define WIRE_CHECKED_RECORD(XX, L) \
    XX(L, ID,       "Id") \
    XX(L, TYPE,     "Type") \
    XX(L, STATUS,   "Status") \
    XX(L, FINAL,    "final") \
    XX(L, MODSTAMP, "SystemModstamp") \
    XX(L, WRONGS,   "n")

#define WIRE_WRONG(XX, L) \
    XX(L, INDEX, "index") \
    XX(L, TEXT,  "what is wrong")

#define WIRE_FOUND(XX, L) XX(L, SUBJECT, "member") WIRE_WRONG(XX, L)

#define WIRE_CHECKED_COUNTS(XX, L) \
    XX(L, CHANGES, "positions of `changes`") \
    XX(L, DELETED, "of `deleted`")

#define WIRE_COUNT(XX, L) \
    XX(L, NAME,   "Type:Status") \
    XX(L, NUMBER, "number")

#define WIRE_MEND(XX, L) \
    XX(L, GENERATION, "generation") \
    XX(L, WHAT,       "what") \
    XX(L, SUBJECT,    "subject") \
    XX(L, ARGUMENT,   "[argument]")

/* ---- bgop_library: LIBRARY_CALL -> LIBRARY_ANSWER, command that the user lacks* ---- */

#define WIRE_LIBRARY_CALL(XX, L) XX(L, USER, "user")

#define WIRE_LIBRARY_ANSWER(XX, L) \
    XX(L, VERSION, "version") \
    XX(L, DIGEST,  "SHA-1")

/* ---- the functions that read: what is not given at the end is missing ---- */

#define WIRE_RETRIEVE(XX, L) XX(L, FIELDS, "fields")        /* then Id* */

#define WIRE_FIND(XX, L) XX(L, QUERY, "JSON object")

#define WIRE_LOOKUP(XX, L) \
    XX(L, FIELD,  "field") \
    XX(L, VALUE,  "value") \
    XX(L, CURSOR, "[cursor]")

#define WIRE_WINDOW(XX, L)          /* of bgop_get_updated and bgop_get_deleted */ \
    XX(L, START,  "start") \
    XX(L, END,    "end") \
    XX(L, CURSOR, "[cursor]")

#define WIRE_WHY(XX, L) XX(L, ID, "Id")

#define WIRE_STATS(XX, L) XX(L, ERRORS, "[errors]")

#define WIRE_BLOCKED(XX, L) XX(L, LIMIT, "limit")

/* ---- bgop_beat: BEAT -> ANSWER or WAIT; bgop_source: SOURCE_BEAT, SOURCE_STATE* -> the same ---- */

#define WIRE_BEAT(XX, L) \
    XX(L, KIND,     "kind") \
    XX(L, INSTANCE, "instance") \
    XX(L, STATE,    "state") \
    XX(L, KAFKA,    "kafka outage") \
    XX(L, REDIS,    "redis outage")

#define WIRE_SOURCE_BEAT(XX, L) XX(L, INSTANCE, "instance")

#define WIRE_SOURCE_STATE(XX, L) \
    XX(L, SOURCE, "source") \
    XX(L, STATE,  "state") \
    XX(L, WHY,    "why")

/* ---- actions: ACTION_CREATE, Ids joined*; ACTION_TAKE -> ANSWER, ACTION_TAKEN*; ACTION_FOUND; ACTION_STEP,
 * ACTION_FAILURE*; ACTION_FAIL; ACTION_ABORT; all the others -> ACTION_ANSWER, WAIT or MISSING ---- */

#define WIRE_ACTION_CREATE(XX, L) \
    XX(L, ACTION,     "action") \
    XX(L, KIND,       "kind") \
    XX(L, WHERE,      "where") \
    XX(L, TYPE,       "Type") \
    XX(L, PARENT_KEY, "ParentKey") \
    XX(L, REASON,     "reason") \
    XX(L, WHO,        "who") \
    XX(L, RATE,       "rate")

#define WIRE_ACTION_TAKE(XX, L) \
    XX(L, INSTANCE, "instance") \
    XX(L, STATE,    "state")

#define WIRE_ACTION_TAKEN(XX, L) \
    XX(L, ACTION, "action") \
    XX(L, FENCE,  "fence")

#define WIRE_ACTION_OWNED(XX, L)    /* how every call of the coordinator that runs it begins */ \
    XX(L, ACTION,   "action") \
    XX(L, INSTANCE, "instance") \
    XX(L, FENCE,    "fence")

#define WIRE_ACTION_FOUND(XX, L) \
    WIRE_ACTION_OWNED(XX, L) \
    XX(L, FROM, "from") \
    XX(L, LAST, "last") \
    XX(L, IDS,  "Ids")

#define WIRE_ACTION_STEP(XX, L) \
    WIRE_ACTION_OWNED(XX, L) \
    XX(L, FROM,    "from") \
    XX(L, DONE,    "done") \
    XX(L, SKIPPED, "skipped") \
    XX(L, FAILED,  "failed")

#define WIRE_ACTION_FAILURE(XX, L) \
    XX(L, ID,   "Id") \
    XX(L, TEXT, "why")

#define WIRE_ACTION_FAIL(XX, L) WIRE_ACTION_OWNED(XX, L) XX(L, TEXT, "error")

#define WIRE_ACTION_ABORT(XX, L) \
    XX(L, ACTION, "action") \
    XX(L, WHO,    "who") \
    XX(L, REASON, "reason")

#define WIRE_ACTION_ANSWER(XX, L) \
    XX(L, SAYS,  "OK") \
    XX(L, NOW,   "now") \
    XX(L, STATE, "state")

#define WIRE_ACTIONS(XX, L) XX(L, WHICH, "limit or action")

/* ---- what Lua keeps in Redis as a JSON list ---- */

#define WIRE_HOLDER(XX, L)          /* of a Name: in `names` */ \
    XX(L, ID,      "Id") \
    XX(L, TYPE,    "Type") \
    XX(L, ROUTING, "routing key") \
    XX(L, CONTENT, "content checksum")

#define WIRE_PARKED(XX, L)          /* how all begin that lies in `parked`: entries of the status log, and HELD */ \
    XX(L, KIND,  "kind") \
    XX(L, ID,    "Id") \
    XX(L, TOKEN, "token")

#define WIRE_HELD(XX, L)            /* a worker holds this attempt (kind "held") */ \
    WIRE_PARKED(XX, L) \
    XX(L, STARTED_AT, "StartedAt") \
    XX(L, INSTANCE,   "instance") \
    XX(L, WORKER_URI, "WorkerUri")

/* ---- streams, as XRANGE answers them ---- */

#define WIRE_STREAMED(XX, L)        /* one entry */ \
    XX(L, ID,     "id of the entry") \
    XX(L, FIELDS, "its fields")

#define WIRE_BATCH(XX, L)           /* fields of an entry of born, done, deleted (more follow), worker:<uri> */ \
    XX(L, IDS_NAME, "ids") \
    XX(L, IDS,      "Ids joined by blanks")

#define WIRE_NAME_GONE(XX, L)       /* and of names_gone */ \
    XX(L, ID_NAME,   "id") \
    XX(L, ID,        "Id") \
    XX(L, NAME_NAME, "name") \
    XX(L, NAME,      "Name")

/* ---- fields of hashes that are read at a time ---- */

#define WIRE_GATE(XX, L)            /* what every mutating function asks of the gate */ \
    XX(L, GENERATION,         "gen") \
    XX(L, RUN,                "run") \
    XX(L, MODE,               "mode") \
    XX(L, NOW,                "now") \
    XX(L, FLOOR,              "floor") \
    XX(L, LEASE_MS,           "lease_ms") \
    XX(L, RETRY_MAX_DELAY_MS, "retry_max_delay_ms") \
    XX(L, PRESSURE,           "pressure") \
    XX(L, AHEAD,              "ahead")

#define WIRE_GATE_STATE(XX, L)      /* what others ask of it: is the shard there, and open? */ \
    XX(L, GENERATION, "gen") \
    XX(L, RUN,        "run") \
    XX(L, MODE,       "mode")

#define WIRE_GATE_MARKS(XX, L) \
    XX(L, STATUS, "status_mark") \
    XX(L, SUBMIT, "submit_marks")

#define WIRE_GATE_ARMED(XX, L) \
    XX(L, GENERATION, "gen") \
    XX(L, NOW,        "now") \
    XX(L, AHEAD,      "ahead")

#define WIRE_GATE_SWEEP(XX, L) \
    XX(L, UNSWEPT, "unswept") \
    XX(L, PASS,    "pass")

#define WIRE_GATE_KEEPING(XX, L) \
    XX(L, SWEPT,            "swept") \
    XX(L, GONE,             "gone") \
    XX(L, LOG_DAYS,         "log_days") \
    XX(L, DELETED_LOG_DAYS, "deleted_log_days") \
    XX(L, UNSWEPT,          "unswept")

#define WIRE_WORKER(XX, L)          /* of w:<instance> */ \
    XX(L, URI,   "uri") \
    XX(L, TYPES, "types") \
    XX(L, SLOTS, "slots")

#define WIRE_WORKER_OUTAGES(XX, L)  /* of w:<instance>, in shard 0 */ \
    XX(L, URI,   "uri") \
    XX(L, KAFKA, "kafka") \
    XX(L, REDIS, "redis")

#define WIRE_COORDINATOR(XX, L)     /* of coordinator:<instance> */ \
    XX(L, STATE, "state") \
    XX(L, KAFKA, "kafka") \
    XX(L, REDIS, "redis")

#define WIRE_SOURCE(XX, L)          /* of source:<topic[partition]> */ \
    XX(L, STATE,    "state") \
    XX(L, SINCE,    "since") \
    XX(L, WHY,      "why") \
    XX(L, INSTANCE, "instance")

#define WIRE_ACTION_STATE(XX, L)    /* of action:<action> */ \
    XX(L, STATE,    "state") \
    XX(L, OWNER,    "owner") \
    XX(L, FENCE,    "fence") \
    XX(L, UNTIL,    "until") \
    XX(L, FOUND,    "found") \
    XX(L, MATCHING, "matching") \
    XX(L, CURSOR,   "cursor") \
    XX(L, DONE,     "done") \
    XX(L, SKIPPED,  "skipped") \
    XX(L, FAILED,   "failed") \
    XX(L, FAILURES, "failures")

#define WIRE_ACTION_JOB(XX, L)      /* the same, for the coordinator that runs it */ \
    XX(L, KIND,       "kind") \
    XX(L, WHERE,      "where") \
    XX(L, TYPE,       "type") \
    XX(L, PARENT_KEY, "parent") \
    XX(L, REASON,     "reason") \
    XX(L, RATE,       "rate") \
    XX(L, STARTED,    "started") \
    XX(L, MATCHING,   "matching") \
    XX(L, CURSOR,     "cursor")

#define WIRE_ACTION_RUN(XX, L)      /* the same, for who looks whether it goes on */ \
    XX(L, STATE,  "state") \
    XX(L, KIND,   "kind") \
    XX(L, CURSOR, "cursor") \
    XX(L, OWNER,  "owner") \
    XX(L, UNTIL,  "until")

#define WIRE_ACTION_SHOWN(XX, L)    /* the same, for readers */ \
    XX(L, KIND,       "kind") \
    XX(L, WHERE,      "where") \
    XX(L, IDS,        "ids") \
    XX(L, TYPE,       "type") \
    XX(L, PARENT_KEY, "parent") \
    XX(L, REASON,     "reason") \
    XX(L, WHO,        "who") \
    XX(L, RATE,       "rate") \
    XX(L, STATE,      "state") \
    XX(L, STARTED,    "started") \
    XX(L, FINISHED,   "finished") \
    XX(L, FOUND,      "found") \
    XX(L, MATCHING,   "matching") \
    XX(L, DONE,       "done") \
    XX(L, SKIPPED,    "skipped") \
    XX(L, FAILED,     "failed") \
    XX(L, FAILURES,   "failures") \
    XX(L, ERROR,      "error") \
    XX(L, OWNER,      "owner") \
    XX(L, UNTIL,      "until")

#define WIRE_GATE_SEEN(XX, L)       /* the gate for who tells of the whole shard (read.gates) */ \
    XX(L, GENERATION,  "gen") \
    XX(L, RUN,         "run") \
    XX(L, MODE,        "mode") \
    XX(L, NOW,         "now") \
    XX(L, FLOOR,       "floor") \
    XX(L, LEASE_MS,    "lease_ms") \
    XX(L, ARMED,       "armed") \
    XX(L, AHEAD,       "ahead") \
    XX(L, AHEAD_SINCE, "ahead_since") \
    XX(L, ROLLED,      "rolled")

#define WIRE_LOADED(XX, L)          /* of a record: all that the slow ways need to know (write/record.lua) */ \
    XX(L, STATUS,          "Status") \
    XX(L, TYPE,            "Type") \
    XX(L, TOKEN,           "token") \
    XX(L, RETRY_COUNT,     "RetryCount") \
    XX(L, RETRY_LIMIT,     "RetryLimit") \
    XX(L, RETRY_BACKOFF,   "RetryBackoff") \
    XX(L, TIMEOUT,         "Timeout") \
    XX(L, VERSION,         "v") \
    XX(L, LOST,            "lost") \
    XX(L, CRASHES,         "crashes") \
    XX(L, STARTED_AT,      "StartedAt") \
    XX(L, WORKER_URI,      "WorkerUri") \
    XX(L, LARGE,           "large") \
    XX(L, EXPIRES_AT,      "ExpiresAt") \
    XX(L, PAYLOAD,         "in") \
    XX(L, MORE,            "more") \
    XX(L, PARENT_KEY,      "ParentKey") \
    XX(L, SEQUENCE_GROUP,  "SequenceGroup") \
    XX(L, SEQUENCE_NUMBER, "SequenceNumber") \
    XX(L, EXECUTION_GROUP, "ExecutionGroup") \
    XX(L, LEADER_ID,       "GroupLeaderId") \
    XX(L, SUCCEEDED,       "ok") \
    XX(L, LED,             "led") \
    XX(L, MODSTAMP,        "SystemModstamp")

#define WIRE_CLAIMABLE(XX, L)       /* a claim, of each it looks at */ \
    XX(L, STATUS,   "Status") \
    XX(L, MODSTAMP, "SystemModstamp") \
    XX(L, TOKEN,    "token") \
    XX(L, PAYLOAD,  "in") \
    XX(L, VERSION,  "v") \
    XX(L, MORE,     "more") \
    XX(L, TYPE,     "Type")

#define WIRE_CLAIMABLE_PARENT(XX, L) WIRE_CLAIMABLE(XX, L) XX(L, PARENT_KEY, "ParentKey")   /* where `more` is p */

#define WIRE_GRANTED(XX, L)         /* a claim, of one whose `more` says that there are such */ \
    XX(L, TIMEOUT,         "Timeout") \
    XX(L, PARENT_KEY,      "ParentKey") \
    XX(L, SEQUENCE_GROUP,  "SequenceGroup") \
    XX(L, SEQUENCE_NUMBER, "SequenceNumber") \
    XX(L, TRACE,           "trace") \
    XX(L, LARGE,           "large")

#define WIRE_CLAIMABLE_MORE(XX, L) WIRE_CLAIMABLE(XX, L) WIRE_GRANTED(XX, L)        /* both at once */

#define WIRE_TROUBLE(XX, L)         /* a claim, of one that may go along in a group and was attempted before: may it? */ \
    XX(L, RETRY_COUNT, "RetryCount") \
    XX(L, LOST,        "lost") \
    XX(L, CRASHES,     "crashes") \
    XX(L, ALONE,       "alone")

#define WIRE_MEMBER(XX, L)          /* of a group whose leader has ended */ \
    XX(L, STATUS,          "Status") \
    XX(L, LEADER_ID,       "GroupLeaderId") \
    XX(L, EXECUTION_GROUP, "ExecutionGroup") \
    XX(L, SUCCEEDED,       "ok") \
    XX(L, EXPIRES_AT,      "ExpiresAt")

#define WIRE_MEMBER_MORE(XX, L)     /* of a group that ends in one call: what its success needs besides */ \
    WIRE_MEMBER(XX, L) \
    XX(L, TOKEN,   "token") \
    XX(L, MORE,    "more") \
    XX(L, LARGE,   "large") \
    XX(L, PAYLOAD, "in")

#define WIRE_LEADER(XX, L)          /* of a follower: does it run this attempt? */ \
    XX(L, STATUS, "Status") \
    XX(L, TOKEN,  "token")

#define WIRE_LED_BY(XX, L)          /* of a follower: how did its leader's execution end? */ \
    XX(L, STATUS,          "Status") \
    XX(L, EXECUTION_GROUP, "ExecutionGroup")

#define WIRE_EXPIRING(XX, L) \
    XX(L, STATUS,     "Status") \
    XX(L, EXPIRES_AT, "ExpiresAt") \
    XX(L, TYPE,       "Type") \
    XX(L, NAME,       "Name") \
    XX(L, PARENT_KEY, "ParentKey") \
    XX(L, COMMANDS,   "commands") \
    XX(L, CRC,        "crc")

#define WIRE_LAID_ASIDE(XX, L)      /* by a pause, and to be put back */ \
    XX(L, STATUS,         "Status") \
    XX(L, TYPE,           "Type") \
    XX(L, PARENT_KEY,     "ParentKey") \
    XX(L, SEQUENCE_GROUP, "SequenceGroup") \
    XX(L, MORE,           "more")

#define WIRE_SEQUENCED_BY(XX, L)    /* what names its sequence group */ \
    XX(L, TYPE,           "Type") \
    XX(L, PARENT_KEY,     "ParentKey") \
    XX(L, SEQUENCE_GROUP, "SequenceGroup")

#define WIRE_LANED_BY(XX, L)        /* what says whether it has a lane, and which */ \
    XX(L, MORE,       "more") \
    XX(L, PARENT_KEY, "ParentKey") \
    XX(L, MODSTAMP,   "SystemModstamp")

#define WIRE_NEXT(XX, L) XX(L, STATUS, "Status") WIRE_LANED_BY(XX, L)      /* the first of a sequence group */

/* ---- all of them ---- */

#define WIRE_LAYOUTS(XX) \
    XX(FENCE, GROUP) XX(REFUSED, HEAD) XX(FENCE_MOVE, GROUP) XX(HINT, GROUP) XX(ANSWER, HEAD) \
    XX(INGEST, HEAD) XX(MOVE, GROUP) XX(OP, GROUP) XX(REJECT, GROUP) XX(FENCE_AT, GROUP) \
    XX(CLAIM, HEAD) XX(CLAIM_ANSWER, HEAD) XX(CLAIMED, GROUP) \
    XX(RENEW, HEAD) XX(LEASE, GROUP) XX(REASSERT, GROUP) XX(RENEW_ANSWER, HEAD) XX(CANCEL, GROUP) \
    XX(APPLY, HEAD) XX(ENTRY, GROUP) XX(PAUSE, GROUP) \
    XX(TICK, HEAD) XX(TICK_ANSWER, HEAD) XX(VERDICT, GROUP) \
    XX(ARM, HEAD) XX(MARK, GROUP) XX(ARM_QUEUE, GROUP) XX(ARM_TYPE, GROUP) XX(OPEN, HEAD) XX(OPEN_WAIT, HEAD) \
    XX(REWIND, HEAD) XX(CLOCK, HEAD) XX(CLOCK_ANSWER, HEAD) \
    XX(CHECK, HEAD) XX(CHECK_MEMBERS, HEAD) XX(CHECK_FENCE, GROUP) XX(CHECKED, HEAD) XX(CHECKED_RECORD, GROUP) XX(WRONG, GROUP) XX(FOUND, GROUP) XX(CHECKED_COUNTS, HEAD) \
    XX(COUNT, GROUP) XX(MEND, HEAD) \
    XX(LIBRARY_CALL, HEAD) XX(LIBRARY_ANSWER, HEAD) \
    XX(RETRIEVE, HEAD) XX(FIND, HEAD) XX(LOOKUP, HEAD) XX(WINDOW, HEAD) XX(WHY, HEAD) XX(STATS, HEAD) XX(BLOCKED, HEAD) \
    XX(BEAT, HEAD) XX(SOURCE_BEAT, HEAD) XX(SOURCE_STATE, GROUP) \
    XX(ACTION_CREATE, HEAD) XX(ACTION_TAKE, HEAD) XX(ACTION_TAKEN, GROUP) XX(ACTION_OWNED, HEAD) XX(ACTION_FOUND, HEAD) \
    XX(ACTION_STEP, HEAD) XX(ACTION_FAILURE, GROUP) XX(ACTION_FAIL, HEAD) XX(ACTION_ABORT, HEAD) XX(ACTION_ANSWER, HEAD) \
    XX(ACTIONS, HEAD) XX(ACTION_STATE, READ) XX(ACTION_JOB, READ) XX(ACTION_SHOWN, READ) XX(ACTION_RUN, READ) \
    XX(HOLDER, HEAD) XX(PARKED, HEAD) XX(HELD, HEAD) \
    XX(STREAMED, INSIDE) XX(BATCH, INSIDE) XX(NAME_GONE, INSIDE) \
    XX(GATE, READ) XX(GATE_STATE, READ) XX(GATE_MARKS, READ) XX(GATE_ARMED, READ) XX(GATE_SWEEP, READ) \
    XX(GATE_KEEPING, READ) XX(GATE_SEEN, READ) XX(WORKER, READ) XX(WORKER_OUTAGES, READ) XX(COORDINATOR, READ) XX(SOURCE, READ) \
    XX(LOADED, READ) XX(CLAIMABLE, READ) XX(CLAIMABLE_PARENT, READ) XX(CLAIMABLE_MORE, READ) XX(TROUBLE, READ) XX(GRANTED, READ) XX(MEMBER, READ) XX(MEMBER_MORE, READ) XX(LEADER, READ) XX(LED_BY, READ) \
    XX(EXPIRING, READ) XX(LAID_ASIDE, READ) XX(SEQUENCED_BY, READ) XX(LANED_BY, READ) XX(NEXT, READ)

/* clang-format on */

#define WIRE_FIELD(layout, field, name) WIRE_##layout##_##field,
#define WIRE_ENUM(layout, kind)         enum { WIRE_##layout(WIRE_FIELD, layout) WIRE_##layout##_SIZE };
WIRE_LAYOUTS(WIRE_ENUM)
#undef WIRE_ENUM
#undef WIRE_FIELD

_Static_assert((int)WIRE_PAUSE_SIZE == (int)WIRE_ENTRY_SIZE, "entries of one call are of one size");
_Static_assert((int)WIRE_PARKED_TOKEN == (int)WIRE_ENTRY_TOKEN, "what is parked begins as an entry");

#endif
