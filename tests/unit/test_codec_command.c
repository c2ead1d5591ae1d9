/* Commands: both forms, and refusals that keep a wrong target from being hit. */
#include <string.h>

#include "bgop/v1/command.pb-c.h"
#include "common/codec/codec.h"
#include "common/codec/members.h"
#include "tests/support/test.h"

#define ID18 "08P00700000000zEAA"
#define ID15 "08P00700000000z"

static void commands_are_read_from_json(void **state)
{
    static const struct {
        const char *json;
        struct command command;
    } cases[] = {
        { "{\"Command\":\"cancel\",\"Id\":\"" ID18 "\",\"Reason\":\"no longer needed\"}",
          { COMMAND_CANCEL, ID18, "", "", "no longer needed", "", false, 0 } },
        { "{\"Command\":\"redrive\",\"Id\":\"" ID15 "\",\"CommandId\":\"c1\"}",
          { COMMAND_REDRIVE, ID18, "", "", "", "c1", false, 0 } },
        { "{\"Command\":\"redrive\",\"Id\":\"" ID15 "\",\"Token\":\"1876951040000003\"}",
          { COMMAND_REDRIVE, ID18, "", "", "", "", true, UINT64_C(1876951040000003) } },
        { "{\"Command\":\"cancel\",\"Id\":\"08p00700000000ZeaA\"}", /* the suffix tells the case of the rest */
          { COMMAND_CANCEL, ID18, "", "", "", "", false, 0 } },
        { "{\"Command\":\"pause\",\"Type\":\"WebCart\"}", { COMMAND_PAUSE, "", "WebCart", "", "", "", false, 0 } },
        { "{\"Command\":\"resume\",\"ParentKey\":\"p\xc3\xa4\",\"Type\":null,\"Id\":\"\"}",
          { COMMAND_RESUME, "", "", "p\xc3\xa4", "", "", false, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct command command;
        struct err err = ERR_INIT;
        memset(&command, 'x', sizeof command);
        if (codec_read_command(&command, cases[i].json, strlen(cases[i].json), &err) != ST_OK)
            fail_msg("%s: %s", cases[i].json, err.text);
        assert_int_equal(command.kind, cases[i].command.kind);
        assert_string_equal(command.id, cases[i].command.id);
        assert_string_equal(command.type, cases[i].command.type);
        assert_string_equal(command.parent_key, cases[i].command.parent_key);
        assert_string_equal(command.reason, cases[i].command.reason);
        assert_string_equal(command.command_id, cases[i].command.command_id);
        assert_int_equal(command.has_token, cases[i].command.has_token);
        assert_int_equal(command.token, cases[i].command.token);
    }
}

static void written_commands_come_back(void **state)
{
    static const struct command commands[] = {
        { COMMAND_CANCEL, ID18, "", "", "why", "id", false, 0 },
        { COMMAND_REDRIVE, ID18, "", "", "", "", true, 0 },
        { COMMAND_PAUSE, "", "WebCart", "", "", "", false, 0 },
        { COMMAND_RESUME, "", "", "parent", "", "x", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(commands); i++) {
        struct command back;
        struct err err = ERR_INIT;
        struct buf buf;
        buf_init(&buf, 10000);
        codec_write_command(&buf, &commands[i]);
        if (codec_read_command(&back, buf.data, buf.size, &err) != ST_OK)
            fail_msg("%s", err.text);
        assert_int_equal(back.kind, commands[i].kind);
        assert_string_equal(back.id, commands[i].id);
        assert_string_equal(back.type, commands[i].type);
        assert_string_equal(back.parent_key, commands[i].parent_key);
        assert_string_equal(back.reason, commands[i].reason);
        assert_string_equal(back.command_id, commands[i].command_id);
        assert_int_equal(back.has_token, commands[i].has_token);
        assert_int_equal(back.token, commands[i].token);
        buf_release(&buf);
    }
}

static void refusals_say_what_is_wrong(void **state)
{
    static const struct {
        const char *json, *reason;
    } cases[] = {
        { "", "empty message" },
        { "cancel", "neither JSON (first byte {) nor a bgop.v1.Command" },
        { "{}", "Command: is required" },
        { "{\"Command\":\"explode\",\"Id\":\"x\"}",
          "Command: must be cancel, redrive, pause or resume, got \"explode\"" },
        { "{\"Command\":\"Cancel\",\"Id\":\"" ID18 "\"}", "got \"Cancel\" (did you mean cancel?)" },
        { "{\"Command\":\"cancel\"}", "Id: is required for cancel" },
        { "{\"Command\":\"redrive\",\"Id\":null}", "Id: is required for redrive" },
        { "{\"Command\":\"cancel\",\"Id\":\"08P\"}", "Id: must be the 15 or 18 characters of an Id, got \"08P\"" },
        { "{\"Command\":\"cancel\",\"Id\":\"" ID15 "EAB\"}", "Id: must be" },
        { "{\"Command\":\"cancel\",\"Id\":5}", "Id: must be a string, got 5" },
        { "{\"Command\":\"cancel\",\"Id\":\"" ID18 "\",\"Type\":\"WebCart\"}", "Type: must not come with cancel" },
        { "{\"Command\":\"redrive\",\"Id\":\"" ID18 "\",\"ParentKey\":\"p\"}",
          "ParentKey: must not come with redrive" },
        { "{\"Command\":\"pause\"}", "Type or ParentKey: exactly one is required for pause, got none" },
        { "{\"Command\":\"resume\",\"Type\":\"WebCart\",\"ParentKey\":\"p\"}",
          "exactly one is required for resume, got both" },
        { "{\"Command\":\"pause\",\"Type\":\"WebCart\",\"Id\":\"" ID18 "\"}", "Id: must not come with pause" },
        { "{\"Command\":\"redrive\",\"Id\":\"" ID18 "\",\"Token\":\"-1\"}", "Token: must be a whole number" },
        { "{\"Command\":\"redrive\",\"Id\":\"" ID18 "\",\"Token\":\"9007199254740992\"}", "below 2^53" },
        { "{\"Command\":\"pause\",\"Type\":\"WebCart\",\"Token\":\"1\"}", "Token: must not come with pause" },
        { "{\"Command\":\"cancel\",\"Id\":\"" ID18 "\",\"Why\":\"x\"}", "unknown member \"Why\"" },
        { "{\"Command\":\"cancel\",\"id\":\"" ID18 "\"}", "did you mean Id?" },
        { "{\"Command\":\"cancel\",\"Id\":\"" ID18 "\",\"Reason\":\"\xff\"}", "Reason: must be UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct command command;
        struct err err = ERR_INIT;
        assert_int_equal(codec_read_command(&command, cases[i].json, strlen(cases[i].json), &err), ST_INVALID);
        if (!strstr(err.text, cases[i].reason))
            fail_msg("%s\nrefused: %s\nwanted:  %s", cases[i].json, err.text, cases[i].reason);
    }
}

static void a_reason_too_long_is_refused(void **state)
{
    char json[1000];
    struct command command;
    struct err err = ERR_INIT;

    (void)state;
    snprintf(json, sizeof json, "{\"Command\":\"cancel\",\"Id\":\"" ID18 "\",\"Reason\":\"%0256d\"}", 0);
    assert_int_equal(codec_read_command(&command, json, strlen(json), &err), ST_INVALID);
    assert_non_null(strstr(err.text, "Reason: must have at most 255 characters, got 256"));
}

static void the_table_agrees_with_the_message_file(void **state)
{
    static const char *const fields[] = { "command", "id", "type", "parent_key", "reason", "command_id", "token" };

    (void)state;
    assert_int_equal(command_members.count, bgop__v1__command__descriptor.n_fields);
    for (size_t i = 0; i < command_members.count; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&bgop__v1__command__descriptor, command_members.members[i].number);
        assert_non_null(field);
        assert_string_equal(field->name, fields[i]);
        assert_int_equal(field->type, PROTOBUF_C_TYPE_STRING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_read_from_json),
        cmocka_unit_test(written_commands_come_back),
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(a_reason_too_long_is_refused),
        cmocka_unit_test(the_table_agrees_with_the_message_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
