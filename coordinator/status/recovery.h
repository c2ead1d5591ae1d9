/* Bringing shards into service (deploy/RELIABILITY.md says why): a shard whose gate is not armed for the server we talk
 * to is armed with a new generation, its logs are replayed up to the marks, then it is opened. Only the loop that owns
 * a shard's status partition does this; one that finds the gate in order adopts it.
 *
 *   not armed --arm--> RECOVERING --marks reached--> OPEN
 *
 * Submissions come first: a recovering shard's status log is read only when its submit fences have reached their marks,
 * so that few outcomes are met before their operation (those that are wait parked). */
#ifndef BGOP_COORDINATOR_STATUS_RECOVERY_H
#define BGOP_COORDINATOR_STATUS_RECOVERY_H

#include "coordinator/status/apply.h"
#include "coordinator/status/armed_settings.h"
#include "coordinator/status/timers.h"

struct recovery {
    struct loop *loop;
    struct gate_copies *gates;
    struct sources *sources;
    struct applier *applier;
    struct timers *timers;
    struct clock_watch *clocks;
    struct armed_settings settings;
    struct kafka_consumer *intake_group; /* asks for the intake group's offsets; opened at the first arming */
    bool *compared;                      /* [shards] its settings were compared since it was taken over */
    bool *submits_replayed;              /* [shards] its submit fences have reached the marks */
    int *list, *arming, *recovering;     /* [shards] of this step */
    int list_count, arming_count, recovering_count;
    uint64_t connection; /* whose server was found to be ours (genesis); 0: none */
};

void recovery_init(struct recovery *recovery, struct reader *reader, struct applier *applier, struct timers *timers);
void recovery_release(struct recovery *recovery);
/* A shard was taken over, or given up: nothing is known of it. */
void recovery_reset(struct recovery *recovery, int shard);

/* Reads the gates of the owned shards again when it is time to (or `now`), and brings each shard one step on. */
enum status recovery_step(struct recovery *recovery, bool now, struct err *err) MUST_CHECK;
/* May this shard's status log be read? */
bool recovery_readable(const struct recovery *recovery, int shard);

#endif
