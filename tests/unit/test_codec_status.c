/* The status log: batches come back whole, handlers' texts fit the record, hostile bytes cost bounded memory. */
#include <stdlib.h>
#include <string.h>

#include "bgop/v1/status.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/record/retry.h"
#include "tests/support/test.h"

#define ID_A "08P00700000000zEAA"
#define ID_B "08P007000000010EAA"

static struct status_entry plain(void)
{
    return (struct status_entry){
        .kind = ENTRY_OK, .id = ID_A, .token = 7, .started_at_ms = -1, .duration_ms = -1, .retry_after_ms = -1
    };
}

static struct status_batch write_and_read(const struct status_entry *entries, size_t count, const char *uri,
                                          const char *instance)
{
    struct status_batch batch;
    struct err err = ERR_INIT;
    struct buf buf;

    buf_init(&buf, 64 << 20);
    codec_write_status_batch(&buf, entries, count, uri, instance, "q-1");
    assert_false(buf.overflow);
    if (codec_read_status_batch(&batch, buf.data, buf.size, &err) != ST_OK)
        fail_msg("%s", err.text);
    buf_release(&buf);
    return batch;
}

static void a_full_entry_comes_back(void **state)
{
    const struct status_entry entry = {
        .kind = ENTRY_ERROR,
        .id = ID_A,
        .token = UINT64_MAX,
        .started_at_ms = 1795428000000,
        .duration_ms = 0,
        .retry_after_ms = 5000,
        .text = "it failed",
        .text_size = 9,
        .result = "a\0b",
        .result_size = 3,
        .leader_id = ID_B,
        .command_id = "c1",
    };
    struct status_batch batch = write_and_read(&entry, 1, "http://127.0.0.1:1234", "worker-1");
    const struct status_entry *back = batch.entries;

    (void)state;
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.worker_uri, "http://127.0.0.1:1234");
    assert_string_equal(batch.instance, "worker-1");
    assert_string_equal(batch.queue, "q-1");
    assert_int_equal(back->kind, ENTRY_ERROR);
    assert_string_equal(back->id, ID_A);
    assert_true(back->token == UINT64_MAX && back->started_at_ms == INT64_C(1795428000000));
    assert_int_equal(back->duration_ms, 0);
    assert_int_equal(back->retry_after_ms, 5000);
    assert_string_equal(back->text, "it failed");
    assert_int_equal(back->text_size, 9);
    assert_int_equal(back->result_size, 3);
    assert_memory_equal(back->result, "a\0b", 3);
    assert_string_equal(back->leader_id, ID_B);
    assert_string_equal(back->command_id, "c1");
    status_batch_release(&batch);
    assert_int_equal(batch.count, 0);
    status_batch_release(&batch);
}

/* Written by whatever worker: behind it stand Lua's numbers. */
static void wishes_of_retries_are_kept_in_bounds(void **state)
{
    static const int64_t cases[][2] = {
        { 0, 0 },          { 99999999999999999, RETRY_DELAY_MAX_MS }, { INT64_MAX, RETRY_DELAY_MAX_MS }, { -5, -1 },
        { INT64_MIN, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct status_entry entry = plain();
        struct status_batch batch;

        entry.retry_after_ms = cases[i][0];
        batch = write_and_read(&entry, 1, NULL, NULL);
        assert_true(batch.entries[0].retry_after_ms == cases[i][1]);
        status_batch_release(&batch);
    }
}

static void what_is_absent_stays_absent(void **state)
{
    struct status_entry entry = plain();
    struct status_batch batch = write_and_read(&entry, 1, NULL, NULL);
    const struct status_entry *back = batch.entries;

    (void)state;
    assert_string_equal(batch.worker_uri, "");
    assert_string_equal(batch.instance, "");
    assert_int_equal(back->started_at_ms, -1);
    assert_int_equal(back->duration_ms, -1);
    assert_int_equal(back->retry_after_ms, -1);
    assert_null(back->text);
    assert_null(back->result);
    assert_null(back->command_id);
    assert_string_equal(back->leader_id, "");
    status_batch_release(&batch);
}

static void an_empty_result_is_not_an_absent_one(void **state)
{
    struct status_entry entry = plain();

    (void)state;
    entry.result = "";
    struct status_batch batch = write_and_read(&entry, 1, NULL, NULL);
    assert_non_null(batch.entries[0].result);
    assert_int_equal(batch.entries[0].result_size, 0);
    status_batch_release(&batch);
}

static void a_full_batch_comes_back_in_order(void **state)
{
    static struct status_entry entries[STATUS_BATCH_MAX_ENTRIES];

    (void)state;
    for (size_t i = 0; i < STATUS_BATCH_MAX_ENTRIES; i++) {
        entries[i] = plain();
        entries[i].kind = (enum entry_kind)(i % 10 + 1);
        entries[i].token = i;
        id_make(entries[i].id, &(struct id_parts){ .offset = (int64_t)i });
    }
    struct status_batch batch = write_and_read(entries, STATUS_BATCH_MAX_ENTRIES, "uri", "instance");
    assert_int_equal(batch.count, STATUS_BATCH_MAX_ENTRIES);
    for (size_t i = 0; i < batch.count; i++) {
        assert_int_equal(batch.entries[i].token, i);
        assert_int_equal(batch.entries[i].kind, entries[i].kind);
        assert_string_equal(batch.entries[i].id, entries[i].id);
    }
    status_batch_release(&batch);
    batch = write_and_read(NULL, 0, NULL, NULL);
    assert_int_equal(batch.count, 0);
    status_batch_release(&batch);
}

static void texts_are_made_fit_for_the_record(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *fit;
    } cases[] = {
        { "", 0, "" },
        { "plain", 5, "plain" },
        { "plain", 3, "pla" },
        { "two\nlines\r\n", 11, "two lines  " },
        { "a\0b\x7f", 4, "a b " },
        { "\xff\xc3\xa4\xc3", 4, "?\xc3\xa4?" },
        { "\xed\xa0\x80", 3, "???" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct status_entry entry = plain();
        entry.text = cases[i].text;
        entry.text_size = cases[i].size;
        struct status_batch batch = write_and_read(&entry, 1, NULL, NULL);
        assert_string_equal(batch.entries[0].text, cases[i].fit);
        assert_int_equal(batch.entries[0].text_size, strlen(cases[i].fit));
        status_batch_release(&batch);
    }
}

static void texts_are_cut_at_255_characters(void **state)
{
    static const char *const characters[] = { "x", "\xc3\xa4", "\xf0\x9f\x98\x80", "\xff" };
    char text[4 * 300];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(characters); i++) {
        size_t size = strlen(characters[i]);
        struct status_entry entry = plain();
        for (size_t at = 0; at < 300; at++)
            memcpy(text + at * size, characters[i], size);
        entry.text = text;
        entry.text_size = 300 * size;
        struct status_batch batch = write_and_read(&entry, 1, NULL, NULL);
        assert_int_equal(text_utf8_length(batch.entries[0].text, batch.entries[0].text_size), 255);
        status_batch_release(&batch);
    }
}

static void texts_of_other_writers_are_made_fit_as_well(void **state)
{
    Bgop__V1__Entry entry = BGOP__V1__ENTRY__INIT, *entries[] = { &entry };
    Bgop__V1__StatusBatch message = BGOP__V1__STATUS_BATCH__INIT;
    char text[400], id[] = ID_A;
    uint8_t bytes[1000];
    struct status_batch batch;

    (void)state;
    memset(text, '\xff', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    entry.kind = BGOP__V1__ENTRY_KIND__ERROR;
    entry.id = id;
    entry.text = text;
    message.n_entry = 1;
    message.entry = entries;
    size_t size = bgop__v1__status_batch__pack(&message, bytes);
    assert_int_equal(codec_read_status_batch(&batch, bytes, size, NULL), ST_OK);
    assert_int_equal(batch.entries[0].text_size, 255);
    assert_int_equal(strspn(batch.entries[0].text, "?"), 255);
    status_batch_release(&batch);
}

static void long_results_are_cut_and_say_so(void **state)
{
    static char result[RESULT_MAX_BYTES + 100];
    struct status_entry entry = plain();

    (void)state;
    for (size_t at = 0; at + 4 <= sizeof result; at += 4)
        memcpy(result + at, "\xf0\x9f\x98\x80", 4);
    entry.result = result;
    entry.result_size = RESULT_MAX_BYTES;
    struct status_batch batch = write_and_read(&entry, 1, NULL, NULL);
    assert_int_equal(batch.entries[0].result_size, RESULT_MAX_BYTES);
    assert_memory_equal(batch.entries[0].result, result, RESULT_MAX_BYTES);
    status_batch_release(&batch);
    entry.result_size = RESULT_MAX_BYTES + 4;
    batch = write_and_read(&entry, 1, NULL, NULL);
    static const char mark[] = "\n[cut by bgop: 32772 bytes]";
    size_t size = batch.entries[0].result_size;
    assert_in_range(size, RESULT_MAX_BYTES - 4, RESULT_MAX_BYTES);
    assert_memory_equal(batch.entries[0].result + size - (sizeof mark - 1), mark, sizeof mark - 1);
    assert_true(text_utf8_length(batch.entries[0].result, size) > 0);
    status_batch_release(&batch);
    memset(result, '\xff', sizeof result); /* not a text at all */
    batch = write_and_read(&entry, 1, NULL, NULL);
    assert_int_equal(batch.entries[0].result_size, RESULT_MAX_BYTES);
    status_batch_release(&batch);
}

static void refused(const void *data, size_t size, const char *reason)
{
    struct status_batch batch;
    struct err err = ERR_INIT;

    assert_int_equal(codec_read_status_batch(&batch, data, size, &err), ST_INVALID);
    if (!strstr(err.text, reason))
        fail_msg("refused: %s\nwanted: %s", err.text, reason);
    assert_null(batch.message);
    assert_int_equal(batch.count, 0);
}

static void one_bad_entry_refuses_the_batch_and_is_named(void **state)
{
    struct status_entry entries[3] = { plain(), plain(), plain() };
    char unknown[64];
    struct buf buf;

    (void)state;
    buf_init(&buf, 10000);
    entries[1].kind = (enum entry_kind)ENTRY_KIND_END;
    codec_write_status_batch(&buf, entries, 3, NULL, NULL, NULL);
    snprintf(unknown, sizeof unknown, "entry 1: unknown kind %d", ENTRY_KIND_END);
    refused(buf.data, buf.size, unknown);
    buf_clear(&buf);
    entries[1] = plain();
    entries[2].id[17] = 'B';
    codec_write_status_batch(&buf, entries, 3, NULL, NULL, NULL);
    refused(buf.data, buf.size, "entry 2: must have an Id of 18 characters, got \"08P00700000000zEAB\"");
    buf_clear(&buf);
    entries[2] = plain();
    snprintf(entries[0].leader_id, sizeof entries[0].leader_id, "x");
    codec_write_status_batch(&buf, entries, 3, NULL, NULL, NULL);
    refused(buf.data, buf.size, "entry 0: must have an Id of 18 characters, got \"x\"");
    buf_release(&buf);
}

static void a_pause_names_a_type_or_a_parent_key_and_no_id(void **state)
{
    struct status_entry entries[2] = { plain(), plain() };
    struct status_batch batch;
    struct buf buf;

    (void)state;
    entries[0] = (struct status_entry){ .kind = ENTRY_PAUSE, .type = "WebCart", .text = "why", .text_size = 3 };
    entries[1] = (struct status_entry){ .kind = ENTRY_RESUME, .type = "", .parent_key = "acct-1" };
    batch = write_and_read(entries, 2, NULL, NULL);
    assert_int_equal(batch.entries[0].kind, ENTRY_PAUSE);
    assert_string_equal(batch.entries[0].type, "WebCart");
    assert_null(batch.entries[0].parent_key);
    assert_string_equal(batch.entries[0].text, "why");
    assert_string_equal(batch.entries[1].parent_key, "acct-1");
    assert_null(batch.entries[1].type);
    status_batch_release(&batch);
    buf_init(&buf, 10000);
    entries[1].type = "WebCart";
    codec_write_status_batch(&buf, entries, 2, NULL, NULL, NULL);
    refused(buf.data, buf.size, "entry 1: a resume must have a type or a parent_key");
    buf_clear(&buf);
    entries[1].type = NULL;
    memcpy(entries[1].id, ID_A, ID_SIZE);
    codec_write_status_batch(&buf, entries, 2, NULL, NULL, NULL);
    refused(buf.data, buf.size, "entry 1: a resume must have a type or a parent_key and no id");
    buf_release(&buf);
}

static void bytes_that_are_no_batch_are_refused(void **state)
{
    static char huge[2 * STATUS_BATCH_MAX_BYTES + 1];

    (void)state;
    refused("\xff\xff", 2, "not a bgop.v1.StatusBatch (2 bytes)");
    refused("\x0a\x00", 2, "not a bgop.v1.StatusBatch"); /* an entry without what is required */
    refused(huge, sizeof huge, "at most 1048576 bytes, got 1048577");
}

static void more_entries_than_allowed_are_refused(void **state)
{
    char bytes[(STATUS_BATCH_MAX_ENTRIES + 1) * 26];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i += 26)
        memcpy(bytes + i, "\x0a\x18\x08\x01\x12\x12" ID_A "\x18\x07", 26);
    refused(bytes, sizeof bytes, "at most 500 entries, got 501");
    struct status_batch batch;
    assert_int_equal(codec_read_status_batch(&batch, bytes, sizeof bytes - 26, NULL), ST_OK);
    assert_int_equal(batch.count, 500);
    status_batch_release(&batch);
}

static void hostile_bytes_cost_bounded_memory(void **state)
{
    /* Half a million fields that nobody knows, or empty entries: protobuf-c would take dozens of bytes for each. */
    static char bytes[2 * STATUS_BATCH_MAX_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i += 2)
        memcpy(bytes + i, "\x78\x01", 2);
    refused(bytes, sizeof bytes, "not a bgop.v1.StatusBatch");
    for (size_t i = 0; i < sizeof bytes; i += 2)
        memcpy(bytes + i, "\x0a\x00", 2);
    refused(bytes, sizeof bytes, "not a bgop.v1.StatusBatch");
}

static void kinds_have_names_and_the_numbers_of_the_message_file(void **state)
{
    const ProtobufCEnumDescriptor *descriptor = &bgop__v1__entry_kind__descriptor;

    (void)state;
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        const char *name = entry_kind_name((enum entry_kind)descriptor->values[i].value);
        assert_non_null(name);
        assert_int_equal(strcasecmp(name, descriptor->values[i].name), 0);
    }
    assert_int_equal(descriptor->n_values, ENTRY_KIND_END - 1);
    assert_null(entry_kind_name((enum entry_kind)0));
    assert_null(entry_kind_name((enum entry_kind)ENTRY_KIND_END));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_entry_comes_back),
        cmocka_unit_test(wishes_of_retries_are_kept_in_bounds),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(an_empty_result_is_not_an_absent_one),
        cmocka_unit_test(a_full_batch_comes_back_in_order),
        cmocka_unit_test(texts_are_made_fit_for_the_record),
        cmocka_unit_test(texts_are_cut_at_255_characters),
        cmocka_unit_test(texts_of_other_writers_are_made_fit_as_well),
        cmocka_unit_test(long_results_are_cut_and_say_so),
        cmocka_unit_test(one_bad_entry_refuses_the_batch_and_is_named),
        cmocka_unit_test(a_pause_names_a_type_or_a_parent_key_and_no_id),
        cmocka_unit_test(bytes_that_are_no_batch_are_refused),
        cmocka_unit_test(more_entries_than_allowed_are_refused),
        cmocka_unit_test(hostile_bytes_cost_bounded_memory),
        cmocka_unit_test(kinds_have_names_and_the_numbers_of_the_message_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
