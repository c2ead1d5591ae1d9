/* Fences as Redis has them, read into the cursors of a loop's LOADING sources. */
#ifndef BGOP_COORDINATOR_SOURCE_FENCES_H
#define BGOP_COORDINATOR_SOURCE_FENCES_H

#include "coordinator/source/sources.h"

/* Submit: every shard's fence of every LOADING source, all shards pipelined. */
enum status fences_load_submit(struct redis *redis, struct sources *sources, struct err *err) MUST_CHECK;
/* Status: the one fence of each LOADING source; its partition is the shard. */
enum status fences_load_status(struct redis *redis, struct sources *sources, struct err *err) MUST_CHECK;

#endif
