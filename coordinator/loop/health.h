/* What this process says of itself in Redis, so that nothing is silent: that it runs, which outages it sees, and how the
 * partitions it reads are. Loops note changes here (they are rare); a thread of its own tells them (health_beat.h). What is
 * made of it: common/functions/read/health.lua. */
#ifndef BGOP_COORDINATOR_LOOP_HEALTH_H
#define BGOP_COORDINATOR_LOOP_HEALTH_H

#include <pthread.h>

#include "common/record/health.h"
#include "coordinator/loop/log_ends.h"

enum { HEALTH_WHY_SIZE = 512 };

/* HEALTH_ABSENT: read by nobody here. */
enum health_state {
    HEALTH_ABSENT,
#define XX(name) HEALTH_##name,
    HEALTH_STATES(XX)
#undef XX
};

struct health_source {
    enum health_state state;
    char why[HEALTH_WHY_SIZE];
};

struct health {
    pthread_mutex_t lock;
    struct health_source *of[LOG_KIND_COUNT]; /* [partitions], under the lock */
    int count[LOG_KIND_COUNT];
};

void health_init(struct health *health, int submit_partitions, int shards);
void health_release(struct health *health);
/* Whoever sets a source's state says so; why: a text for people, "" when there is nothing to say. */
void health_note(struct health *health, enum log_kind kind, int partition, enum health_state state, const char *why);

/* How far a partition's reader has come, as it was seen last. Zeroed at first. */
struct health_progress {
    int64_t read, since_ms;
};
/* Have messages waited behind this position for HEALTH_SOURCE_LAGGING_MS, without its having moved? end: of the log, as known;
 * read -1: nobody reads it at the moment. */
bool health_lags(struct health_progress *progress, int64_t read, int64_t end, int64_t now_ms);

#endif
