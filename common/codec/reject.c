/* What could not be accepted, for people and their tools: JSON. */
#include <inttypes.h>
#include <string.h>

#include "common/base/text.h"
#include "common/codec/codec.h"

void codec_write_reject(struct buf *to, const char *reason, const char *topic, int partition, int64_t offset,
                        const void *value, size_t size)
{
    size_t kept = size < REJECT_VALUE_MAX_BYTES ? size : REJECT_VALUE_MAX_BYTES;

    buf_append_string(to, "{\"reason\":");
    buf_append_json(to, reason, strlen(reason));
    buf_append_string(to, ",\"topic\":");
    buf_append_json(to, topic, strlen(topic));
    buf_printf(to, ",\"partition\":%d,\"offset\":%" PRId64 ",\"value\":\"", partition, offset);
    char *room = buf_extend(to, BASE64_SIZE(kept) - 1);
    if (room)
        text_base64_encode(room, value, kept); /* its NUL lands on the buffer's own */
    buf_printf(to, "\",\"truncated\":%s}", kept < size ? "true" : "false");
}
