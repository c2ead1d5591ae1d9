/* Hints: one repeated field, read and written in place. A hint is only a wake-up: losing one costs time, so what cannot be
 * read is skipped by its reader and nothing else happens. */
#include <string.h>

#include "common/codec/codec.h"
#include "common/codec/wire.h"

enum { HINT_ID = 1 }; /* the field's number in hint.proto */

void codec_write_hint_joined(struct buf *to, const char *ids, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *blank = memchr(ids + at, ' ', size - at);
        size_t length = blank ? (size_t)(blank - ids) - at : size - at;
        if (length > 0)
            wire_put_bytes(to, HINT_ID, ids + at, length);
        at += length + 1;
    }
}

enum status codec_read_hint(const void *data, size_t size, void (*on_id)(void *arg, const char id[ID_SIZE]), void *arg,
                            struct err *err)
{
    struct wire wire = { data, size, 0 };
    struct wire_field field;
    struct id_parts parts;
    char id[ID_SIZE];
    int more;

    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number != HINT_ID || field.type != WIRE_BYTES || field.size != ID_LENGTH ||
            !id_parse(field.bytes, field.size, &parts))
            continue; /* a hint is only a wake-up: what cannot be understood wakes nobody */
        memcpy(id, field.bytes, ID_LENGTH);
        id[ID_LENGTH] = '\0';
        on_id(arg, id);
    }
    if (more < 0)
        return err_set(err, ST_INVALID, "not a bgop.v1.Hint: unreadable at byte %zu of %zu", wire.at, size);
    return ST_OK;
}
