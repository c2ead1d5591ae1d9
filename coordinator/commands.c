#include "coordinator/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/routing.h"
#include "coordinator/crash.h"

enum { RECOVER_ASK_MS = 5000 };

void commands_clear(struct commands *commands)
{
    for (size_t i = 0; i < commands->count; i++)
        kafka_message_release(&commands->list[i]);
    commands->count = 0;
}

void commands_release(struct commands *commands)
{
    commands_clear(commands);
    free(commands->list);
    *commands = (struct commands){ 0 };
}

void commands_add(struct commands *commands, const struct kafka_message *message)
{
    GROW(commands->list, commands->count, commands->capacity);
    commands->list[commands->count++] = *message;
}

int command_shard(const struct command *command, int shards, struct err *err)
{
    struct id_parts parts;

    if (command->type[0])
        return COMMAND_ALL_SHARDS;
    if (command->parent_key[0])
        return routing_shard(command->parent_key, strlen(command->parent_key), 0, 0, shards);
    if (!command->id[0]) {
        err_set(err, ST_INVALID, "Id: must be given for cancel and redrive, got none");
        return -1;
    }
    if (!id_parse(command->id, strlen(command->id), &parts) || parts.shard >= shards) {
        err_set(err, ST_INVALID, "Id: must be an Id of this queue, got \"%s\"", command->id);
        return -1;
    }
    return parts.shard;
}

/* The token of the operation's latest attempt as the record has it now (0: never attempted, or no record): what the
 * command was given in view of, when its sender does not say. A redrive that is applied after a later attempt has ended is not meant for that one. */
static enum status command_token(struct loop *loop, const struct command *command, int shard, uint64_t *token,
                                 struct err *err)
{
    struct redis_reply *reply;
    char key[64];

    snprintf(key, sizeof key, "bgop:{%d}:op:%s", shard, command->id);
    enum status st = redis_call(loop->redis, &reply, err, "HGET", key, "token", NULL);
    if (st != ST_OK)
        return st;
    *token = (uint64_t)redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return ST_OK;
}

static const enum entry_kind entry_kinds[] = {
    [COMMAND_CANCEL] = ENTRY_CANCEL,
    [COMMAND_REDRIVE] = ENTRY_REDRIVE,
    [COMMAND_PAUSE] = ENTRY_PAUSE,
    [COMMAND_RESUME] = ENTRY_RESUME,
};

/* A command without an id of its own gets one from its place in the topic: read twice, it is still one command. */
static enum status command_append(struct loop *loop, const struct kafka_message *message, const struct command *command,
                                  int shard, struct err *err)
{
    struct buf *buf = &loop->appender.buf;
    char place[64];
    struct status_entry entry = {
        .kind = entry_kinds[command->kind],
        .started_at_ms = -1,
        .duration_ms = -1,
        .retry_after_ms = -1,
        .text = command->reason[0] ? command->reason : NULL,
        .text_size = strlen(command->reason),
        .command_id = command->command_id[0] ? command->command_id : place,
        .type = command->type,
        .parent_key = command->parent_key,
    };
    enum status st = ST_OK;

    if (command->has_token)
        entry.token = command->token;
    else if (command->id[0])
        st = command_token(loop, command, shard, &entry.token, err);

    if (st != ST_OK)
        return st;
    snprintf(place, sizeof place, "%d-%" PRId64, message->partition, message->offset);
    memcpy(entry.id, command->id, sizeof entry.id);
    buf_clear(buf);
    codec_write_status_batch(buf, &entry, 1, NULL, loop->shared->instance);
    return appender_send(&loop->appender, "status", shard, buf->data, buf->size, err);
}

static enum status command_send(struct loop *loop, const struct kafka_message *message, struct rejects *rejects,
                                struct err *err)
{
    struct command command;
    struct err reason = ERR_INIT;
    int shard = -1, shards = (int)loop->shared->config->shards;
    enum status st = ST_OK;

    if (codec_read_command(&command, message->value, message->value_size, &reason) == ST_OK)
        shard = command_shard(&command, shards, &reason);
    if (shard == COMMAND_ALL_SHARDS) {
        for (shard = 0; shard < shards && st == ST_OK; shard++)
            st = command_append(loop, message, &command, shard, err);
        return st;
    }
    if (shard >= 0)
        return command_append(loop, message, &command, shard, err);
    rejects_add(rejects, message, reason.text);
    return ST_OK;
}

static enum status commands_append(struct commands *commands, struct loop *loop, struct rejects *rejects,
                                   struct err *err)
{
    enum status sent = ST_OK, delivered;

    for (size_t i = 0; i < commands->count && sent == ST_OK; i++)
        sent = command_send(loop, &commands->list[i], rejects, err);
    delivered = appender_wait(&loop->appender, err);
    return sent != ST_OK ? sent : delivered;
}

enum status commands_deliver(struct commands *commands, struct loop *loop, struct rejects *rejects, struct err *err)
{
    while (commands->count > 0) {
        if (commands_append(commands, loop, rejects, err) == ST_OK)
            break;
        rejects_clear(rejects);
        if (loop_stopping(loop))
            return ST_AGAIN;
        log_error_text(LOG_LEVEL_WARNING, "commands not delivered", err->text, "count=%zu", commands->count);
        loop_pause(loop, 1000);
    }
    counter_add(&loop->shared->counters.commands, (int64_t)commands->count);
    if (commands->count > 0)
        crash_point(CRASH_COMMAND_AFTER);
    return ST_OK;
}

enum status commands_recover(struct kafka_consumer *consumer, const char *topic, int partition)
{
    struct err err = ERR_INIT;
    int64_t start, end, *offsets = xcalloc((size_t)partition + 1, sizeof *offsets), position;
    enum status st = kafka_consumer_log_range(consumer, topic, partition, RECOVER_ASK_MS, &start, &end, &err);

    if (st == ST_OK)
        st = kafka_consumer_committed(consumer, topic, partition + 1, RECOVER_ASK_MS, offsets, &err);
    position = offsets[partition];
    free(offsets);
    if (st == ST_OK)
        st = kafka_consumer_seek(consumer, topic, partition, position > end ? end : start, &err);
    if (st != ST_OK)
        return ST_AGAIN;
    log_event(LOG_LEVEL_ERROR, "commands lost",
              "topic=%s partition=%d position=%" PRId64 " log-start=%" PRId64 " log-end=%" PRId64, topic, partition,
              position, start, end);
    return ST_OK;
}
