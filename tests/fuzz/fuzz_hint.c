/* Hints and control records: only well-formed Ids arrive; names fit their places. */
#include <string.h>

#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

static void on_id(void *arg, const char id[ID_SIZE])
{
    struct id_parts parts;

    FUZZ_CHECK(strlen(id) == ID_LENGTH && id_parse(id, ID_LENGTH, &parts));
    ++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0;
    struct control control;
    struct err err = ERR_INIT;

    enum status st = codec_read_hint(data, size, on_id, &count, &err);
    FUZZ_CHECK(st == ST_OK || st == ST_INVALID);
    FUZZ_CHECK(count <= size / (ID_LENGTH + 2));
    st = codec_read_control(&control, data, size, &err);
    FUZZ_CHECK(st == ST_OK || st == ST_INVALID);
    FUZZ_CHECK(strlen(control.genesis_id) < sizeof control.genesis_id &&
               strlen(control.instance) < sizeof control.instance);
    return 0;
}
