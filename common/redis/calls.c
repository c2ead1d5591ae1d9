/* The mutating functions' calls: where each argument stands, common/functions/wire_tables.h says. A command borrows what it
 * is given until it is sent (redis_send copies it into the connection's buffer), so texts that are made here live that long.
 * Fields that are added and not set are empty: absent. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/functions/wire_tables.h"
#include "common/record/keys.h"
#include "common/redis/edge.h"
#include "common/redis/functions.h"

/* FCALL function 1 bgop:{shard}, then the head of the call, empty but for its generation; *head is its first field. The
 * key lives until the command is sent. */
static struct redis_command *begin(struct redis *redis, const char *function, char key[KEY_SIZE], int shard,
                                   int64_t generation, size_t head_size, size_t *head)
{
    struct redis_command *command = redis_scratch(redis);

    redis_command_add_text(command, "FCALL");
    redis_command_add_text(command, function);
    redis_command_add_text(command, "1");
    redis_command_add_text(command, key_format(key, KEY_SIZE, KEY_SHARD, shard, NULL));
    *head = redis_command_add_fields(command, head_size);
    redis_command_set_int(command, *head, generation); /* every head begins with it */
    return command;
}

/* Absent (negative) numbers are empty arguments. */
static void set_optional(struct redis_command *command, size_t index, int64_t number)
{
    if (number >= 0)
        redis_command_set_int(command, index, number);
}

static void set_text_if_any(struct redis_command *command, size_t index, const char *text)
{
    if (text)
        redis_command_set_text(command, index, text);
}

static void set_bytes_if_any(struct redis_command *command, size_t index, const char *bytes, size_t size)
{
    if (bytes)
        redis_command_set(command, index, bytes, size);
}

/* first: of a WIRE_FENCE_MOVE. */
static void set_move(struct redis_command *command, size_t first, const struct fence_move *move)
{
    redis_command_set_int(command, first + WIRE_FENCE_MOVE_FROM, move->from);
    redis_command_set_int(command, first + WIRE_FENCE_MOVE_NEXT, move->next);
    redis_command_set_int(command, first + WIRE_FENCE_MOVE_FP_OFFSET, move->fingerprint.offset);
    redis_command_set_int(command, first + WIRE_FENCE_MOVE_FP_CRC, move->fingerprint.crc);
    redis_command_set_int(command, first + WIRE_FENCE_MOVE_FP_TIMESTAMP, move->fingerprint.timestamp_ms);
}

/* ---- ingest ---- */

static void add_ingest_op(struct redis_command *command, const struct ingest_op *op, bool replay)
{
    const struct submission *submission = op->submission;
    size_t at = redis_command_add_fields(command, WIRE_OP_SIZE);

    redis_command_set(command, at + WIRE_OP_ID, op->id, ID_LENGTH);
    redis_command_set_text(command, at + WIRE_OP_TYPE, submission->type);
    redis_command_set_text(command, at + WIRE_OP_PARENT_KEY, submission->parent_key);
    redis_command_set_text(command, at + WIRE_OP_NAME, submission->name);
    set_optional(command, at + WIRE_OP_PROCESS_AFTER, submission->process_after_ms);
    set_optional(command, at + WIRE_OP_RETRY_BACKOFF, submission->retry_backoff_ms);
    set_optional(command, at + WIRE_OP_RETRY_LIMIT, submission->retry_limit);
    set_optional(command, at + WIRE_OP_TIMEOUT, submission->timeout_ms);
    redis_command_set_text(command, at + WIRE_OP_SEQUENCE_GROUP, submission->sequence_group);
    set_optional(command, at + WIRE_OP_SEQUENCE_NUMBER, submission->sequence_number);
    redis_command_set_int(command, at + WIRE_OP_CRC, op->crc);
    if (replay && op->submitted_at_ms > 0)
        redis_command_set_int(command, at + WIRE_OP_SUBMITTED_AT, op->submitted_at_ms);
    if (submission->name[0]) /* only a Name is compared by content: spare the checksum */
        redis_command_set_uint(command, at + WIRE_OP_CONTENT, submission_content(submission));
    set_text_if_any(command, at + WIRE_OP_TRACEPARENT, op->traceparent);
    redis_command_set(command, at + WIRE_OP_PAYLOAD, submission->payload, submission->payload_size);
}

enum status ingest_send(struct redis *redis, const struct ingest *call, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command =
        begin(redis, "bgop_ingest", key, call->shard, call->generation, WIRE_INGEST_SIZE, &head);

    redis_command_set_int(command, head + WIRE_INGEST_MOVES, (int64_t)call->move_count);
    for (size_t i = 0; i < call->move_count; i++) {
        size_t at = redis_command_add_fields(command, WIRE_MOVE_SIZE);

        redis_command_set_int(command, at + WIRE_MOVE_PARTITION, call->moves[i].partition);
        set_move(command, at + WIRE_MOVE_FROM, &call->moves[i]);
    }
    redis_command_add_int(command, call->rejected);
    size_t columns = redis_command_add_fields(command, 1);
    for (size_t i = 0; i < call->op_count; i++)
        add_ingest_op(command, &call->ops[i], call->replay);
    redis_command_columns(command, columns, WIRE_OP_SIZE);
    return redis_send(redis, command, err);
}

/* ---- the worker's ---- */

enum status claim_send(struct redis *redis, const struct claim *call, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command =
        begin(redis, "bgop_claim", key, call->shard, call->generation, WIRE_CLAIM_SIZE, &head);

    redis_command_set_text(command, head + WIRE_CLAIM_INSTANCE, call->instance);
    redis_command_set_text(command, head + WIRE_CLAIM_WORKER_URI, call->worker_uri);
    redis_command_set_text(command, head + WIRE_CLAIM_NONCE, call->nonce);
    redis_command_set_text(command, head + WIRE_CLAIM_TYPE, call->type);
    redis_command_set_int(command, head + WIRE_CLAIM_WANT, call->want);
    for (size_t i = 0; i < call->id_count; i++)
        redis_command_add(command, call->ids[i], ID_LENGTH);
    return redis_send(redis, command, err);
}

static void add_lease(struct redis_command *command, const struct lease_ref *lease, bool reassert)
{
    size_t at = redis_command_add_fields(command, reassert ? WIRE_REASSERT_SIZE : WIRE_LEASE_SIZE);

    redis_command_set(command, at + WIRE_LEASE_ID, lease->id, ID_LENGTH);
    redis_command_set_uint(command, at + WIRE_LEASE_TOKEN, lease->token);
    if (reassert) {
        set_text_if_any(command, at + WIRE_REASSERT_TYPE, lease->type);
        redis_command_set_int(command, at + WIRE_REASSERT_STARTED_AT, lease->started_at_ms);
    }
}

static enum status lease_send(struct redis *redis, const char *function, const struct renew *call, bool reassert,
                              struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command = begin(redis, function, key, call->shard, call->generation, WIRE_RENEW_SIZE, &head);

    redis_command_set_text(command, head + WIRE_RENEW_INSTANCE, call->instance);
    redis_command_set_text(command, head + WIRE_RENEW_WORKER_URI, call->worker_uri);
    set_text_if_any(command, head + WIRE_RENEW_TYPES, call->types);
    redis_command_set_int(command, head + WIRE_RENEW_SLOTS, call->slots);
    for (size_t i = 0; i < call->lease_count; i++)
        add_lease(command, &call->leases[i], reassert);
    return redis_send(redis, command, err);
}

enum status renew_send(struct redis *redis, const struct renew *call, struct err *err)
{
    return lease_send(redis, "bgop_renew", call, false, err);
}

enum status reassert_send(struct redis *redis, const struct renew *call, struct err *err)
{
    return lease_send(redis, "bgop_reassert", call, true, err);
}

/* ---- the status log ---- */

static void add_pause(struct redis_command *command, const struct status_entry *entry)
{
    size_t at = redis_command_add_fields(command, WIRE_PAUSE_SIZE);

    redis_command_set_text(command, at + WIRE_PAUSE_KIND, entry_kind_name(entry->kind));
    redis_command_set_text(command, at + WIRE_PAUSE_TOKEN, "0");
    set_bytes_if_any(command, at + WIRE_PAUSE_REASON, entry->text, entry->text_size);
    set_text_if_any(command, at + WIRE_PAUSE_PARENT_KEY, entry->parent_key);
    set_text_if_any(command, at + WIRE_PAUSE_TYPE, entry->type);
    set_text_if_any(command, at + WIRE_PAUSE_COMMAND_ID, entry->command_id);
}

static void add_entry(struct redis_command *command, const struct apply_entry *applied)
{
    const struct status_entry *entry = applied->entry;
    size_t at = redis_command_add_fields(command, WIRE_ENTRY_SIZE);

    redis_command_set_text(command, at + WIRE_ENTRY_KIND, entry_kind_name(entry->kind));
    redis_command_set(command, at + WIRE_ENTRY_ID, entry->id, ID_LENGTH);
    redis_command_set_uint(command, at + WIRE_ENTRY_TOKEN, entry->token);
    set_optional(command, at + WIRE_ENTRY_STARTED_AT, entry->started_at_ms);
    set_optional(command, at + WIRE_ENTRY_DURATION, entry->duration_ms);
    set_text_if_any(command, at + WIRE_ENTRY_WORKER_URI, applied->worker_uri);
    set_bytes_if_any(command, at + WIRE_ENTRY_TEXT, entry->text, entry->text_size);
    set_optional(command, at + WIRE_ENTRY_RETRY_AFTER, entry->retry_after_ms);
    set_bytes_if_any(command, at + WIRE_ENTRY_RESULT, entry->result, entry->result_size);
    redis_command_set_text(command, at + WIRE_ENTRY_LEADER_ID, entry->leader_id);
    set_text_if_any(command, at + WIRE_ENTRY_COMMAND_ID, entry->command_id);
}

enum status apply_send(struct redis *redis, const struct apply *call, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command =
        begin(redis, "bgop_apply", key, call->shard, call->generation, WIRE_APPLY_SIZE, &head);

    set_move(command, head + WIRE_APPLY_FROM, &call->move);
    size_t columns = redis_command_add_fields(command, 1);
    for (size_t i = 0; i < call->entry_count; i++) {
        enum entry_kind kind = call->entries[i].entry->kind;

        if (kind == ENTRY_PAUSE || kind == ENTRY_RESUME)
            add_pause(command, call->entries[i].entry);
        else
            add_entry(command, &call->entries[i]);
    }
    redis_command_columns(command, columns, WIRE_ENTRY_SIZE);
    return redis_send(redis, command, err);
}

enum status tick_send(struct redis *redis, int shard, int64_t generation, int64_t read_to_ms, int budget,
                      struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command = begin(redis, "bgop_tick", key, shard, generation, WIRE_TICK_SIZE, &head);

    redis_command_set_int(command, head + WIRE_TICK_READ_TO, read_to_ms);
    redis_command_set_int(command, head + WIRE_TICK_BUDGET, budget);
    return redis_send(redis, command, err);
}

/* ---- recovery ---- */

enum status rewind_send(struct redis *redis, const struct fence_rewind *call, struct err *err)
{
    char key[KEY_SIZE], field[16];
    size_t head;
    struct redis_command *command =
        begin(redis, "bgop_rewind", key, call->shard, call->generation, WIRE_REWIND_SIZE, &head);

    snprintf(field, sizeof field, call->status ? "t" : "s%d", call->move.partition);
    redis_command_set_text(command, head + WIRE_REWIND_FIELD, field);
    set_move(command, head + WIRE_REWIND_FROM, &call->move);
    return redis_send(redis, command, err);
}

enum status clock_send(struct redis *redis, int shard, int64_t generation, int64_t expected_ms, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command = begin(redis, "bgop_clock", key, shard, generation, WIRE_CLOCK_SIZE, &head);

    redis_command_set_int(command, head + WIRE_CLOCK_EXPECTED, expected_ms);
    return redis_send(redis, command, err);
}

/* Room for the text below: of each setting its name, and the longest value. */
#define INT_ROOM(name, ...)                       +sizeof "\"" #name "\":-9223372036854775808,"
#define CHOICE_ROOM(name, initial, choices, help) +sizeof "\"" #name "\":\"" choices "\","
enum { SETTINGS_SIZE = sizeof "{\"declared\":false}" TYPE_SETTINGS(INT_ROOM, CHOICE_ROOM) };
#undef INT_ROOM
#undef CHOICE_ROOM

/* One line, members in a fixed order: the settings' version rises when the text differs. */
static void write_settings(char *text, size_t room, const struct type_settings *type)
{
#define INT_TEXT(name, ...)     "\"" #name "\":%lld,"
#define CHOICE_TEXT(name, ...)  "\"" #name "\":\"%s\","
#define INT_VALUE(name, ...)    (long long)type->name,
#define CHOICE_VALUE(name, ...) type->name,
    snprintf(text, room, "{" TYPE_SETTINGS(INT_TEXT, CHOICE_TEXT) "\"declared\":%s}",
             TYPE_SETTINGS(INT_VALUE, CHOICE_VALUE) type->declared ? "true" : "false");
#undef INT_TEXT
#undef CHOICE_TEXT
#undef INT_VALUE
#undef CHOICE_VALUE
}

enum status arm_send(struct redis *redis, const struct arm *call, struct err *err)
{
    char key[KEY_SIZE];
    size_t head, queue;
    struct redis_command *command = begin(redis, "bgop_arm", key, call->shard, call->generation, WIRE_ARM_SIZE, &head);
    char *settings = xcalloc(call->type_count + 1, SETTINGS_SIZE);
    enum status st;

    redis_command_set_int(command, head + WIRE_ARM_STATUS_MARK, call->status_mark);
    redis_command_set_int(command, head + WIRE_ARM_MARKS, (int64_t)call->submit_mark_count);
    for (size_t i = 0; i < call->submit_mark_count; i++) {
        size_t at = redis_command_add_fields(command, WIRE_MARK_SIZE);

        redis_command_set_int(command, at + WIRE_MARK_PARTITION, call->submit_marks[i].partition);
        redis_command_set_int(command, at + WIRE_MARK_NEXT, call->submit_marks[i].next);
    }
    queue = redis_command_add_fields(command, WIRE_ARM_QUEUE_SIZE);
    redis_command_set_int(command, queue + WIRE_ARM_QUEUE_LEASE_MS, call->queue.lease_ms);
    redis_command_set_int(command, queue + WIRE_ARM_QUEUE_RETRY_MAX_DELAY_MS, call->queue.retry_max_delay_ms);
    redis_command_set_int(command, queue + WIRE_ARM_QUEUE_LOG_DAYS, call->queue.log_days);
    redis_command_set_int(command, queue + WIRE_ARM_QUEUE_DELETED_LOG_DAYS, call->queue.deleted_log_days);
    for (size_t i = 0; i < call->type_count; i++) {
        size_t at = redis_command_add_fields(command, WIRE_ARM_TYPE_SIZE);
        char *text = settings + i * SETTINGS_SIZE;

        write_settings(text, SETTINGS_SIZE, &call->types[i]);
        redis_command_set_text(command, at + WIRE_ARM_TYPE_TYPE, call->types[i].name);
        redis_command_set_text(command, at + WIRE_ARM_TYPE_SETTINGS, text);
    }
    st = redis_send(redis, command, err);
    free(settings);
    return st;
}

enum status open_send(struct redis *redis, int shard, int64_t generation, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;

    return redis_send(redis, begin(redis, "bgop_open", key, shard, generation, WIRE_OPEN_SIZE, &head), err);
}

/* ---- health ---- */

/* As begin, of a function that asks for no generation. */
static struct redis_command *begin_open(struct redis *redis, const char *function, char key[KEY_SIZE], int shard,
                                        size_t head_size, size_t *head)
{
    struct redis_command *command = begin(redis, function, key, shard, 0, head_size, head);

    redis_command_set_text(command, *head, "");
    return command;
}

enum status beat_send(struct redis *redis, const struct beat *beat, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command = begin_open(redis, "bgop_beat", key, beat->shard, WIRE_BEAT_SIZE, &head);

    redis_command_set_text(command, head + WIRE_BEAT_KIND, beat->kind);
    redis_command_set_text(command, head + WIRE_BEAT_INSTANCE, beat->instance);
    redis_command_set_text(command, head + WIRE_BEAT_STATE, beat->left ? "left" : "runs");
    set_text_if_any(command, head + WIRE_BEAT_KAFKA, beat->kafka);
    set_text_if_any(command, head + WIRE_BEAT_REDIS, beat->redis);
    return redis_send(redis, command, err);
}

enum status sources_send(struct redis *redis, int shard, const char *instance, const struct source_beat *states,
                         size_t count, struct err *err)
{
    char key[KEY_SIZE];
    size_t head;
    struct redis_command *command = begin_open(redis, "bgop_source", key, shard, WIRE_SOURCE_BEAT_SIZE, &head);

    redis_command_set_text(command, head + WIRE_SOURCE_BEAT_INSTANCE, instance);
    for (size_t i = 0; i < count; i++) {
        size_t at = redis_command_add_fields(command, WIRE_SOURCE_STATE_SIZE);

        redis_command_set_text(command, at + WIRE_SOURCE_STATE_SOURCE, states[i].source);
        redis_command_set_text(command, at + WIRE_SOURCE_STATE_STATE, states[i].state);
        redis_command_set_text(command, at + WIRE_SOURCE_STATE_WHY, states[i].why);
    }
    return redis_send(redis, command, err);
}
