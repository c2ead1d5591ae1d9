/* Arming: a new generation for shards that have none for the server we talk to. */
#ifndef BGOP_COORDINATOR_STATUS_ARMING_H
#define BGOP_COORDINATOR_STATUS_ARMING_H

#include "coordinator/source/gate_copies.h"
#include "coordinator/source/sources.h"
#include "coordinator/status/armed_settings.h"

struct arming {
    struct loop *loop;
    struct gate_copies *gates;             /* of those that were armed: as they are then */
    struct sources *sources;               /* of the status log; those that were armed are to be read again */
    const struct armed_settings *settings; /* what is written into a shard */
    struct kafka_consumer **intake_group;  /* asks for the intake group's offsets; opened at the first arming, kept */
    const int *shards;                     /* to be armed */
    int count;
    void (*on_armed)(void *arg, int shard); /* a shard was armed by us: what was known of it is void */
    void *arg;
};

/* Reads the control topic, fetches the marks, writes the generations, calls bgop_arm. A shard that somebody else armed
 * with a higher one is left as it is: the next step adopts it. ST_RECOVERING: Kafka is away. */
enum status shards_arm(const struct arming *arming, struct err *err) MUST_CHECK;
/* max(last in the control topic, the gate's, Redis' unix seconds) + 1. Pure. */
int64_t generation_next(int64_t control, int64_t gate, int64_t unix_seconds);

#endif
