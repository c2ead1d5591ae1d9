/* What is shown, quoted, written as JSON or passed on as a traceparent: plain characters only, whatever it was made from. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/text.h"
#include "common/record/traceparent.h"
#include "tests/fuzz/fuzz.h"

static bool is_plain(const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length)
        if ((length = text_plain_size(text + at, size - at)) == 0)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char quoted[128];
    struct buf buf;

    buf_init(&buf, 8 * size + 16);
    FUZZ_CHECK(buf_append_shown(&buf, text, size, "") && is_plain(buf.data, buf.size));
    if (is_plain(text, size))
        FUZZ_CHECK(buf.size == size && memcmp(buf.data, text, size) == 0);
    buf_clear(&buf);
    FUZZ_CHECK(buf_append_json(&buf, text, size) && is_plain(buf.data, buf.size));
    buf_release(&buf);
    text_quote(quoted, sizeof quoted, text, size);
    FUZZ_CHECK(strlen(quoted) < sizeof quoted && is_plain(quoted, strlen(quoted)));
    if (traceparent_is_valid(text, size))
        FUZZ_CHECK(is_plain(text, size) && size >= TRACEPARENT_LENGTH && size < TRACEPARENT_SIZE &&
                   !memchr(text, ' ', size));
    return 0;
}
