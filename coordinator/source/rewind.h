/* Kafka went backwards: a partition's log lost its tail, or was made again. What was applied of it and the log are the
 * same up to some offset; from there on the log is read anew.
 *
 *   1. find the last common point (common_point.h)
 *   2. write to the control topic that history was rewritten from there on; of submit with a new epoch
 *   3. write the same to Redis (epochs.h)
 *   4. put back the fences of all shards that stand above it: bgop_rewind, which compares and sets
 *
 * Then the source is loaded as ever. Everything may be done twice, by two coordinators as well: a message that was
 * recorded is recognised by Id and checksum, and outcomes by their token. Who dies in between is followed by another who
 * finds the same, or finishes the fences (`pending`). Recorded operations that Kafka lost keep their Ids, and run. */
#ifndef BGOP_COORDINATOR_SOURCE_REWIND_H
#define BGOP_COORDINATOR_SOURCE_REWIND_H

#include "coordinator/source/epochs.h"
#include "coordinator/source/reader.h"

struct rewinder {
    struct loop *loop;
    struct gate_copies *gates;
    struct sources *sources;
    struct epochs *epochs; /* of submit, as last read; NULL: the status log, whose partitions are shards */
    int64_t *noted_at_ms;  /* [partitions] of the last point (points.h) */
};

void rewinder_init(struct rewinder *rewinder, struct reader *reader, struct epochs *epochs);
void rewinder_release(struct rewinder *rewinder);

/* A REWRITTEN source, whose fences are loaded: ST_OK: it is LOADING. ST_INVALID: it is HALTED, a person must decide.
 * ST_AGAIN, ST_FENCED: nothing is decided, try again. */
enum status source_rewind(struct rewinder *rewinder, int partition, struct err *err) MUST_CHECK;
/* All REWRITTEN sources, one after the other; ST_AGAIN: some still are. */
enum status sources_rewind(struct rewinder *rewinder, struct err *err) MUST_CHECK;
/* A LOADING source of submit, whose fences are loaded, was to be put back by somebody who did not finish. true: it was
 * (or could not be: *err), and its fences are to be loaded again. */
bool source_rewind_pending(struct rewinder *rewinder, int partition, struct err *err);
/* Writes a rewriting to the control topic. topic: without the prefix; epoch->number 0: of a topic that has none. */
enum status rewind_record(struct loop *loop, const char *topic, int partition, const struct epoch *epoch,
                          struct err *err) MUST_CHECK;
/* Counts and logs one that is done. topic: with the prefix. */
void rewind_report(struct loop *loop, const char *topic, int partition, const struct epoch *epoch, int64_t log_end);
/* Notes what was applied last of every READY source, once a second. */
void sources_note_points(struct rewinder *rewinder);

#endif
