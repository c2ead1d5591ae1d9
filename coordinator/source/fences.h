/* Fences as Redis has them, read into the cursors of a loop's LOADING sources. Those of a server that is away are left out:
 * their shards wait. */
#ifndef BGOP_COORDINATOR_SOURCE_FENCES_H
#define BGOP_COORDINATOR_SOURCE_FENCES_H

#include "coordinator/source/waiting.h"

/* Submit: every shard's fence of every LOADING source. Status: the one fence of each; its partition is the shard. All shards
 * pipelined. */
enum status fences_load(struct sources *sources, struct gate_copies *gates, struct err *err) MUST_CHECK;

#endif
