/* The record's tables: the single source of truth for fields, statuses and Types. What they mean is told in README.md
 * beside this file. Everything that names one of them is made from here: the Lua tables of the Redis Functions
 * (generated at build), describe, parsers, help texts; README's tables are compared with it by a test. */
#ifndef BGOP_RECORD_TABLES_H
#define BGOP_RECORD_TABLES_H

#include <stdbool.h>
#include <stdint.h>

/* Field properties of the record: filter, group, sort, idLookup, nillable, restricted picklist. */
enum {
    FIELD_F = 1u << 0,
    FIELD_G = 1u << 1,
    FIELD_S = 1u << 2,
    FIELD_L = 1u << 3,
    FIELD_N = 1u << 4,
    FIELD_R = 1u << 5,
};
enum field_type { FIELD_ID, FIELD_BOOLEAN, FIELD_STRING, FIELD_PICKLIST, FIELD_INT, FIELD_DATETIME, FIELD_REFERENCE };

/* The times of an operation, in the order in which they pass. Redis' clock gives all of them but ProcessAfter.
 *
 *   SubmittedAt     once, when it is recorded (CreatedDate is the same)
 *   ProcessAfter    given with the submission, or null; never changes. Until then the operation is Scheduled
 *   StartedAt       anew at each claim
 *   (deadline)      StartedAt + Timeout; the worker's to enforce, and not in the record
 *   (lease end)     the claim or its last renewal + lease_ms; in the index `running`, not in the record
 *   FinishedAt      when an attempt ended in Complete or Error: StartedAt + the run's length as the worker measured it.
 *                   Null again while a retry is released
 *   (next attempt)  of an Error with retries left: its score in the index `due`; bgop_why returns it
 *   ExpiresAt       set by the change that is final: end + the Type's retention. The record is removed some time after
 *   SystemModstamp  with every change of anything that can be seen (LastModifiedDate is the same) */

/*     enum name          Name on the wire  type       properties                                      label */
/* clang-format off */
#define RECORD_FIELDS(XX)                                                                                            \
    XX(ID,               Id,               ID,        FIELD_F|FIELD_G|FIELD_S|FIELD_L,                   "Background Operation ID") \
    XX(IS_DELETED,       IsDeleted,        BOOLEAN,   FIELD_F|FIELD_G|FIELD_S,                           "Deleted")                 \
    XX(NAME,             Name,             STRING,    FIELD_F|FIELD_G|FIELD_S|FIELD_L,                   "Name")                    \
    XX(CREATED_DATE,     CreatedDate,      DATETIME,  FIELD_F|FIELD_S,                                   "Created Date")            \
    XX(LAST_MODIFIED_DATE, LastModifiedDate, DATETIME, FIELD_F|FIELD_S,                                  "Last Modified Date")      \
    XX(SYSTEM_MODSTAMP,  SystemModstamp,   DATETIME,  FIELD_F|FIELD_S,                                   "System Modstamp")         \
    XX(SUBMITTED_AT,     SubmittedAt,      DATETIME,  FIELD_F|FIELD_N|FIELD_S,                           "Submitted")               \
    XX(STATUS,           Status,           PICKLIST,  FIELD_F|FIELD_G|FIELD_N|FIELD_R|FIELD_S,           "Status")                  \
    XX(EXECUTION_GROUP,  ExecutionGroup,   STRING,    FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Execution Group")         \
    XX(SEQUENCE_GROUP,   SequenceGroup,    STRING,    FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Sequence Group")          \
    XX(SEQUENCE_NUMBER,  SequenceNumber,   INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Sequence Number")         \
    XX(GROUP_LEADER_ID,  GroupLeaderId,    REFERENCE, FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Background Operation ID") \
    XX(STARTED_AT,       StartedAt,        DATETIME,  FIELD_F|FIELD_N|FIELD_S,                           "Started")                 \
    XX(FINISHED_AT,      FinishedAt,       DATETIME,  FIELD_F|FIELD_N|FIELD_S,                           "Finished")                \
    XX(WORKER_URI,       WorkerUri,        STRING,    FIELD_F|FIELD_G|FIELD_L|FIELD_N|FIELD_S,           "Worker URI")              \
    XX(TIMEOUT,          Timeout,          INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Timeout")                 \
    XX(EXPIRES_AT,       ExpiresAt,        DATETIME,  FIELD_F|FIELD_N|FIELD_S,                           "Expires")                 \
    XX(NUM_FOLLOWERS,    NumFollowers,     INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Num Followers")           \
    XX(PROCESS_AFTER,    ProcessAfter,     DATETIME,  FIELD_F|FIELD_N|FIELD_S,                           "Process After")           \
    XX(PARENT_KEY,       ParentKey,        STRING,    FIELD_F|FIELD_G|FIELD_L|FIELD_N|FIELD_S,           "Parent Key")              \
    XX(RETRY_LIMIT,      RetryLimit,       INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Retry Limit")             \
    XX(RETRY_COUNT,      RetryCount,       INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Retry Count")             \
    XX(RETRY_BACKOFF,    RetryBackoff,     INT,       FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Retry Backoff")           \
    XX(ERROR,            Error,            STRING,    FIELD_F|FIELD_G|FIELD_N|FIELD_S,                   "Error Message")           \
    XX(TYPE,             Type,             PICKLIST,  FIELD_F|FIELD_G|FIELD_N|FIELD_R|FIELD_S,           "Type")
/* clang-format on */

/* A status, and the lists on which its operations stand. Names are those of the keys bgop:{shard}:<list>
 * (common/functions/README.md); `doctor` checks all of it (common/functions/doctor/check.lua).
 *
 *   New        pending:<Type> when its turn has come. Before that: lane:<...> while it waits for its turn in a lane,
 *              only seq:<...> while its sequence group holds it back
 *   Scheduled  due, at ProcessAfter
 *   Waiting    as New; or aside:<...> while a pause holds it back
 *   Running    leases and running; cancels when a cancel was asked for; lane_out:<...> and seq_active:<...> where it
 *              has a lane, a sequence group
 *   Merged     while its leader runs: group:<ExecutionGroup>, and seq_active:<...>. Then only done:<retention>
 *   Error      errors. With retries left also due, at its next attempt; final: done:<retention>, or seq_failed:<...> and
 *              blocked while it holds its sequence group
 *   Complete   done:<retention>
 *   Canceled   done:<retention>
 *
 * In every status: born (the order of submission), parent:<ParentKey>, names when it was given a Name, worker:<uri>
 * after its first attempt; seq:<...> until its place in the sequence group is settled. */

/*     enum name   Name on the wire   terminal: no further change by itself (a person may redrive an Error) */
/* clang-format off */
#define RECORD_STATUSES(XX)     \
    XX(NEW,        New,       false)  \
    XX(SCHEDULED,  Scheduled, false)  \
    XX(CANCELED,   Canceled,  true)   \
    XX(MERGED,     Merged,    true)   \
    XX(WAITING,    Waiting,   false)  \
    XX(RUNNING,    Running,   false)  \
    XX(ERROR,      Error,     true)   \
    XX(COMPLETE,   Complete,  true)
/* clang-format on */

/*     Type                        RetryBackoff ms  RetryLimit  Timeout ms  merge_max  reserved (refused at submission) */
/* clang-format off */
#define RECORD_TYPES(XX)                                                        \
    XX(BlockchainEventPoller,         1000,           3,      60000,      1,     false) \
    XX(CdpMetadataDeploy,             5000,           5,      900000,     1,     false) \
    XX(ExternalChangeDataCapture,     5000,           5,      900000,     1,     false) \
    XX(ExternalConnectivityPoller,    1000,           3,      60000,      1,     true)  \
    XX(ExternalObject,                1000,           5,      120000,     100,   false) \
    XX(ExternalObjectSync,            5000,           5,      900000,     1,     false) \
    XX(ExternalServiceCallback,       1000,           8,      30000,      1,     false) \
    XX(SiteTaskCreate,                10000,          3,      900000,     1,     false) \
    XX(SiteTaskPublish,               10000,          3,      900000,     1,     false) \
    XX(Sweeper,                       1000,           3,      60000,      1,     false) \
    XX(WebCart,                       1000,           3,      60000,      1,     false) \
    XX(XClean,                        1000,           3,      60000,      1,     false)
/* clang-format on */

/* Limits of the record: strings in characters, ints in digits. */
enum {
    RECORD_STRING_MAX_CHARACTERS = 255,
    RECORD_STRING_SIZE = 255 * 4 + 1, /* bytes, with the NUL */
    RECORD_INT_MAX = 999999999,
};

enum field_index {
#define XX(id, name, type, properties, label) FIELD_INDEX_##id,
    RECORD_FIELDS(XX)
#undef XX
        FIELD_COUNT
};
enum op_status {
#define XX(id, name, terminal) OP_##id,
    RECORD_STATUSES(XX)
#undef XX
        OP_STATUS_COUNT
};

struct record_field {
    const char *name;
    enum field_type type;
    unsigned properties;
    const char *label;
};
struct record_status {
    const char *name;
    bool terminal;
};
struct record_type {
    const char *name;
    int32_t retry_backoff_ms, retry_limit, timeout_ms, merge_max;
    bool reserved;
};

extern const struct record_field record_fields[FIELD_COUNT];
extern const struct record_status record_statuses[OP_STATUS_COUNT];
extern const struct record_type record_types[];
extern const int record_type_count;

const struct record_field *record_field_find(const char *name); /* exact; NULL: no such field */
const struct record_type *record_type_find(const char *name);
int record_status_find(const char *name); /* enum op_status or -1 */

#endif
