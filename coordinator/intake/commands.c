/* A turn calls, in this order: commands_settle (partitions that wait are paused, or go on when their time has come),
 * commands_add for each message, commands_deliver (entries to the status log, acknowledged; what cannot be resolved to
 * the rejects topic), then stores the offsets of what went through, then commands_done. Delivered twice, after a crash
 * between, a command is applied once: its command id, or its place in the topic, is the same. */
#include "coordinator/intake/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/record/routing.h"

enum {
    RECOVER_ASK_MS = 5000,
    PATIENCE_MS = 3000, /* then the rest waits for the next turn: the consumer must be polled */
    AGAIN_MS = 1000,
};

/* ---- those at hand ---- */

static void commands_clear(struct commands *commands)
{
    for (size_t i = 0; i < commands->count; i++)
        kafka_message_release(&commands->list[i]);
    commands->count = 0;
}

void commands_release(struct commands *commands)
{
    commands_clear(commands);
    rejects_release(&commands->rejects);
    free(commands->list);
    free(commands->waiting);
    *commands = (struct commands){ 0 };
}

static struct commands_waiting *waiting_find(const struct commands *commands, int partition)
{
    for (size_t i = 0; i < commands->waiting_count; i++) {
        if (commands->waiting[i].partition == partition)
            return &commands->waiting[i];
    }
    return NULL;
}

void commands_add(struct commands *commands, const struct kafka_message *message)
{
    GROW(commands->list, commands->count, commands->capacity);
    commands->list[commands->count++] = *message;
    if (waiting_find(commands, message->partition))
        kafka_message_release(&commands->list[--commands->count]);
}

void commands_forget(struct commands *commands)
{
    commands_clear(commands);
    commands->waiting_count = 0;
}

/* ---- those that wait ---- */

void commands_done(struct commands *commands, size_t through)
{
    for (size_t i = through; i < commands->count; i++) {
        const struct kafka_message *message = &commands->list[i];

        if (waiting_find(commands, message->partition))
            continue; /* from an earlier one on: a partition's messages are in order */
        GROW(commands->waiting, commands->waiting_count, commands->waiting_capacity);
        commands->waiting[commands->waiting_count++] = (struct commands_waiting){ .partition = message->partition,
                                                                                  .offset = message->offset,
                                                                                  .at_ms = clock_boot_ms() + AGAIN_MS };
    }
    commands_clear(commands);
}

bool commands_wait_from(struct commands *commands, int partition, int64_t offset)
{
    struct commands_waiting *waiting = waiting_find(commands, partition);

    if (waiting && offset < waiting->offset)
        waiting->offset = offset;
    return waiting;
}

void commands_settle(struct commands *commands, struct kafka_consumer *consumer, const char *topic)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < commands->waiting_count; i++) {
        struct commands_waiting *waiting = &commands->waiting[i];

        if (clock_boot_ms() < waiting->at_ms) {
            waiting->paused =
                waiting->paused || kafka_consumer_pause(consumer, topic, waiting->partition, &err) == ST_OK;
        } else if (kafka_consumer_resume(consumer, topic, waiting->partition, waiting->offset, &err) == ST_OK) {
            *waiting = commands->waiting[--commands->waiting_count];
            i--;
        }
    }
}

/* ---- one command ---- */

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
 * command was given in view of, when its sender does not say. A redrive that is applied after a later attempt has ended
 * is not meant for that one. */
static enum status command_token(struct loop *loop, const struct command *command, int shard, uint64_t *token,
                                 struct err *err)
{
    struct redis_reply *reply;
    char key[64];

    key_format(key, sizeof key, KEY_OP, shard, command->id);
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
    codec_write_status_batch(buf, &entry, 1, NULL, loop->shared->instance, loop->shared->genesis);
    BGOP_ASSERT(!buf->overflow);
    return appender_send(&loop->appender, "status", shard, buf->data, buf->size, err);
}

static enum status command_send(struct loop *loop, const struct kafka_message *message, struct rejects *rejects,
                                struct err *err)
{
    struct command command;
    struct err reason = ERR_INIT;
    int shard = -1, shards = (int)loop->shared->config->shards;
    enum status st = ST_OK;

    enum status read = codec_read_command(&command, message->value, message->value_size, &reason);
    if (read == ST_AGAIN)
        memory_exhausted();
    if (read == ST_OK)
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

/* ---- all of them ---- */

/* How many were sent: all, or those before the first that could not be, or as many as there is patience for. */
static size_t commands_append(struct commands *commands, struct loop *loop, struct err *err)
{
    int64_t deadline_ms = clock_boot_ms() + PATIENCE_MS;
    size_t sent = 0;

    while (sent < commands->count && clock_boot_ms() < deadline_ms && !loop_stopping(loop)) {
        loop_beat(loop);
        if (command_send(loop, &commands->list[sent], &commands->rejects, err) != ST_OK)
            break;
        sent++;
    }
    return sent;
}

size_t commands_deliver(struct commands *commands, struct loop *loop)
{
    struct err err = ERR_INIT, why = ERR_INIT;
    size_t through;

    if (commands->count == 0)
        return 0;
    rejects_clear(&commands->rejects);
    through = commands_append(commands, loop, &err);
    if (appender_wait(&loop->appender, &why) != ST_OK || rejects_deliver(&commands->rejects, loop, &why) != ST_OK) {
        err = why;
        through = 0;
    }
    if (err.text[0])
        outage_begin(&commands->outage, "commands", err.text);
    else if (through > 0)
        outage_end(&commands->outage, "commands");
    counter_add(&loop->shared->counters.commands, (int64_t)through);
    if (through > 0)
        crash_point(CRASH_COMMAND_AFTER);
    return through;
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
