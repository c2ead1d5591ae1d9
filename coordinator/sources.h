/* The partitions of one topic that a loop reads, seen from Kafka's side: where to start, pausing what must not be
 * read, and whether the log still is the one that was applied. The numbers lie in cursors.h. */
#ifndef BGOP_COORDINATOR_SOURCES_H
#define BGOP_COORDINATOR_SOURCES_H

#include "coordinator/cursors.h"
#include "coordinator/loop.h"

enum {
    SOURCES_ASK_MS = 5000,                  /* longest wait for a broker's answer */
};

struct sources {
    struct loop *loop;
    struct kafka_consumer *consumer;
    const char *topic;
    enum log_kind kind;
    struct cursors cursors;
    int owned;                              /* sources that are not ABSENT */
    bool unsettled;                         /* something is to be paused or resumed: see sources_settle */
};

void sources_init(struct sources *sources, struct loop *loop, enum log_kind kind, const char *topic, int partitions,
                  int shards);
void sources_release(struct sources *sources);

/* Ours now (not paused), or to be read again. */
void sources_assign(struct sources *sources, int partition);
void sources_revoke(struct sources *sources, int partition);
/* Every READY or HALTED source becomes LOADING. why: for the log. */
void sources_reload(struct sources *sources, const char *why);
/* The fences of a LOADING source are loaded: asks for the log's range, compares, and answers where to start.
 * ST_INVALID: it is HALTED (logged). ST_AGAIN: it is LOADING still. */
enum status source_start(struct sources *sources, int partition, int64_t *start, struct err *err) MUST_CHECK;
/* For on_assigned, behind source_start: where the consumer is to begin. */
int64_t source_position(struct sources *sources, int partition);
/* Halts a source, with one line in the log that says what is wrong. */
void source_halt(struct sources *sources, int partition, const char *text);
int sources_in(const struct sources *sources, enum source_state state);     /* how many are in that state */
/* Pauses what is not READY and puts the consumer where what is READY again goes on. Never inside a callback of the
 * consumer. */
void sources_settle(struct sources *sources);
/* Says how far every source was read, and halts those whose log was found to end below that (log_ends.h). */
void sources_check(struct sources *sources);

#endif
