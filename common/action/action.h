/* The record of an action in Redis: one thing done to many operations, or a pause, asked for by a person and run by
 * coordinators (coordinator/actions/README.md). Whoever asks for one creates it here and looks at it here; the rest is for
 * the coordinator that runs it. All of it is in shard 0 (common/functions/write/action.lua). */
#ifndef BGOP_ACTION_ACTION_H
#define BGOP_ACTION_ACTION_H

#include <jansson.h>

#include "common/query/ask.h"
#include "common/record/actions.h"
#include "common/record/id.h"
#include "common/record/tables.h"

/* -1: no such kind. */
int action_kind_find(const char *name);
const char *action_kind_name(enum action_kind kind);
/* "canceled" */
const char *action_done_word(enum action_kind kind);
/* Of operations; else of a Type or a ParentKey. */
bool action_is_of_operations(enum action_kind kind);

/* ---- asking for one ---- */
struct action_request { /* borrowed; texts that are absent are NULL or "" */
    enum action_kind kind;
    const char *where;             /* a condition, as behind WHERE of a query ... */
    const char (*ids)[ID_SIZE];    /* ... or so many Ids, at most ACTION_BOUND_IDS ... */
    size_t id_count;               /* ... */
    const char *type, *parent_key; /* ... or, of a pause or resume, one of these */
    const char *reason, *who;
    int64_t rate; /* operations a second; 0: as fast as it goes */
};
/* ST_INVALID: err says what is wrong with it, and what would be right. Texts of records are at most 255 characters. */
enum status action_check(const struct action_request *request, struct err *err) MUST_CHECK;
/* A name that no action had. */
void action_name_make(char name[ACTION_ID_SIZE]);
/* Creates it; the same name again changes nothing, so it may be repeated when an answer was lost. ST_RECOVERING: there is
 * no queue yet. */
enum status action_create(struct redis *redis, const char *name, const struct action_request *request,
                          struct err *err) MUST_CHECK;
/* No further step; one that has ended stays as it is. ST_MISSING: no such action. */
enum status action_abort(struct redis *redis, const char *name, const char *who, const char *reason,
                         struct err *err) MUST_CHECK;
/* bgop_actions: the newest (a number) or one (its name). *actions is an array, decref'd by the caller. */
enum status action_show(struct ask *ask, const char *which, json_t **actions) MUST_CHECK;

/* ---- running one ---- */
struct action_owner {
    char name[ACTION_ID_SIZE];
    const char *instance; /* borrowed */
    int64_t fence;
};
/* Those that this instance runs from now on, or still does: ACTION_BOUND_RUNNING at most. left: it gives all back. */
enum status action_take(struct redis *redis, const char *instance, bool left, struct action_owner *owners,
                        size_t *count, struct err *err) MUST_CHECK;

struct action_job { /* to be released */
    enum action_kind kind;
    char *where, *type, *parent_key, *reason; /* "" when absent */
    int64_t rate, started_ms, cursor;
    int64_t matching; /* -1: not all were found yet */
};
enum status action_load(struct redis *redis, const char *name, struct action_job *job, struct err *err) MUST_CHECK;
void action_job_release(struct action_job *job);

/* *runs false: the action has ended meanwhile. ST_STALE: it has another owner, or stands elsewhere. */
enum status action_found(struct redis *redis, const struct action_owner *owner, int64_t from, bool last,
                         const char *ids, size_t size, bool *runs, struct err *err) MUST_CHECK;
/* The Ids from the cursor to the end of its chunk; *count at most ACTION_BOUND_CHUNK. ST_STALE: they are not there. */
enum status action_ids(struct redis *redis, const char *name, int64_t cursor, char (*ids)[ID_SIZE], size_t *count,
                       struct err *err) MUST_CHECK;
struct action_failure {
    const char *id, *text;
};
struct action_step {
    int64_t from;
    size_t done, skipped, failed;
    struct action_failure failures[ACTION_BOUND_FAILURES]; /* of failed ones the first */
    size_t failure_count;
};
enum status action_step(struct redis *redis, const struct action_owner *owner, const struct action_step *step,
                        bool *runs, struct err *err) MUST_CHECK;
enum status action_fail(struct redis *redis, const struct action_owner *owner, const char *text,
                        struct err *err) MUST_CHECK;

#endif
