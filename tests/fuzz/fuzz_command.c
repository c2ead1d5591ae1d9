/* Commands, JSON and protobuf: what is accepted has one target, and comes back when written. */
#include <string.h>

#include "common/base/text.h"
#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct command command, back;
    struct id_parts parts;
    struct err err = ERR_INIT;
    struct buf buf;

    if (codec_read_command(&command, data, size, &err) != ST_OK) {
        FUZZ_CHECK(err.status == ST_INVALID && text_utf8_length(err.text, strlen(err.text)) > 0);
        return 0;
    }
    bool of_one = command.kind == COMMAND_CANCEL || command.kind == COMMAND_REDRIVE;
    FUZZ_CHECK(of_one == (command.id[0] != '\0'));
    FUZZ_CHECK(of_one || (command.type[0] != '\0') != (command.parent_key[0] != '\0'));
    if (of_one)
        FUZZ_CHECK(id_parse(command.id, strlen(command.id), &parts) && strlen(command.id) == ID_LENGTH);
    buf_init(&buf, 1 << 20);
    codec_write_command(&buf, &command);
    FUZZ_CHECK(codec_read_command(&back, buf.data, buf.size, NULL) == ST_OK);
    FUZZ_CHECK(back.kind == command.kind && strcmp(back.id, command.id) == 0 && strcmp(back.type, command.type) == 0 &&
               strcmp(back.parent_key, command.parent_key) == 0 && strcmp(back.reason, command.reason) == 0 &&
               strcmp(back.command_id, command.command_id) == 0 && back.has_token == command.has_token &&
               back.token == command.token);
    buf_release(&buf);
    return 0;
}
