/* The protobuf wire format, flat: fields one after the other, in place. Used where protobuf-c would not do: it hands
 * strings over without their length (a NUL inside would silently cut them), copies every payload, and allocates as
 * much as a hostile message asks for. What nests (status batches, control) goes through protobuf-c. */
#ifndef BGOP_CODEC_WIRE_H
#define BGOP_CODEC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
struct wire {
    const unsigned char *data;
    size_t size, at;
};
struct wire_field {
    unsigned number;
    enum wire_type type;
    uint64_t value;    /* of varint and fixed */
    const char *bytes; /* of WIRE_BYTES: inside the message */
    size_t size;
};

/* 1: *field is the next one; 0: the end; -1: broken at wire->at. */
int wire_next(struct wire *wire, struct wire_field *field);
/* Appends one field of WIRE_BYTES. */
void wire_put_bytes(struct buf *to, unsigned number, const void *bytes, size_t size);

#endif
