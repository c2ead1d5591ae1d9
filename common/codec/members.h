/* Messages that strangers write, as tables: each member once, with its name in JSON, its number in protobuf and its
 * place in our struct. The readers of both forms walk the same table; a test compares it with the generated one. */
#ifndef BGOP_CODEC_MEMBERS_H
#define BGOP_CODEC_MEMBERS_H

#include <stddef.h>

#include "common/base/err.h"

enum member_kind {
    MEMBER_TEXT,           /* char[RECORD_STRING_SIZE] */
    MEMBER_NUMBER,         /* int64_t, 0 .. RECORD_INT_MAX */
    MEMBER_TIME,           /* int64_t, epoch ms; ISO 8601 or epoch ms in JSON */
    MEMBER_PAYLOAD,        /* bytes of a submission; any value in JSON */
    MEMBER_PAYLOAD_BASE64, /* the same bytes; only in JSON */
};
struct member {
    const char *name;
    unsigned number; /* 0: has no protobuf form */
    enum member_kind kind;
    size_t offset; /* of the member in the struct; not used by the payload's kinds */
};
struct member_table {
    const char *message; /* what errors call it: "bgop.v1.Submission" */
    const struct member *members;
    size_t count;
};

extern const struct member_table submission_members, command_members;

/* Both write into the struct at to, which was initialized; a payload (to is a struct submission then) is borrowed
 * from data where it stands there as it is. */
enum status members_read_json(const struct member_table *table, void *to, const void *json, size_t size,
                              struct err *err) MUST_CHECK;
enum status members_read_protobuf(const struct member_table *table, void *to, const void *data, size_t size,
                                  struct err *err) MUST_CHECK;

#endif
