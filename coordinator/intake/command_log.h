/* The command topic's partitions that are ours, and whether their logs are still those that were read. There is no fence:
 * the group's position says how far commands were read, and points (source/points.h) which commands those were. A log that
 * lost its tail is read again from the last common point: a command that is read twice acts once.
 *
 * From the moment that the brokers go away until a partition was compared, what is read of it leaves no point: it may stand
 * in another log already, above messages that were never read. It is read once more afterwards. */
#ifndef BGOP_COORDINATOR_INTAKE_COMMAND_LOG_H
#define BGOP_COORDINATOR_INTAKE_COMMAND_LOG_H

#include "coordinator/intake/commands.h"

struct command_partition {
    int partition;
    bool unchecked;      /* to be compared before its commands count as read */
    bool out_of_range;   /* the group's position is not in its log */
    int64_t first, next; /* what was read since it was assigned: from, to; 0, 0: nothing */
};

struct command_log {
    struct loop *loop;
    struct kafka_consumer *consumer; /* set when there is one */
    const char *topic;
    struct commands *commands; /* those at hand: a partition that waits goes on where it is to be read from */
    struct command_partition *list;
    size_t count, capacity;
    int64_t again_at_ms;
};

void command_log_release(struct command_log *log);
void command_log_assigned(struct command_log *log, int partition);
void command_log_revoked(struct command_log *log); /* all of them */
void command_log_out_of_range(struct command_log *log, int partition);
/* The brokers went away, or are back: perhaps with other logs. Called before anything else of theirs is read. */
void command_log_doubt(struct command_log *log);
/* Compares those that are to be, and seeks in those that went backwards. Never inside a callback of the consumer. */
void command_log_check(struct command_log *log);
/* This one came from the consumer. */
void command_log_read(struct command_log *log, const struct kafka_message *message);
/* This one is through, and the next is at its offset + 1. */
void command_log_note(struct command_log *log, const struct kafka_message *message);

#endif
