/* Commands of people and programs (topic <prefix>.command): each becomes an entry of the status log of its
 * operation's shard, and is applied from there, in one order with the outcomes. */
#ifndef BGOP_COORDINATOR_COMMANDS_H
#define BGOP_COORDINATOR_COMMANDS_H

#include "coordinator/rejects.h"

struct commands { struct kafka_message *list; size_t count, capacity; };    /* messages owned */

void commands_release(struct commands *commands);
void commands_add(struct commands *commands, const struct kafka_message *message);
void commands_clear(struct commands *commands);
/* Resolves them all, appends their entries and waits until they are in the log, again and again; what cannot be
 * resolved joins the rejects. Only then may their offsets be stored. ST_AGAIN: stopping. */
enum status commands_deliver(struct commands *commands, struct loop *loop, struct rejects *rejects,
                             struct err *err) MUST_CHECK;
/* The group's position in the command topic is outside of its log: goes on from the log's start (retention took what
 * nobody read in time) or its end (the broker lost what was read). Logged. ST_AGAIN: later. */
enum status commands_recover(struct kafka_consumer *consumer, const char *topic, int partition) MUST_CHECK;
enum { COMMAND_ALL_SHARDS = -2 };           /* a pause or resume of a Type */
/* The shard a command goes to, or COMMAND_ALL_SHARDS; -1: err says what is wrong with it. Pure. */
int command_shard(const struct command *command, int shards, struct err *err);

#endif
