/* The control topic. */
#include <string.h>

#include "bgop/v1/control.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/codec/pack.h"

enum { CONTROL_MAX_BYTES = 4096, CONTROL_BUDGET_BYTES = 64 * 1024 };

static void write_rewind(Bgop__V1__Control *message, const struct control *control)
{
    message->topic = pack_text(control->topic);
    pack_int32(&message->has_partition, &message->partition, control->partition);
    pack_int32(&message->has_epoch, &message->epoch, control->epoch);
    pack_int64(&message->has_rewind_from, &message->rewind_from, control->rewind_from);
    pack_int64(&message->has_lost_to, &message->lost_to, control->lost_to);
    pack_int64(&message->has_last_offset, &message->last_offset, control->last_offset);
    message->has_last_crc = control->last_offset >= 0;
    message->last_crc = control->last_crc;
    message->has_last_at_ms = control->last_offset >= 0;
    message->last_at_ms = control->last_at_ms;
    message->has_decided = control->decided;
    message->decided = control->decided;
}

void codec_write_control(struct buf *to, const struct control *control)
{
    Bgop__V1__Control message = BGOP__V1__CONTROL__INIT;

    message.genesis_id = pack_text(control->genesis_id);
    message.instance = pack_text(control->instance);
    pack_int64(&message.has_generation, &message.generation, control->generation);
    pack_int32(&message.has_shard, &message.shard, control->shard);
    pack_int32(&message.has_shards, &message.shards, control->shards);
    pack_int64(&message.has_at_ms, &message.at_ms, control->at_ms);
    if (control->topic[0])
        write_rewind(&message, control);
    pack_message(to, &message.base);
}

static bool copy(char *to, size_t room, const char *from)
{
    return text_copy(to, room, from ? from : "", from ? strlen(from) : 0);
}

static void read_rewind(struct control *control, const Bgop__V1__Control *message)
{
    control->partition = message->has_partition ? message->partition : -1;
    control->epoch = message->has_epoch ? message->epoch : -1;
    control->rewind_from = message->has_rewind_from ? message->rewind_from : -1;
    control->lost_to = message->has_lost_to ? message->lost_to : -1;
    control->last_offset = message->has_last_offset ? message->last_offset : -1;
    control->last_crc = message->has_last_crc ? message->last_crc : 0;
    control->last_at_ms = message->has_last_at_ms ? message->last_at_ms : 0;
    control->decided = message->has_decided && message->decided;
}

enum status codec_read_control(struct control *control, const void *data, size_t size, struct err *err)
{
    struct arena arena;
    bool fits = false;

    *control = (struct control)CONTROL_INIT;
    if (size > CONTROL_MAX_BYTES) {
        return err_set(err, ST_INVALID, "a bgop.v1.Control must have at most %d bytes, got %zu", CONTROL_MAX_BYTES,
                       size);
    }
    arena_init(&arena, CONTROL_BUDGET_BYTES);
    Bgop__V1__Control *message = bgop__v1__control__unpack(&arena.allocator, size, data);
    if (message) {
        fits = copy(control->genesis_id, sizeof control->genesis_id, message->genesis_id) &&
               copy(control->instance, sizeof control->instance, message->instance) &&
               copy(control->topic, sizeof control->topic, message->topic);
        read_rewind(control, message);
        control->generation = message->has_generation ? message->generation : -1;
        control->shard = message->has_shard ? message->shard : -1;
        control->shards = message->has_shards ? message->shards : -1;
        control->at_ms = message->has_at_ms ? message->at_ms : 0;
    }
    arena_release(&arena);
    if (arena.starved)
        return err_set(err, ST_AGAIN, "out of memory");
    if (!message)
        return err_set(err, ST_INVALID, "not a bgop.v1.Control (%zu bytes)", size);
    return fits ? ST_OK : err_set(err, ST_INVALID, "a bgop.v1.Control with a name that is too long");
}
