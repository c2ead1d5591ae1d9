/* Brings a batch into Redis: one bgop_ingest per shard and round, all shards of a round pipelined, until every item is
 * applied, skipped (somebody applied it before) or refused. The only place that moves submit fences. */
#ifndef BGOP_COORDINATOR_INTAKE_INGEST_H
#define BGOP_COORDINATOR_INTAKE_INGEST_H

#include "coordinator/intake/batch.h"
#include "coordinator/intake/rejects.h"
#include "coordinator/intake/removed.h"
#include "coordinator/intake/scheduled.h"
#include "coordinator/source/reader.h"

enum {
    INGEST_MAX_ITEMS = 128, /* in one call: a claim that comes meanwhile waits for one, that is a millisecond or two */
    INGEST_PATIENCE_MS = 3000, /* then the batch is dropped and read again from the fences */
    IDLE_MAX_MESSAGES = 10000, /* idle fences move when they are this far behind ... */
    IDLE_MAX_MS = 60000,       /* ... or were not moved for so long */
};

struct ingester {
    struct loop *loop;
    struct gate_copies *gates;
    struct sources *sources;
    const struct epochs *epochs;
    struct removed removed;
    struct scheduled *scheduled;
    struct rejects *rejects;   /* Names taken by other content, found by Redis */
    struct ingest_call *calls; /* [shards] */
    bool *uncertain;           /* [shards] a call was sent whose answer was lost */
    bool *one_by_one;          /* [shards] Redis called a call invalid: find out which item it is */
    int *shards;               /* [shards] those of this round */
};

void ingester_init(struct ingester *ingester, struct reader *reader, struct rejects *rejects,
                   struct scheduled *scheduled, const struct epochs *epochs);
void ingester_release(struct ingester *ingester);

/* ST_OK: the batch is through, and the rejects that Redis found are in Kafka. ST_FENCED, ST_AGAIN: some of
 * it is not: drop it and load the fences again. */
enum status ingest_batch(struct ingester *ingester, struct batch *batch, struct err *err) MUST_CHECK;
/* Moves the idle fences of all shards that are behind: by the bounds above, or at all for shards that recover (their
 * marks wait for it) and when everything is to be moved (at revoke). */
enum status ingest_idle(struct ingester *ingester, bool everything, struct err *err) MUST_CHECK;

#endif
