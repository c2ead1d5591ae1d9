/* How far each shard has come in each partition that a loop reads: the fences of Redis, as this loop knows them.
 *
 * A source is one partition of a topic (submit, or status with a single shard). Its messages are read in order from
 * the smallest position that still matters; a message is for a shard only when it is not below that shard's cursor.
 * Beside each cursor lies the fingerprint of the last message below it. Reading starts at the smallest fingerprint,
 * and each is compared in passing: a log that went backwards or was rewritten is found before anything is applied.
 * Positions are those of Kafka (a message's offset + 1, or the end of the log when it was reached): offsets may jump.
 *
 * Pure: no clock, no server. Errors say what is wrong and what a person can do. */
#ifndef BGOP_COORDINATOR_SOURCE_CURSORS_H
#define BGOP_COORDINATOR_SOURCE_CURSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/redis/functions.h"

enum source_state {
    SOURCE_ABSENT,  /* not ours */
    SOURCE_LOADING, /* ours; its fences must be read (again) before a message of it may be used */
    SOURCE_READY,
    SOURCE_REWRITTEN, /* the log is not the one that was applied: it is to be rewound (rewind.h) */
    SOURCE_HALTED,    /* Kafka and the fences disagree, and only a person can know what to do */
};

/* What the consumer does with a source; written by sources.c. */
enum source_fetching {
    FETCH_RUNNING,   /* from `read` on, once the source is READY */
    FETCH_ELSEWHERE, /* it runs, but not at `read`: to be sought */
    FETCH_PAUSED,
};

struct cursor {
    int64_t next;                   /* the stored fence: the first offset not yet applied */
    struct fingerprint fingerprint; /* as stored beside it */
    bool verified;                  /* the log holds that message still, or held it until retention took it */
    bool waits;                     /* until it is loaded again; next may not be known (waiting.h) */
    int64_t moved_at_ms;            /* when next was last moved or seen at the end (caller's clock) */
};

struct source {
    enum source_state state;
    enum source_fetching fetching;
    enum source_state told;       /* written by the caller: what the queue's health was told of it */
    int64_t read;                 /* position: where the next message will come from */
    int64_t done;                 /* everything below it is applied; <= read */
    struct fingerprint read_last; /* of the last message below read; offset -1: none was read */
    struct fingerprint done_last; /* of the last message below done */
    int unverified;               /* cursors whose fingerprint was not yet compared */
    int waiting;                  /* cursors that wait; while any does, done stands still */
    int64_t noted;                /* written by the caller: the offset of the last point noted (points.h) */
    struct cursor *cursors;       /* [shards] */
};

struct cursors {
    int partitions, shards;
    const char *topic;      /* for messages; kept by pointer */
    struct source *sources; /* [partitions] */
};

#define FINGERPRINT_NONE ((struct fingerprint){ .offset = -1 })

void cursors_init(struct cursors *cursors, const char *topic, int partitions, int shards);
void cursors_release(struct cursors *cursors);

/* Is there such a partition? To be asked of every number that comes from outside: Redis, a message. (Kafka's are below
 * `partitions` by kafka_subscription.) */
bool cursors_has_partition(const struct cursors *cursors, int partition);

/* ---- a source's life ---- */
/* Ours from now on, or to be read again: LOADING, all cursors as if never moved. */
void cursors_assign(struct cursors *cursors, int partition);
void cursors_revoke(struct cursors *cursors, int partition);
/* One stored fence of a LOADING source. */
void cursors_load(struct cursors *cursors, int partition, int shard, const struct fence *fence, int64_t now_ms);
/* All fences are loaded: answers where to start reading, given the log's first and next offset, and makes it READY.
 * ST_INVALID: the source is REWRITTEN or HALTED, err says why. What *warning says, if anything, is worth a log line. */
enum status cursors_start(struct cursors *cursors, int partition, int64_t log_start, int64_t log_end, int64_t *start,
                          struct err *warning, struct err *err) MUST_CHECK;
void cursors_halt(struct cursors *cursors, int partition);
/* The log was found to be another: REWRITTEN. */
void cursors_rewritten(struct cursors *cursors, int partition);

/* ---- reading ---- */
/* The next message of a READY source was read. ST_INVALID: it is not the one that was applied: REWRITTEN. */
enum status cursors_pass(struct cursors *cursors, int partition, const struct fingerprint *message,
                         struct err *err) MUST_CHECK;
/* The end of the log was reached. ST_INVALID: a message that was applied is not there: REWRITTEN. */
enum status cursors_end(struct cursors *cursors, int partition, int64_t log_end, struct err *err) MUST_CHECK;
/* Is the message at this offset still to be applied in this shard? */
bool cursors_is_pending(const struct cursors *cursors, int partition, int shard, int64_t offset);

/* ---- shards that wait (waiting.h) ---- */
/* Messages for this shard are passed over, until the sources are loaded again. */
void cursors_wait(struct cursors *cursors, int shard);
bool cursors_waits(const struct cursors *cursors, int shard); /* in any source */

/* ---- applying ---- */
/* The fence was moved by a call of ours. */
void cursors_move(struct cursors *cursors, const struct fence_move *move, int shard, int64_t now_ms);
/* The fence refused: it stands here. Above our cursor: another loop was first, its messages are skipped. Below: what
 * lies between was missed; the source is LOADING (to be read again from its fences), nothing more of it is wanted. */
void cursors_refused(struct cursors *cursors, int shard, const struct fence *fence, int64_t now_ms);
/* All that was read is applied; but when some cursor waits. */
void cursors_done(struct cursors *cursors, int partition);

/* ---- idle fences: shards that nothing is for ---- */
/* Is a cursor of this shard more than max_messages behind what is done, or behind at all for max_age_ms? */
bool cursors_behind(const struct cursors *cursors, int shard, int64_t max_messages, int64_t max_age_ms, int64_t now_ms);
/* The move that brings one cursor up to what is done; false: it is there, or must not move. */
bool cursors_idle_move(const struct cursors *cursors, int partition, int shard, struct fence_move *move);
/* The moves that bring all of a shard's cursors up to what is done. moves has room for every partition. */
size_t cursors_idle_moves(const struct cursors *cursors, int shard, struct fence_move *moves);

#endif
