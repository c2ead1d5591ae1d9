/* Reading and writing of protobuf fields. A message is a row of fields; each begins with a varint of its number and its kind
 * (number << 3 | kind), which says how its value is to be measured: a varint, 4 or 8 bytes, or a length and so many bytes.
 * So what a reader does not know it can pass over. */
#include "common/codec/wire.h"

enum { FIELD_NUMBER_MAX = (1 << 29) - 1 };

static bool read_varint(struct wire *wire, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && wire->at < wire->size; shift += 7) {
        unsigned char byte = wire->data[wire->at++];
        if (shift == 63 && byte > 1)
            return false; /* more than 64 bits */
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool read_fixed(struct wire *wire, size_t size, uint64_t *value)
{
    if (size > wire->size - wire->at)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)wire->data[wire->at + i] << (8 * i);
    wire->at += size;
    return true;
}

static bool take_bytes(struct wire *wire, struct wire_field *field)
{
    uint64_t size;

    if (!read_varint(wire, &size) || size > wire->size - wire->at)
        return false;
    field->bytes = (const char *)wire->data + wire->at;
    field->size = (size_t)size;
    wire->at += (size_t)size;
    return true;
}

static bool take_value(struct wire *wire, struct wire_field *field)
{
    switch (field->type) {
    case WIRE_VARINT: return read_varint(wire, &field->value);
    case WIRE_FIXED64: return read_fixed(wire, 8, &field->value);
    case WIRE_BYTES: return take_bytes(wire, field);
    case WIRE_FIXED32: return read_fixed(wire, 4, &field->value);
    }
    return false; /* groups: gone from protobuf long ago */
}

int wire_next(struct wire *wire, struct wire_field *field)
{
    size_t start = wire->at;
    uint64_t tag;

    if (wire->at == wire->size)
        return 0;
    if (read_varint(wire, &tag) && tag >> 3 >= 1 && tag >> 3 <= FIELD_NUMBER_MAX) {
        field->number = (unsigned)(tag >> 3);
        field->type = (enum wire_type)(tag & 7);
        if (take_value(wire, field))
            return 1;
    }
    wire->at = start;
    return -1;
}

static size_t put_varint(unsigned char *to, uint64_t value)
{
    size_t used = 0;

    for (; value >= 0x80; value >>= 7)
        to[used++] = (unsigned char)(value | 0x80);
    to[used++] = (unsigned char)value;
    return used;
}

void wire_put_bytes(struct buf *to, unsigned number, const void *bytes, size_t size)
{
    unsigned char head[20];
    size_t used = put_varint(head, (uint64_t)number << 3 | WIRE_BYTES);

    used += put_varint(head + used, size);
    buf_append(to, head, used);
    buf_append(to, bytes, size);
}
