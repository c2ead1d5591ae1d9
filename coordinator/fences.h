/* Fences as Redis has them, read into the cursors of a loop's LOADING sources. */
#ifndef BGOP_COORDINATOR_FENCES_H
#define BGOP_COORDINATOR_FENCES_H

#include "coordinator/sources.h"

/* Submit: every shard's fence of every LOADING source, all shards pipelined. */
enum status fences_load_submit(struct redis *redis, struct sources *sources, struct err *err) MUST_CHECK;
/* Status: the one fence of each LOADING source; its partition is the shard. */
enum status fences_load_status(struct redis *redis, struct sources *sources, struct err *err) MUST_CHECK;
/* The epoch of each submit partition as a number (bgop:epochs; absent: 0). epochs[partitions]. */
enum status epochs_load(struct redis *redis, char *epochs, int partitions, struct err *err) MUST_CHECK;

#endif
