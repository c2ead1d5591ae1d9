/* Actions: one thing done to many operations (or a pause), as a record that the coordinators work off
 * (coordinator/actions/README.md). One table of their kinds, states and bounds, for C and for Lua
 * (common/functions/constants_lua.c, tables_lua.c). */
#ifndef BGOP_RECORD_ACTIONS_H
#define BGOP_RECORD_ACTIONS_H

/* clang-format off */
/* XX(id, name, what was done to one, is it of operations or, with a Type or a ParentKey, of what starts?) */
#define ACTION_KINDS(XX) \
    XX(CANCEL,  cancel,  "canceled", true) \
    XX(REDRIVE, redrive, "redriven", true) \
    XX(PAUSE,   pause,   "paused",   false) \
    XX(RESUME,  resume,  "resumed",  false)

/* XX(name, does it still go on?) */
#define ACTION_STATES(XX) \
    XX(Running,  true) \
    XX(Complete, false) \
    XX(Aborted,  false) \
    XX(Error,    false)

/* XX(id, number, what it bounds) */
#define ACTION_BOUNDS(XX) \
    XX(KEPT,       1000,     "actions that have ended are kept, the newest; older ones go when another is created") \
    XX(KEPT_DAYS,  30,       "days that one is kept at most") \
    XX(RUNNING,    100,      "actions may go on at once; one more is refused") \
    XX(CHUNK,      500,      "Ids in one field of `action_ids`, and operations of one step at most") \
    XX(IDS,        10000,    "operations may be named by their Ids") \
    XX(LEASE_MS,   5000,     "ms without a sign of life of the coordinator that runs it, after which another takes it over") \
    XX(FAILURES,   20,       "operations that could not be acted on are told with the reason, the first ones") \
    XX(RATE,       1000000,  "operations a second may be asked for") \
    XX(TEXT,       1020,     "bytes of a reason, a Type, a ParentKey (255 characters)") \
    XX(WHO,        80,       "bytes of who asked") \
    XX(WHERE,      100000,   "bytes of a condition")
/* clang-format on */

enum action_kind {
#define XX(id, name, done, operations) ACTION_##id,
    ACTION_KINDS(XX)
#undef XX
        ACTION_KIND_COUNT
};
enum {
#define XX(id, number, text) ACTION_BOUND_##id = number,
    ACTION_BOUNDS(XX)
#undef XX
        ACTION_ID_SIZE = 24, /* "act" and 16 letters and digits that nobody has made before */
};

#endif
