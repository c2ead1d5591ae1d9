/* How a loop reads its topic as a member of a group, and what both loops do alike about it. A turn has these phases;
 * what only makes sense in their order is named here, and nowhere else:
 *
 *   settle    Sources that are not READY are paused; those that became READY are sought and resumed (source.fetching).
 *             Not possible inside the consumer's events, so these only change states.
 *   collect   Messages are polled into a batch. The consumer's events happen inside the poll: partitions come and go,
 *             then `interrupted` is true, and what was collected before is dropped: what is still ours of it is read
 *             again.
 *   apply     The batch is brought to Redis in rounds (round.h), which moves fences and cursors on. A failure, or a
 *             gate that is not as its copy, drops the batch and makes sources LOADING.
 *   store     What is applied (all of the batch, of sources that are READY still) is stored as the group's position.
 *
 * Between turns no message is held. A source goes through them in its own life: assigned (LOADING), its fences loaded
 * and its start found (READY), then read until it is revoked, halted, or LOADING again. */
#ifndef BGOP_COORDINATOR_SOURCE_READER_H
#define BGOP_COORDINATOR_SOURCE_READER_H

#include "coordinator/source/gate_copies.h"
#include "coordinator/source/messages.h"
#include "coordinator/source/sources.h"

struct reader {
    struct loop *loop;
    void *owner; /* what reads: for its own events */
    struct kafka_consumer *consumer;
    char topic[TOPIC_SIZE];
    struct sources sources;   /* the topic's partitions */
    struct gate_copies gates; /* of all shards */
    bool interrupted;         /* while collecting: partitions came or went, see reader_interrupted */
};

/* name: "submit"; the topic has so many partitions, and each is for so many shards. */
void reader_init(struct reader *reader, void *owner, struct loop *loop, enum log_kind kind, const char *name,
                 int partitions, int shards);
/* Joins the group <prefix>-<group>. events: on_assigned and on_revoked, whose `arg` is the reader and which do what is
 * said below; the others are ours, unless on_out_of_range or on_outage is given. */
enum status reader_open(struct reader *reader, const char *group, const struct kafka_subscription *topics, size_t count,
                        struct kafka_consumer_events events, struct err *err) MUST_CHECK;
/* Leaves the group; the last events are told. */
void reader_close(struct reader *reader);
void reader_release(struct reader *reader);

/* ---- the consumer's events; partitions of other topics are passed over ---- */
/* Ours now, LOADING. To be followed by loading what can be loaded, then by reader_position. */
void reader_assign(struct reader *reader, const struct kafka_position *positions, size_t count);
/* Where each begins: what is READY from its fences, everything else (paused before it is read) where the group is. */
void reader_position(struct reader *reader, struct kafka_position *positions, size_t count);
void reader_revoke(struct reader *reader, const struct kafka_position *positions, size_t count);
void reader_out_of_range(void *reader, const char *topic, int partition, const char *text);
void reader_outage(void *reader, const char *text);

/* ---- collecting ---- */
/* The next message; waits for it so long, or until the loop is woken. Its caller has said wake_prepare. */
bool reader_next(struct reader *reader, int wait_ms, struct kafka_message *message);
/* Did partitions come or go since the last call? Then what was collected before is to be dropped. */
bool reader_interrupted(struct reader *reader);
/* Is this message of the topic to be dealt with? true: here is its fingerprint; false: it is released. A message that
 * contradicts what was applied stops its partition. */
bool reader_accept(struct reader *reader, struct kafka_message *message, struct fingerprint *fingerprint);

/* ---- storing ---- */
/* All that was collected is applied, but of sources that are not READY any more. */
void reader_store(struct reader *reader);
/* The same of one partition of any topic; `next` is read next. */
void reader_store_position(struct reader *reader, const char *topic, int partition, int64_t next);

#endif
