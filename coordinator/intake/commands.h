/* Commands of people and programs (topic <prefix>.command): each becomes an entry of the status log of its
 * operation's shard, and is applied from there, in one order with the outcomes. What cannot be brought there now (Redis
 * or Kafka is away) is dropped, and read again a little later from the partition's first one: meanwhile that partition is
 * paused, and the loop goes on turning. */
#ifndef BGOP_COORDINATOR_INTAKE_COMMANDS_H
#define BGOP_COORDINATOR_INTAKE_COMMANDS_H

#include "coordinator/intake/rejects.h"

enum { COMMANDS_MAX = 1000 }; /* taken at a time */

/* A partition whose commands wait. */
struct commands_waiting {
    int partition;
    int64_t offset, at_ms;
    bool paused;
};

struct commands {
    struct kafka_message *list; /* messages owned */
    size_t count, capacity;
    struct commands_waiting *waiting;
    size_t waiting_count, waiting_capacity;
    struct rejects rejects; /* of these commands alone */
    struct outage outage;
};

void commands_release(struct commands *commands);
/* Takes the message; drops it when its partition waits: it comes again. */
void commands_add(struct commands *commands, const struct kafka_message *message);
/* The partitions have, or may have, another owner: nothing is held, nothing waits. */
void commands_forget(struct commands *commands);
/* Resolves them, appends their entries and waits until they are in the log; what cannot be resolved is rejected. Answers
 * how many of the first ones are through: their offsets may be stored, then commands_done. */
size_t commands_deliver(struct commands *commands, struct loop *loop);
/* Releases all; those from `through` on wait. */
void commands_done(struct commands *commands, size_t through);
/* Does the partition wait? Then it will go on from that offset, or from an earlier one. */
bool commands_wait_from(struct commands *commands, int partition, int64_t offset);
/* Pauses partitions that wait, and goes on with those whose time has come. Never inside a callback of the consumer. */
void commands_settle(struct commands *commands, struct kafka_consumer *consumer, const char *topic);
/* The group's position in the command topic is outside of its log: goes on from the log's start (retention took what
 * nobody read in time) or its end (the broker lost what was read). Logged. ST_AGAIN: later. */
enum status commands_recover(struct kafka_consumer *consumer, const char *topic, int partition) MUST_CHECK;
enum { COMMAND_ALL_SHARDS = -2 }; /* a pause or resume of a Type */
/* The shard a command goes to, or COMMAND_ALL_SHARDS; -1: err says what is wrong with it. Pure. */
int command_shard(const struct command *command, int shards, struct err *err);

#endif
