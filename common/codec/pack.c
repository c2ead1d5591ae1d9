/* Packing, and the arena for unpacking. protobuf-c allocates every string and message of its own; here they come from blocks
 * that are freed together, up to a budget: a hostile message may ask for many times its size. */
#include "common/codec/pack.h"

#include <stddef.h>
#include <stdlib.h>

char *pack_string(const char *text)
{
    return (char *)(uintptr_t)text;
}

char *pack_text(const char *text)
{
    return text && text[0] ? pack_string(text) : NULL;
}

void pack_int64(protobuf_c_boolean *has, int64_t *to, int64_t value)
{
    *has = value >= 0;
    *to = value >= 0 ? value : 0;
}

void pack_int32(protobuf_c_boolean *has, int32_t *to, int64_t value)
{
    /* Too large for the record as well: whoever reads it refuses it by name. */
    int32_t clamped = value > INT32_MAX ? INT32_MAX : (int32_t)value;

    *has = clamped >= 0;
    *to = clamped >= 0 ? clamped : 0;
}

void pack_bytes(protobuf_c_boolean *has, ProtobufCBinaryData *to, const void *data, size_t size)
{
    *has = size > 0;
    to->data = (uint8_t *)(uintptr_t)data;
    to->len = size;
}

void pack_message(struct buf *to, const ProtobufCMessage *message)
{
    char *room = buf_extend(to, protobuf_c_message_get_packed_size(message));

    if (room)
        protobuf_c_message_pack(message, (uint8_t *)room);
}

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t memory[];
};
enum { BLOCK_BYTES = 16 * 1024 };

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

    if (size > arena->budget || rounded > arena->budget)
        return NULL;
    if (!block || rounded > block->size - block->used) {
        size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (!block) {
            arena->starved = true;
            return NULL;
        }
        *block = (struct arena_block){ .next = arena->blocks, .size = room };
        arena->blocks = block;
    }
    arena->budget -= rounded;
    void *memory = (char *)block->memory + block->used;
    block->used += rounded;
    return memory;
}

static void *arena_alloc(void *arena, size_t size)
{
    return arena_take(arena, size);
}

static void arena_keep(void *arena, void *memory)
{
    (void)arena, (void)memory; /* goes with the arena */
}

void arena_init(struct arena *arena, size_t budget)
{
    *arena = (struct arena){ .budget = budget, .allocator = { arena_alloc, arena_keep, arena } };
}

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
