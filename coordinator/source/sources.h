/* The partitions of one topic that a loop reads, seen from Kafka's side: where to start, pausing what must not be
 * read, and whether the log still is the one that was applied. The numbers lie in cursors.h. */
#ifndef BGOP_COORDINATOR_SOURCE_SOURCES_H
#define BGOP_COORDINATOR_SOURCE_SOURCES_H

#include "coordinator/source/cursors.h"
#include "coordinator/loop/loop.h"

enum {
    SOURCES_QUERY_MS = 5000,       /* longest wait for a broker's answer */
    SOURCES_HALTED_LOOK_MS = 3000, /* a HALTED source is compared again: a person may have decided */
};

/* What to do about partitions that were added to the submit topic. */
extern const char submit_surplus_advice[];

struct sources {
    struct loop *loop;
    struct kafka_consumer *consumer;
    const char *topic;
    enum log_kind kind;
    struct cursors cursors;
    const char *reload_why; /* a constant: why they are read again, or at all */
    bool brokers_away;      /* since they went, nothing is read: they may come back with another log */
    int owned;              /* sources that are not ABSENT */
    int turn;               /* of source_in_turn */
    struct notice *notices; /* [partitions] what was said of each source last */
};

void sources_init(struct sources *sources, struct loop *loop, enum log_kind kind, const char *topic, int partitions,
                  int shards);
void sources_release(struct sources *sources);

/* Ours now (not paused), or to be read again. */
void sources_assign(struct sources *sources, int partition);
void sources_revoke(struct sources *sources, int partition);
/* Every READY or HALTED source becomes LOADING. why: for the log. */
void sources_reload(struct sources *sources, const char *why);
/* The brokers went away (text: why), or are back (NULL). */
void sources_outage(struct sources *sources, const char *text);
/* The fences of a LOADING source are loaded: fetches the log's range, compares, and says where to start.
 * ST_INVALID: it is HALTED (logged). ST_AGAIN: it is LOADING still. */
enum status source_start(struct sources *sources, int partition, int64_t *start, struct err *err) MUST_CHECK;
/* Which to start at this place (from 0): behind the one whose log's range was not told last, so that a partition without a
 * leader does not keep the others waiting. */
int source_in_turn(const struct sources *sources, int place);
/* For on_assigned, behind source_start: where the consumer is to begin. */
int64_t source_position(struct sources *sources, int partition);
/* Halts a source: a person must decide. */
void source_halt(struct sources *sources, int partition, const char *text);
/* The cursors found that it cannot go on (REWRITTEN or HALTED): its fetching is to be stopped. text: why. */
void source_contradicted(struct sources *sources, int partition, const char *text);
/* The one place where it is told what became of a source: the log, and whoever shows the queue's state. Told once, as
 * long as nothing changes. text: why; of READY "". */
void source_announce(struct sources *sources, int partition, enum source_state state, const char *text);
int sources_in(const struct sources *sources, enum source_state state); /* how many are in that state */
/* Pauses what is not READY and puts the consumer where what is READY again goes on. Never inside a callback of the
 * consumer. */
void sources_settle(struct sources *sources);
/* Says how far every source was read, finds those whose log was found to end below that (log_ends.h), and compares those
 * again that are HALTED. */
void sources_check(struct sources *sources);

#endif
