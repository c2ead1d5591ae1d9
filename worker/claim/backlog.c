/* Two rings that move together: the Ids, and for each message how many of its Ids are still in the first. */
#include "worker/claim/backlog.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/memory.h"
#include "common/base/trace.h"

void backlog_release(struct backlog *backlog)
{
    free(backlog->ids);
    free(backlog->messages);
    memset(backlog, 0, sizeof *backlog);
}

/* Doubles a ring that is full; what wrapped around moves behind what did not. */
static void *ring_grow(void *ring, size_t *room, size_t first, size_t element_size)
{
    size_t old = *room;

    *room = old ? 2 * old : 64;
    ring = xrealloc(ring, *room * element_size);
    memcpy((char *)ring + old * element_size, ring, first * element_size);
    return ring;
}

void backlog_add_message(struct backlog *backlog, int64_t next_offset)
{
    size_t at;

    if (backlog->message_count == backlog->message_room) {
        backlog->messages =
            ring_grow(backlog->messages, &backlog->message_room, backlog->message_first, sizeof *backlog->messages);
    }
    at = (backlog->message_first + backlog->message_count++) & (backlog->message_room - 1);
    backlog->messages[at] = (struct backlog_message){ next_offset, 0 };
}

void backlog_add_id(struct backlog *backlog, const char id[ID_SIZE])
{
    size_t last = (backlog->message_first + backlog->message_count - 1) & (backlog->message_room - 1);

    BGOP_ASSERT(backlog->message_count > 0);
    if (backlog->id_count == backlog->id_room)
        backlog->ids = ring_grow(backlog->ids, &backlog->id_room, backlog->id_first, sizeof *backlog->ids);
    memcpy(backlog->ids[(backlog->id_first + backlog->id_count++) & (backlog->id_room - 1)], id, ID_SIZE);
    backlog->messages[last].ids_left++;
    trace_point(TRACE_HINTED, id);
}

void backlog_add_pushed_id(struct backlog *backlog, const char id[ID_SIZE], int64_t now_boot_ms)
{
    struct backlog_pushed *pushed = &backlog->pushed[backlog->pushed_next++ % BACKLOG_PUSHED];

    backlog_add_id(backlog, id);
    memcpy(pushed->id, id, ID_SIZE);
    pushed->until_boot_ms = now_boot_ms + BACKLOG_PUSHED_MS;
}

bool backlog_was_pushed(struct backlog *backlog, const char id[ID_SIZE], int64_t now_boot_ms)
{
    for (size_t i = 0; i < BACKLOG_PUSHED && i < backlog->pushed_next; i++) {
        struct backlog_pushed *pushed = &backlog->pushed[i];

        if (now_boot_ms < pushed->until_boot_ms && memcmp(pushed->id, id, ID_LENGTH) == 0) {
            pushed->until_boot_ms = 0;
            return true;
        }
    }
    return false;
}

size_t backlog_peek(const struct backlog *backlog, char (*ids)[ID_SIZE], size_t most)
{
    size_t count = most < backlog->id_count ? most : backlog->id_count;

    for (size_t i = 0; i < count; i++)
        memcpy(ids[i], backlog->ids[(backlog->id_first + i) & (backlog->id_room - 1)], ID_SIZE);
    return count;
}

int64_t backlog_take(struct backlog *backlog, size_t count)
{
    int64_t next_offset = -1;

    BGOP_ASSERT(count <= backlog->id_count);
    if (count > 0) {
        backlog->id_first = (backlog->id_first + count) & (backlog->id_room - 1);
        backlog->id_count -= count;
    }
    while (backlog->message_count > 0) {
        struct backlog_message *message = &backlog->messages[backlog->message_first];
        size_t left = count < message->ids_left ? count : message->ids_left;

        message->ids_left -= left;
        count -= left;
        if (message->ids_left > 0)
            break;
        if (message->next_offset != BACKLOG_NO_OFFSET)
            next_offset = message->next_offset;
        backlog->message_first = (backlog->message_first + 1) & (backlog->message_room - 1);
        backlog->message_count--;
    }
    return next_offset;
}

void backlog_drop(struct backlog *backlog)
{
    backlog->id_first = backlog->id_count = 0;
    backlog->message_first = backlog->message_count = 0;
    backlog->pushed_next = 0; /* whoever gets the partition is told of them by Kafka */
    backlog->epoch++;
}
