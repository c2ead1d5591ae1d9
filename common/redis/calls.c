/* The mutating functions' calls: arguments in the order of common/functions/README.md. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/redis/wire.h"

/* FCALL function 1 bgop:{shard} generation; the key lives until the command is sent. */
static struct redis_command *begin(struct redis *redis, const char *function, char key[SHARD_KEY_SIZE], int shard,
                                   int64_t generation)
{
    struct redis_command *command = redis_scratch(redis);

    redis_command_add_text(command, "FCALL");
    redis_command_add_text(command, function);
    redis_command_add_text(command, "1");
    redis_command_add_text(command, functions_shard_key(key, shard, ""));
    redis_command_add_int(command, generation);
    return command;
}

/* Absent (negative) numbers are empty arguments. */
static void add_optional(struct redis_command *command, int64_t number)
{
    if (number < 0)
        redis_command_add(command, "", 0);
    else
        redis_command_add_int(command, number);
}

static void add_text_or_empty(struct redis_command *command, const char *text)
{
    redis_command_add_text(command, text ? text : "");
}

/* from, next, fp_offset, fp_crc, fp_timestamp */
static void add_move(struct redis_command *command, const struct fence_move *move)
{
    redis_command_add_int(command, move->from);
    redis_command_add_int(command, move->next);
    redis_command_add_int(command, move->fingerprint.offset);
    redis_command_add_int(command, move->fingerprint.crc);
    redis_command_add_int(command, move->fingerprint.timestamp_ms);
}

/* ---- ingest ---- */

static void add_ingest_op(struct redis_command *command, const struct ingest_op *op)
{
    const struct submission *submission = op->submission;

    redis_command_add(command, op->id, ID_LENGTH);
    redis_command_add_text(command, submission->type);
    redis_command_add_text(command, submission->parent_key);
    redis_command_add_text(command, submission->name);
    add_optional(command, submission->process_after_ms);
    add_optional(command, submission->retry_backoff_ms);
    add_optional(command, submission->retry_limit);
    add_optional(command, submission->timeout_ms);
    redis_command_add_text(command, submission->sequence_group);
    add_optional(command, submission->sequence_number);
    redis_command_add_int(command, op->crc);
    if (submission->name[0])                        /* only a Name is compared by content: spare the checksum */
        redis_command_add_uint(command, submission_content(submission));
    else
        redis_command_add(command, "", 0);
    add_text_or_empty(command, op->traceparent);
    redis_command_add(command, submission->payload, submission->payload_size);
}

enum status ingest_send(struct redis *redis, const struct ingest *call, struct err *err)
{
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, "bgop_ingest", key, call->shard, call->generation);

    redis_command_add_int(command, (int64_t)call->move_count);
    for (size_t i = 0; i < call->move_count; i++) {
        redis_command_add_int(command, call->moves[i].partition);
        add_move(command, &call->moves[i]);
    }
    redis_command_add_int(command, call->rejected);
    for (size_t i = 0; i < call->op_count; i++)
        add_ingest_op(command, &call->ops[i]);
    return redis_send(redis, command, err);
}

/* ---- the worker's ---- */

enum status claim_send(struct redis *redis, const struct claim *call, struct err *err)
{
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, "bgop_claim", key, call->shard, call->generation);

    redis_command_add_text(command, call->instance);
    redis_command_add_text(command, call->worker_uri);
    redis_command_add_text(command, call->nonce);
    redis_command_add_text(command, call->type);
    redis_command_add_int(command, call->want);
    for (size_t i = 0; i < call->id_count; i++)
        redis_command_add(command, call->ids[i], ID_LENGTH);
    return redis_send(redis, command, err);
}

static enum status lease_send(struct redis *redis, const char *function, const struct renew *call, bool reassert,
                              struct err *err)
{
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, function, key, call->shard, call->generation);

    redis_command_add_text(command, call->instance);
    redis_command_add_text(command, call->worker_uri);
    add_text_or_empty(command, call->types);
    redis_command_add_int(command, call->slots);
    for (size_t i = 0; i < call->lease_count; i++) {
        const struct lease_ref *lease = &call->leases[i];

        redis_command_add(command, lease->id, ID_LENGTH);
        redis_command_add_uint(command, lease->token);
        if (reassert) {
            add_text_or_empty(command, lease->type);
            redis_command_add_int(command, lease->started_at_ms);
        }
    }
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

/* A pause or resume: no Id; the ParentKey stands for the result, the Type for the leader Id. */
static void add_pause(struct redis_command *command, const struct status_entry *entry)
{
    redis_command_add_text(command, entry_kind_name(entry->kind));
    redis_command_add_text(command, "");
    redis_command_add_text(command, "0");
    for (int absent = 0; absent < 3; absent++)
        redis_command_add_text(command, "");
    redis_command_add(command, entry->text, entry->text ? entry->text_size : 0);
    redis_command_add_text(command, "");
    add_text_or_empty(command, entry->parent_key);
    add_text_or_empty(command, entry->type);
    add_text_or_empty(command, entry->command_id);
}

static void add_entry(struct redis_command *command, const struct apply_entry *applied)
{
    const struct status_entry *entry = applied->entry;

    if (entry->kind == ENTRY_PAUSE || entry->kind == ENTRY_RESUME) {
        add_pause(command, entry);
        return;
    }
    redis_command_add_text(command, entry_kind_name(entry->kind));
    redis_command_add(command, entry->id, ID_LENGTH);
    redis_command_add_uint(command, entry->token);
    add_optional(command, entry->started_at_ms);
    add_optional(command, entry->duration_ms);
    add_text_or_empty(command, applied->worker_uri);
    redis_command_add(command, entry->text, entry->text ? entry->text_size : 0);
    add_optional(command, entry->retry_after_ms);
    redis_command_add(command, entry->result, entry->result ? entry->result_size : 0);
    redis_command_add_text(command, entry->leader_id);
    add_text_or_empty(command, entry->command_id);
}

enum status apply_send(struct redis *redis, const struct apply *call, struct err *err)
{
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, "bgop_apply", key, call->shard, call->generation);

    add_move(command, &call->move);
    for (size_t i = 0; i < call->entry_count; i++)
        add_entry(command, &call->entries[i]);
    return redis_send(redis, command, err);
}

enum status tick_send(struct redis *redis, int shard, int64_t generation, int64_t read_to_ms, int budget,
                      struct err *err)
{
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, "bgop_tick", key, shard, generation);

    redis_command_add_int(command, read_to_ms);
    redis_command_add_int(command, budget);
    return redis_send(redis, command, err);
}

/* ---- recovery ---- */

/* One line, members in a fixed order: the settings' version rises when the text differs. */
static void write_settings(char *text, size_t room, const struct type_settings *type)
{
    snprintf(text, room,
             "{\"retry_backoff_ms\":%lld,\"retry_limit\":%lld,\"timeout_ms\":%lld,\"retention_s\":%lld,"
             "\"retention_error_s\":%lld,\"merge_max\":%lld,\"merge_max_bytes\":%lld,"
             "\"max_running_per_parent\":%lld,\"on_sequence_failure\":\"%s\",\"redrive_limit\":%lld,"
             "\"declared\":%s}",
             (long long)type->retry_backoff_ms, (long long)type->retry_limit, (long long)type->timeout_ms,
             (long long)type->retention_s, (long long)type->retention_error_s, (long long)type->merge_max,
             (long long)type->merge_max_bytes, (long long)type->max_running_per_parent, type->on_sequence_failure,
             (long long)type->redrive_limit, type->declared ? "true" : "false");
}

enum status arm_send(struct redis *redis, const struct arm *call, struct err *err)
{
    enum { SETTINGS_SIZE = 512 };
    char key[SHARD_KEY_SIZE];
    struct redis_command *command = begin(redis, "bgop_arm", key, call->shard, call->generation);
    char *settings = xcalloc(call->type_count + 1, SETTINGS_SIZE);
    enum status st;

    redis_command_add_int(command, call->status_mark);
    redis_command_add_int(command, (int64_t)call->submit_mark_count);
    for (size_t i = 0; i < call->submit_mark_count; i++) {
        redis_command_add_int(command, call->submit_marks[i].partition);
        redis_command_add_int(command, call->submit_marks[i].next);
    }
    redis_command_add_int(command, call->queue.lease_ms);
    redis_command_add_int(command, call->queue.retry_max_delay_ms);
    redis_command_add_int(command, call->queue.log_days);
    redis_command_add_int(command, call->queue.deleted_log_days);
    for (size_t i = 0; i < call->type_count; i++) {
        char *text = settings + i * SETTINGS_SIZE;

        write_settings(text, SETTINGS_SIZE, &call->types[i]);
        redis_command_add_text(command, call->types[i].name);
        redis_command_add_text(command, text);
    }
    st = redis_send(redis, command, err);
    free(settings);
    return st;
}

enum status open_send(struct redis *redis, int shard, int64_t generation, struct err *err)
{
    char key[SHARD_KEY_SIZE];

    return redis_send(redis, begin(redis, "bgop_open", key, shard, generation), err);
}
