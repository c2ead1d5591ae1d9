/* Hinted Ids of one Type and one shard (a lane), between their hint message and the verdict of a claim. Pure: no
 * Kafka, no Redis, no clock.
 *
 * Ids leave in the order in which they came, and a claim's answer is a verdict on every Id it carried. So the offset
 * that may be stored is simply behind the last message all of whose Ids have left. */
#ifndef BGOP_WORKER_CLAIM_BACKLOG_H
#define BGOP_WORKER_CLAIM_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/record/id.h"

enum {
    BACKLOG_FULL_IDS = 8192, /* from here on the partition is paused ... */
    BACKLOG_LOW_IDS = 2048,  /* ... until so few are left */
    BACKLOG_NO_OFFSET = -1,  /* of a message that came through Redis */
    BACKLOG_PUSHED = 64,     /* so many of those Ids are remembered ... */
    BACKLOG_PUSHED_MS = 500, /* ... for so long: then Kafka has brought them too */
};

/* An Id that Redis pushed and that Kafka will bring as well. */
struct backlog_pushed {
    char id[ID_SIZE];
    int64_t until_boot_ms;
};

struct backlog_message {
    int64_t next_offset;
    size_t ids_left;
};

struct backlog {
    char (*ids)[ID_SIZE]; /* ring of id_room, a power of two */
    size_t id_room, id_first, id_count;
    struct backlog_message *messages; /* ring of message_room */
    size_t message_room, message_first, message_count;
    struct backlog_pushed pushed[BACKLOG_PUSHED]; /* a ring; those of which Kafka's came have no time left */
    size_t pushed_next;
    uint64_t epoch; /* rises when it is dropped: verdicts on what it held before are void */
};

void backlog_release(struct backlog *backlog);
/* A message begins; its Ids follow. next_offset is the offset behind it, or BACKLOG_NO_OFFSET. */
void backlog_add_message(struct backlog *backlog, int64_t next_offset);
void backlog_add_id(struct backlog *backlog, const char id[ID_SIZE]);
/* As backlog_add_id, of a message that came through Redis and will come through Kafka too: that one adds nothing then. */
void backlog_add_pushed_id(struct backlog *backlog, const char id[ID_SIZE], int64_t now_boot_ms);
/* Is this the second coming of an Id that was pushed? Each pushed one answers for one. */
bool backlog_was_pushed(struct backlog *backlog, const char id[ID_SIZE], int64_t now_boot_ms);
/* Copies the first Ids, at most `most`; they stay. */
size_t backlog_peek(const struct backlog *backlog, char (*ids)[ID_SIZE], size_t most);
/* The first `count` Ids have a verdict and leave. Answers the offset to be stored, or -1 when there is none.
 * With count 0: collects messages that had no Ids. */
int64_t backlog_take(struct backlog *backlog, size_t count);
/* The partition belongs to somebody else now. */
void backlog_drop(struct backlog *backlog);

#endif
