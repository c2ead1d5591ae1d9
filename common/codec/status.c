/* The status log. Texts that came from handlers are made fit for the record here, on both ways: UTF-8, one line, at
 * most 255 characters. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgop/v1/status.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/codec/pack.h"
#include "common/record/retry.h"

const char *entry_kind_name(enum entry_kind kind)
{
    switch (kind) {
#define XX(id, value, name) \
    case ENTRY_##id: return name;
        ENTRY_KINDS(XX)
#undef XX
    }
    return NULL;
}

enum {
    BATCH_READ_MAX_BYTES = 2 * STATUS_BATCH_MAX_BYTES, /* a writer's last entry may have gone a little over */
    BUDGET_FACTOR = 16,                                /* memory per byte: the smallest entry takes 12 times its size */
    BUDGET_BYTES = 64 * 1024,
};

/* A result over the bound is cut, and says so at its end. */
static bool write_result(struct arena *arena, ProtobufCBinaryData *to, const char *result, size_t size)
{
    char mark[64];

    *to = (ProtobufCBinaryData){ size, (uint8_t *)pack_string(result) };
    if (size <= RESULT_MAX_BYTES)
        return true;
    size_t mark_size = (size_t)snprintf(mark, sizeof mark, "\n[cut by bgop: %zu bytes]", size);
    to->len = RESULT_MAX_BYTES;
    to->data = arena_take(arena, RESULT_MAX_BYTES);
    if (!to->data)
        return false;
    size_t kept = text_utf8_whole(result, RESULT_MAX_BYTES - mark_size);
    memcpy(to->data, result, kept);
    memcpy(to->data + kept, mark, mark_size);
    to->len = kept + mark_size;
    return true;
}

static bool write_entry(struct arena *arena, Bgop__V1__Entry *to, const struct status_entry *entry)
{
    bgop__v1__entry__init(to);
    to->kind = (Bgop__V1__EntryKind)entry->kind;
    to->id = pack_string(entry->id);
    to->token = entry->token;
    pack_int64(&to->has_started_at_ms, &to->started_at_ms, entry->started_at_ms);
    pack_int64(&to->has_duration_ms, &to->duration_ms, entry->duration_ms);
    pack_int64(&to->has_retry_after_ms, &to->retry_after_ms, entry->retry_after_ms);
    to->leader_id = pack_text(entry->leader_id);
    to->command_id = pack_text(entry->command_id);
    to->type = pack_text(entry->type);
    to->parent_key = pack_text(entry->parent_key);
    to->has_result = entry->result != NULL;
    if (entry->result && !write_result(arena, &to->result, entry->result, entry->result_size))
        return false;
    if (!entry->text)
        return true;
    to->text = arena_take(arena, RECORD_STRING_SIZE);
    if (to->text)
        text_one_line(to->text, RECORD_STRING_MAX_CHARACTERS, entry->text, entry->text_size);
    return to->text != NULL;
}

void codec_write_status_batch(struct buf *to, const struct status_entry *entries, size_t count, const char *worker_uri,
                              const char *instance, const char *queue)
{
    Bgop__V1__StatusBatch message = BGOP__V1__STATUS_BATCH__INIT;
    Bgop__V1__Entry *pointers[STATUS_BATCH_MAX_ENTRIES];
    struct arena arena;

    BGOP_ASSERT(count <= STATUS_BATCH_MAX_ENTRIES);
    arena_init(&arena, SIZE_MAX);
    Bgop__V1__Entry *packed = arena_take(&arena, count * sizeof *packed);
    bool done = packed != NULL;
    for (size_t i = 0; i < count && done; i++) {
        done = write_entry(&arena, &packed[i], &entries[i]);
        pointers[i] = &packed[i];
    }
    message.n_entry = count;
    message.entry = pointers;
    message.worker_uri = pack_text(worker_uri);
    message.instance = pack_text(instance);
    message.queue = pack_text(queue);
    if (done)
        pack_message(to, &message.base);
    else
        to->overflow = true; /* no memory */
    arena_release(&arena);
}

/* The text is ours (unpacked): made fit in place, where it never grows. */
static void read_text(struct status_entry *entry, char *text)
{
    char fit[RECORD_STRING_SIZE];

    text_one_line(fit, RECORD_STRING_MAX_CHARACTERS, text, strlen(text));
    entry->text_size = strlen(fit);
    memcpy(text, fit, entry->text_size + 1);
    entry->text = text;
}

static enum status read_id(char to[ID_SIZE], const char *id, size_t index, struct err *err)
{
    struct id_parts parts;
    char quoted[64];

    if (strlen(id) != ID_LENGTH || !id_parse(id, ID_LENGTH, &parts)) {
        return err_set(err, ST_INVALID, "entry %zu: must have an Id of 18 characters, got %s", index,
                       text_quote(quoted, sizeof quoted, id, strlen(id)));
    }
    memcpy(to, id, ID_SIZE);
    return ST_OK;
}

static enum status read_pause(struct status_entry *entry, const Bgop__V1__Entry *from, size_t index, struct err *err)
{
    entry->type = from->type && from->type[0] ? from->type : NULL;
    entry->parent_key = from->parent_key && from->parent_key[0] ? from->parent_key : NULL;
    if (from->id[0] || !entry->type == !entry->parent_key) {
        return err_set(err, ST_INVALID, "entry %zu: a %s must have a type or a parent_key and no id", index,
                       entry_kind_name(entry->kind));
    }
    return ST_OK;
}

/* In the bounds that every reader behind keeps exactly (Lua's numbers have 53 bits). */
static int64_t retry_wish_ms(int64_t ms)
{
    return ms < 0 ? -1 : ms > RETRY_DELAY_MAX_MS ? RETRY_DELAY_MAX_MS : ms;
}

static enum status read_entry(struct status_entry *entry, const Bgop__V1__Entry *from, size_t index, struct err *err)
{
    *entry = (struct status_entry){
        .kind = (enum entry_kind)from->kind,
        .token = from->token,
        .started_at_ms = from->has_started_at_ms ? from->started_at_ms : -1,
        .duration_ms = from->has_duration_ms ? from->duration_ms : -1,
        .retry_after_ms = from->has_retry_after_ms ? retry_wish_ms(from->retry_after_ms) : -1,
        .result = from->has_result ? (from->result.len ? (const char *)from->result.data : "") : NULL,
        .result_size = from->has_result ? from->result.len : 0,
        .command_id = from->command_id && from->command_id[0] ? from->command_id : NULL,
    };
    if (!entry_kind_name(entry->kind)) {
        return err_set(err, ST_INVALID, "entry %zu: unknown kind %d (written by a later version?)", index,
                       (int)from->kind);
    }
    if (from->text)
        read_text(entry, from->text);
    if (entry->kind == ENTRY_PAUSE || entry->kind == ENTRY_RESUME)
        return read_pause(entry, from, index, err);
    enum status st = read_id(entry->id, from->id, index, err);
    if (st == ST_OK && from->leader_id && from->leader_id[0])
        st = read_id(entry->leader_id, from->leader_id, index, err);
    return st;
}

static enum status read_entries(struct status_batch *batch, struct arena *arena, const Bgop__V1__StatusBatch *message,
                                struct err *err)
{
    if (message->n_entry > STATUS_BATCH_MAX_ENTRIES) {
        return err_set(err, ST_INVALID, "a status batch must have at most %d entries, got %zu",
                       STATUS_BATCH_MAX_ENTRIES, message->n_entry);
    }
    batch->entries = arena_take(arena, message->n_entry * sizeof *batch->entries);
    if (!batch->entries && !arena->starved)
        return err_set(err, ST_INVALID, "a status batch that asks for too much memory");
    if (!batch->entries)
        return err_set(err, ST_AGAIN, "out of memory");
    for (size_t i = 0; i < message->n_entry; i++) {
        enum status st = read_entry(&batch->entries[i], message->entry[i], i, err);
        if (st != ST_OK)
            return st;
    }
    batch->count = message->n_entry;
    batch->worker_uri = message->worker_uri ? message->worker_uri : "";
    batch->instance = message->instance ? message->instance : "";
    batch->queue = message->queue ? message->queue : "";
    return ST_OK;
}

enum status codec_read_status_batch(struct status_batch *batch, const void *data, size_t size, struct err *err)
{
    *batch = (struct status_batch){ 0 };
    if (size > BATCH_READ_MAX_BYTES) {
        return err_set(err, ST_INVALID, "a status batch must have at most %d bytes, got %zu", BATCH_READ_MAX_BYTES,
                       size);
    }
    struct arena *arena = malloc(sizeof *arena);
    if (!arena)
        return err_set(err, ST_AGAIN, "out of memory");
    arena_init(arena, BUDGET_BYTES + BUDGET_FACTOR * size);
    batch->message = arena;
    Bgop__V1__StatusBatch *message = bgop__v1__status_batch__unpack(&arena->allocator, size, data);
    enum status st = message          ? read_entries(batch, arena, message, err)
                     : arena->starved ? err_set(err, ST_AGAIN, "out of memory")
                                      : err_set(err, ST_INVALID, "not a bgop.v1.StatusBatch (%zu bytes)", size);
    if (st != ST_OK)
        status_batch_release(batch);
    return st;
}

void status_batch_release(struct status_batch *batch)
{
    if (batch->message)
        arena_release(batch->message);
    free(batch->message);
    *batch = (struct status_batch){ 0 };
}
