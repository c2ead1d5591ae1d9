/* Status batches: what is accepted holds its bounds, and comes back when written. */
#include <string.h>

#include "common/base/text.h"
#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct status_entry *a, const struct status_entry *b)
{
    FUZZ_CHECK(a->kind == b->kind && a->token == b->token && strcmp(a->id, b->id) == 0 &&
               strcmp(a->leader_id, b->leader_id) == 0);
    FUZZ_CHECK(same_text(a->text, b->text) && same_text(a->command_id, b->command_id));
    FUZZ_CHECK(a->started_at_ms < 0 || a->started_at_ms == b->started_at_ms);
    FUZZ_CHECK(!a->result == !b->result);
    if (a->result && a->result_size <= RESULT_MAX_BYTES)
        FUZZ_CHECK(a->result_size == b->result_size && memcmp(a->result, b->result, a->result_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status_batch batch, back;
    struct err err = ERR_INIT;
    struct buf buf;

    if (codec_read_status_batch(&batch, data, size, &err) != ST_OK) {
        FUZZ_CHECK(err.status == ST_INVALID && text_utf8_length(err.text, strlen(err.text)) > 0 && !batch.message);
        return 0;
    }
    FUZZ_CHECK(batch.count <= STATUS_BATCH_MAX_ENTRIES);
    for (size_t i = 0; i < batch.count; i++) {
        const struct status_entry *entry = &batch.entries[i];
        bool pause = entry->kind == ENTRY_PAUSE || entry->kind == ENTRY_RESUME;

        FUZZ_CHECK(entry_kind_name(entry->kind) && strlen(entry->id) == (pause ? 0 : ID_LENGTH));
        FUZZ_CHECK(!pause || !entry->type != !entry->parent_key);
        if (entry->text)
            FUZZ_CHECK(strlen(entry->text) == entry->text_size &&
                       text_utf8_length(entry->text, entry->text_size) <= RECORD_STRING_MAX_CHARACTERS);
    }
    buf_init(&buf, 8 << 20);
    codec_write_status_batch(&buf, batch.entries, batch.count, batch.worker_uri, batch.instance, batch.queue);
    FUZZ_CHECK(codec_read_status_batch(&back, buf.data, buf.size, NULL) == ST_OK);
    FUZZ_CHECK(back.count == batch.count && strcmp(back.instance, batch.instance) == 0);
    for (size_t i = 0; i < batch.count; i++)
        check_same(&batch.entries[i], &back.entries[i]);
    status_batch_release(&back);
    status_batch_release(&batch);
    buf_release(&buf);
    return 0;
}
