/* Commands: texts by the members' table, then what each command asks for. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bgop/v1/command.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/codec/members.h"
#include "common/codec/pack.h"

struct command_texts { /* as they came */
    char command[RECORD_STRING_SIZE], id[RECORD_STRING_SIZE];
    char type[RECORD_STRING_SIZE], parent_key[RECORD_STRING_SIZE];
    char reason[RECORD_STRING_SIZE], command_id[RECORD_STRING_SIZE], token[RECORD_STRING_SIZE];
};

#define MEMBER(name, number, field)                                      \
    {                                                                    \
        name, number, MEMBER_TEXT, offsetof(struct command_texts, field) \
    }
static const struct member members[] = {
    MEMBER("Command", 1, command),      MEMBER("Id", 2, id),         MEMBER("Type", 3, type),
    MEMBER("ParentKey", 4, parent_key), MEMBER("Reason", 5, reason), MEMBER("CommandId", 6, command_id),
    MEMBER("Token", 7, token),
};
const struct member_table command_members = { "a bgop.v1.Command", members, sizeof members / sizeof *members };

static const char *const names[] = {
    [COMMAND_CANCEL] = "cancel",
    [COMMAND_REDRIVE] = "redrive",
    [COMMAND_PAUSE] = "pause",
    [COMMAND_RESUME] = "resume",
};
enum { COMMAND_COUNT = sizeof names / sizeof *names, QUOTE_SIZE = 96 };

static enum status find_kind(const char *name, enum command_kind *kind, struct err *err)
{
    char quoted[QUOTE_SIZE];

    if (name[0] == '\0')
        return err_set(err, ST_INVALID, "Command: is required (cancel, redrive, pause or resume), got none");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (enum command_kind)i;
            return ST_OK;
        }
    }
    const char *nearest = text_nearest(name, names, COMMAND_COUNT);
    return err_set(err, ST_INVALID, "Command: must be cancel, redrive, pause or resume, got %s%s%s%s",
                   text_quote(quoted, sizeof quoted, name, strlen(name)), nearest ? " (did you mean " : "",
                   nearest ? nearest : "", nearest ? "?)" : "");
}

/* What it is aimed at: cancel and redrive at one operation, pause and resume at a Type or a ParentKey. A target that
 * the command does not take is refused: its sender expects more, or less, than would happen. */
static enum status check_target(const struct command_texts *texts, enum command_kind kind, struct err *err)
{
    bool of_one = kind == COMMAND_CANCEL || kind == COMMAND_REDRIVE;
    char quoted[QUOTE_SIZE];

    if (of_one && texts->id[0] == '\0')
        return err_set(err, ST_INVALID, "Id: is required for %s, got none", names[kind]);
    if (of_one && (texts->type[0] || texts->parent_key[0])) {
        return err_set(err, ST_INVALID, "%s: must not come with %s, which takes one Id",
                       texts->type[0] ? "Type" : "ParentKey", names[kind]);
    }
    if (!of_one && texts->token[0])
        return err_set(err, ST_INVALID, "Token: must not come with %s, which takes a Type or a ParentKey", names[kind]);
    if (!of_one && texts->id[0]) {
        return err_set(err, ST_INVALID, "Id: must not come with %s, which takes a Type or a ParentKey, got %s",
                       names[kind], text_quote(quoted, sizeof quoted, texts->id, strlen(texts->id)));
    }
    if (!of_one && (texts->type[0] != '\0') == (texts->parent_key[0] != '\0')) {
        return err_set(err, ST_INVALID, "Type or ParentKey: exactly one is required for %s, got %s", names[kind],
                       texts->type[0] ? "both" : "none");
    }
    return ST_OK;
}

/* 15 characters are completed to 18, of which the case does not matter. */
static enum status read_id(char to[ID_SIZE], const char *text, struct err *err)
{
    struct id_parts parts;
    char quoted[QUOTE_SIZE];

    to[0] = '\0';
    if (text[0] == '\0')
        return ST_OK;
    if (id_read(to, text, strlen(text), &parts))
        return ST_OK;
    to[0] = '\0';
    return err_set(err, ST_INVALID, "Id: must be the 15 or 18 characters of an Id, got %s",
                   text_quote(quoted, sizeof quoted, text, strlen(text)));
}

#define TOKEN_MAX INT64_C(9007199254740991) /* what the Redis Functions count with */

static enum status read_token(struct command *command, const char *text, struct err *err)
{
    char quoted[QUOTE_SIZE];
    int64_t token = 0;

    command->has_token = text[0] != '\0';
    if (command->has_token && !text_parse_int64(text, 0, TOKEN_MAX, &token)) {
        return err_set(err, ST_INVALID, "Token: must be a whole number below 2^53, as a text, got %s",
                       text_quote(quoted, sizeof quoted, text, strlen(text)));
    }
    command->token = (uint64_t)token;
    return ST_OK;
}

static void copy(char to[RECORD_STRING_SIZE], const char from[RECORD_STRING_SIZE])
{
    text_copy(to, RECORD_STRING_SIZE, from, strlen(from));
}

enum status codec_read_command(struct command *command, const void *data, size_t size, struct err *err)
{
    bool json = size > 0 && *(const char *)data == '{';
    struct command_texts texts = { 0 };

    command->id[0] = command->type[0] = command->parent_key[0] = command->reason[0] = command->command_id[0] = '\0';
    if (size == 0)
        return err_set(err, ST_INVALID, "empty message: must be %s or JSON", command_members.message);
    enum status st = (json ? members_read_json : members_read_protobuf)(&command_members, &texts, data, size, err);
    if (st == ST_OK)
        st = find_kind(texts.command, &command->kind, err);
    if (st == ST_OK)
        st = check_target(&texts, command->kind, err);
    if (st == ST_OK)
        st = read_id(command->id, texts.id, err);
    if (st == ST_OK)
        st = read_token(command, texts.token, err);
    if (st != ST_OK)
        return st;
    copy(command->type, texts.type);
    copy(command->parent_key, texts.parent_key);
    copy(command->reason, texts.reason);
    copy(command->command_id, texts.command_id);
    return ST_OK;
}

void codec_write_command(struct buf *to, const struct command *command)
{
    Bgop__V1__Command message = BGOP__V1__COMMAND__INIT;
    char token[24];

    message.command = pack_string(names[command->kind]);
    message.id = pack_text(command->id);
    message.type = pack_text(command->type);
    message.parent_key = pack_text(command->parent_key);
    message.reason = pack_text(command->reason);
    message.command_id = pack_text(command->command_id);
    snprintf(token, sizeof token, "%" PRIu64, command->token);
    message.token = command->has_token ? token : NULL;
    pack_message(to, &message.base);
}
