/* The command topic's partitions that are ours, and whether their logs are still those that were read. There is no fence:
 * the group's position says how far commands were read, and points (source/points.h) which commands those were. A log that
 * lost its tail is read again from the last common point: a command that is read twice acts once. */
#ifndef BGOP_COORDINATOR_INTAKE_COMMAND_LOG_H
#define BGOP_COORDINATOR_INTAKE_COMMAND_LOG_H

#include "coordinator/loop/loop.h"

struct command_partition {
    int partition;
    bool unchecked;    /* to be compared before its commands count as read */
    bool out_of_range; /* the group's position is not in its log */
};

struct command_log {
    struct loop *loop;
    struct kafka_consumer *consumer; /* set when there is one */
    const char *topic;
    struct command_partition *list;
    size_t count, capacity;
    int64_t again_at_ms;
};

void command_log_release(struct command_log *log);
void command_log_assigned(struct command_log *log, int partition);
void command_log_revoked(struct command_log *log); /* all of them */
void command_log_out_of_range(struct command_log *log, int partition);
/* The brokers may have come back with other logs. */
void command_log_doubt(struct command_log *log);
/* Compares those that are to be, and seeks in those that went backwards. Never inside a callback of the consumer. */
void command_log_check(struct command_log *log);
/* This one was read last: the next is at its offset + 1. */
void command_log_note(struct command_log *log, const struct kafka_message *message);

#endif
