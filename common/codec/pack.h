/* Between our conventions (empty text, -1, NULL: absent) and protobuf-c's (has_x beside x), and the memory that
 * protobuf-c unpacks into. */
#ifndef BGOP_CODEC_PACK_H
#define BGOP_CODEC_PACK_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

/* protobuf-c reads what it packs but takes pointers without const. */
char *pack_string(const char *text);
char *pack_text(const char *text);                                    /* NULL when empty */
void pack_int64(protobuf_c_boolean *has, int64_t *to, int64_t value); /* below 0: absent */
void pack_int32(protobuf_c_boolean *has, int32_t *to, int64_t value);
void pack_bytes(protobuf_c_boolean *has, ProtobufCBinaryData *to, const void *data, size_t size); /* size 0: absent */
void pack_message(struct buf *to, const ProtobufCMessage *message);

/* Memory that only grows, up to a budget, and is given back as a whole: repeated fields can ask for many times the
 * message's size, so what does not fit into the budget fails the unpacking. */
struct arena {
    struct arena_block *blocks;
    size_t budget; /* bytes that may still be taken */
    bool starved;  /* it was not the budget: there was no memory */
    ProtobufCAllocator allocator;
};
void arena_init(struct arena *arena, size_t budget);
void arena_release(struct arena *arena);
void *arena_take(struct arena *arena, size_t size); /* NULL: over budget, or no memory */

#endif
