/* The control topic. */
#include <string.h>

#include "bgop/v1/control.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/codec/pack.h"

enum { CONTROL_MAX_BYTES = 4096, CONTROL_BUDGET_BYTES = 64 * 1024 };

void codec_write_control(struct buf *to, const struct control *control)
{
    Bgop__V1__Control message = BGOP__V1__CONTROL__INIT;

    message.genesis_id = pack_text(control->genesis_id);
    message.instance = pack_text(control->instance);
    pack_int64(&message.has_generation, &message.generation, control->generation);
    pack_int32(&message.has_shard, &message.shard, control->shard);
    pack_int32(&message.has_shards, &message.shards, control->shards);
    pack_int64(&message.has_at_ms, &message.at_ms, control->at_ms);
    pack_message(to, &message.base);
}

static bool copy(char *to, size_t room, const char *from)
{
    return text_copy(to, room, from ? from : "", from ? strlen(from) : 0);
}

enum status codec_read_control(struct control *control, const void *data, size_t size, struct err *err)
{
    struct arena arena;
    bool fits = false;

    *control = (struct control){ .generation = -1, .shard = -1, .shards = -1 };
    if (size > CONTROL_MAX_BYTES)
        return err_set(err, ST_INVALID, "a bgop.v1.Control must have at most %d bytes, got %zu", CONTROL_MAX_BYTES,
                       size);
    arena_init(&arena, CONTROL_BUDGET_BYTES);
    Bgop__V1__Control *message = bgop__v1__control__unpack(&arena.allocator, size, data);
    if (message) {
        fits = copy(control->genesis_id, sizeof control->genesis_id, message->genesis_id) &&
               copy(control->instance, sizeof control->instance, message->instance);
        control->generation = message->has_generation ? message->generation : -1;
        control->shard = message->has_shard ? message->shard : -1;
        control->shards = message->has_shards ? message->shards : -1;
        control->at_ms = message->has_at_ms ? message->at_ms : 0;
    }
    arena_release(&arena);
    if (!message)
        return err_set(err, ST_INVALID, "not a bgop.v1.Control (%zu bytes)", size);
    return fits ? ST_OK : err_set(err, ST_INVALID, "a bgop.v1.Control with a name that is too long");
}
