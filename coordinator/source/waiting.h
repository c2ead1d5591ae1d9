/* Shards that wait because their server is away, while those of other servers go on (gate_copies.h says which). What is read
 * for them is passed over, and read again from their fences when the server, or another in its place, is there:
 *
 *   status    the partition is the shard's: its source is LOADING, which pauses it
 *   submit    a partition has messages for all shards: it is read on for the others, and the shard's are left out. Its
 *             cursors stay where they are, and so does everything that is said of the whole partition (what is done, idle
 *             fences, the group's position). Behind it the source is loaded and read again; the others skip what they have */
#ifndef BGOP_COORDINATOR_SOURCE_WAITING_H
#define BGOP_COORDINATOR_SOURCE_WAITING_H

#include "coordinator/source/gate_copies.h"
#include "coordinator/source/sources.h"

/* An answer of this shard failed with `why`. true: only its server is away, and the shard waits from now on. */
bool shard_waits(struct sources *sources, struct gate_copies *gates, int shard, const struct err *why);
/* Behind every reading of the gates: shards of servers that were found to be away wait, those of a server that is back do not
 * any more. */
void sources_wait(struct sources *sources, const struct gate_copies *gates);

#endif
