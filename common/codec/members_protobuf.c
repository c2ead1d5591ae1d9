/* Protobuf fields into the members of a table. Numbers that the table does not know are later versions' members:
 * ignored. A member given twice: the last one counts, as everywhere in protobuf. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/codec/members.h"
#include "common/codec/wire.h"
#include "common/record/submission.h"
#include "common/record/tables.h"

static const struct member *find_number(const struct member_table *table, unsigned number)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->members[i].number == number)
            return &table->members[i];
    }
    return NULL;
}

static enum status read_text(const struct member *member, char *to, const struct wire_field *field, struct err *err)
{
    enum status st = submission_check_string(member->name, field->bytes, field->size, err);

    if (st == ST_OK)
        text_copy(to, RECORD_STRING_SIZE, field->bytes, field->size);
    return st;
}

static enum status read_number(const struct member *member, int64_t *to, const struct wire_field *field,
                               struct err *err)
{
    bool small_time = member->kind == MEMBER_TIME && field->value <= (uint64_t)CLOCK_MAX_MS;
    enum status st = small_time ? ST_OK /* too early, perhaps: submission_check says so, if all this is a message */
                     : member->kind == MEMBER_TIME
                         ? submission_check_time(member->name, (int64_t)field->value, err)
                         : submission_check_number(member->name, (int64_t)field->value, RECORD_INT_MAX, err);

    if (st == ST_OK)
        *to = (int64_t)field->value;
    return st;
}

static enum status read_field(const struct member *member, void *to, const struct wire_field *field, struct err *err)
{
    bool number = member->kind == MEMBER_NUMBER || member->kind == MEMBER_TIME;
    char *place = (char *)to + member->offset;
    struct submission *submission = to;

    if (field->type != (number ? WIRE_VARINT : WIRE_BYTES)) {
        return err_set(err, ST_INVALID, "%s: must be %s (field %u), got wire type %d", member->name,
                       number ? "a varint" : "length-delimited", member->number, (int)field->type);
    }
    switch (member->kind) {
    case MEMBER_TEXT: return read_text(member, place, field, err);
    case MEMBER_NUMBER:
    case MEMBER_TIME: return read_number(member, (int64_t *)(void *)place, field, err);
    case MEMBER_PAYLOAD:
    case MEMBER_PAYLOAD_BASE64:
        submission->payload = field->size ? field->bytes : NULL;
        submission->payload_size = field->size;
        return ST_OK;
    }
    return ST_OK;
}

enum status members_read_protobuf(const struct member_table *table, void *to, const void *data, size_t size,
                                  struct err *err)
{
    struct wire wire = { data, size, 0 };
    struct wire_field field;
    int more;

    while ((more = wire_next(&wire, &field)) > 0) {
        const struct member *member = find_number(table, field.number);
        enum status st = member ? read_field(member, to, &field, err) : ST_OK;
        if (st != ST_OK)
            return st;
    }
    if (more < 0) {
        return err_set(err, ST_INVALID, "neither JSON (first byte {) nor %s in protobuf: %s %zu of %zu", table->message,
                       size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0
                           ? "it begins with a byte order mark, which JSON must not have: byte"
                           : "unreadable at byte",
                       wire.at, size);
    }
    return ST_OK;
}
