/* Hints: Ids in, Ids out, and that nonsense wakes nobody. */
#include <stdlib.h>
#include <string.h>

#include "bgop/v1/hint.pb-c.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "tests/support/test.h"

enum { IDS_MAX = 600 };
struct seen {
    size_t count;
    char ids[IDS_MAX][ID_SIZE];
};

static void on_id(void *arg, const char id[ID_SIZE])
{
    struct seen *seen = arg;

    assert_true(seen->count < IDS_MAX);
    memcpy(seen->ids[seen->count++], id, ID_SIZE);
}

static void make_ids(char (*ids)[ID_SIZE], size_t count)
{
    for (size_t i = 0; i < count; i++)
        id_make(ids[i], &(struct id_parts){ .shard = 3, .partition = 5, .offset = (int64_t)i * 1000003 });
}

/* The ids as the Redis Functions answer them; the caller frees. */
static char *join(const char (*ids)[ID_SIZE], size_t count)
{
    char *joined = calloc(count + 1, ID_SIZE), *end = joined;

    for (size_t i = 0; i < count; i++)
        end += sprintf(end, "%s%s", i ? " " : "", ids[i]);
    return joined;
}

static void write_ids(struct buf *buf, const char (*ids)[ID_SIZE], size_t count)
{
    char *joined = join(ids, count);

    codec_write_hint_joined(buf, joined, strlen(joined));
    free(joined);
}

static void written_ids_come_back_in_order(void **state)
{
    static char ids[500][ID_SIZE];
    static struct seen seen;
    struct buf buf;

    (void)state;
    make_ids(ids, 500);
    for (size_t count = 0; count <= 500; count += 100) {
        seen.count = 0;
        buf_init(&buf, 1 << 20);
        write_ids(&buf, (const char(*)[ID_SIZE])ids, count);
        assert_int_equal(codec_read_hint(buf.data, buf.size, on_id, &seen, NULL), ST_OK);
        assert_int_equal(seen.count, count);
        assert_memory_equal(seen.ids, ids, count * ID_SIZE);
        buf_release(&buf);
    }
}

static void joined_ids_end_where_they_are_said_to(void **state)
{
    char ids[3][ID_SIZE];
    struct buf buf;
    char *joined;

    (void)state;
    make_ids(ids, 3);
    joined = join((const char(*)[ID_SIZE])ids, 3);
    buf_init(&buf, 1000);
    codec_write_hint_joined(&buf, "", 0);
    assert_int_equal(buf.size, 0);
    codec_write_hint_joined(&buf, joined, ID_LENGTH); /* not NUL-terminated there */
    assert_int_equal(buf.size, ID_LENGTH + 2);
    free(joined);
    buf_release(&buf);
}

static void protobuf_libraries_read_it(void **state)
{
    char ids[3][ID_SIZE];
    struct buf buf;

    (void)state;
    make_ids(ids, 3);
    buf_init(&buf, 1000);
    write_ids(&buf, (const char(*)[ID_SIZE])ids, 3);
    Bgop__V1__Hint *hint = bgop__v1__hint__unpack(NULL, buf.size, (const uint8_t *)buf.data);
    assert_non_null(hint);
    assert_int_equal(hint->n_id, 3);
    assert_string_equal(hint->id[2], ids[2]);
    bgop__v1__hint__free_unpacked(hint, NULL);
    buf_release(&buf);
}

static void what_is_no_id_is_skipped(void **state)
{
    static const char bytes[] = "\x0a\x03"
                                "abc"
                                "\x0a\x12"
                                "08P00700000000zEAB"
                                "\x10\x05"
                                "\x0a\x0f"
                                "08P00700000000z"
                                "\x0a\x12"
                                "08P00700000000zEAA";
    struct seen seen = { 0 };

    (void)state;
    assert_int_equal(codec_read_hint(bytes, sizeof bytes - 1, on_id, &seen, NULL), ST_OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.ids[0], "08P00700000000zEAA");
    assert_int_equal(codec_read_hint(NULL, 0, on_id, &seen, NULL), ST_OK);
    assert_int_equal(seen.count, 1);
}

static void broken_bytes_are_refused(void **state)
{
    struct seen seen = { 0 };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(codec_read_hint("\x0a\x12short", 7, on_id, &seen, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "bgop.v1.Hint"));
}

/* ---- control and rejects ---- */

static void control_records_come_back(void **state)
{
    static const struct control records[] = {
        { .genesis_id = "genesis",
          .generation = -1,
          .shard = -1,
          .shards = 16,
          .instance = "coordinator-1",
          .at_ms = 1795428000000 },
        { .generation = INT64_C(1) << 40, .shards = -1, .instance = "coordinator-1" },
        { .shard = 3843, .shards = -1, .at_ms = 5 },
        { .topic = "bgop.submit",
          .partition = 1023,
          .epoch = 61,
          .rewind_from = INT64_C(1) << 42,
          .lost_to = (INT64_C(1) << 43) - 1,
          .last_offset = 5,
          .last_crc = UINT32_MAX,
          .last_at_ms = 9,
          .decided = true },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(records); i++) {
        struct control back;
        struct err err = ERR_INIT;
        struct buf buf;
        buf_init(&buf, 1000);
        codec_write_control(&buf, &records[i]);
        if (codec_read_control(&back, buf.data, buf.size, &err) != ST_OK)
            fail_msg("%s", err.text);
        assert_string_equal(back.genesis_id, records[i].genesis_id);
        assert_string_equal(back.instance, records[i].instance);
        assert_true(back.generation == records[i].generation && back.at_ms == records[i].at_ms);
        assert_int_equal(back.shard, records[i].shard);
        assert_int_equal(back.shards, records[i].shards);
        assert_string_equal(back.topic, records[i].topic);
        if (back.topic[0]) {
            assert_true(back.partition == records[i].partition && back.epoch == records[i].epoch);
            assert_true(back.rewind_from == records[i].rewind_from && back.lost_to == records[i].lost_to);
            assert_true(back.last_offset == records[i].last_offset && back.last_crc == records[i].last_crc);
            assert_true(back.last_at_ms == records[i].last_at_ms && back.decided == records[i].decided);
        }
        buf_release(&buf);
    }
}

static void broken_control_records_are_refused(void **state)
{
    static char huge[5000];
    char name[300] = "\x22\xc8\x01"; /* instance of 200 bytes: more than there is room for */
    struct control control;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(codec_read_control(&control, "\xff\xff", 2, &err), ST_INVALID);
    assert_int_equal(codec_read_control(&control, huge, sizeof huge, &err), ST_INVALID);
    memset(name + 3, 'x', 200);
    assert_int_equal(codec_read_control(&control, name, 203, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "too long"));
}

static void a_reject_shows_reason_origin_and_value(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 1 << 20);
    codec_write_reject(&buf, "Name: \"x\"\n", "bgop.submit", 3, 17, "ab\xff", 3);
    assert_string_equal(
        buf.data, "{\"reason\":\"Name: \\\"x\\\"\\u000a\",\"topic\":\"bgop.submit\",\"partition\":3,\"offset\":17,"
                  "\"value\":\"YWL/\",\"truncated\":false}");
    buf_clear(&buf);
    codec_write_reject(&buf, "empty", "t", 0, 0, NULL, 0);
    assert_string_equal(
        buf.data,
        "{\"reason\":\"empty\",\"topic\":\"t\",\"partition\":0,\"offset\":0,\"value\":\"\",\"truncated\":false}");
    buf_release(&buf);
}

static void a_long_rejected_value_is_cut_at_64_kib(void **state)
{
    static char value[REJECT_VALUE_MAX_BYTES + 1];
    struct buf buf;

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        buf_init(&buf, 1 << 20);
        codec_write_reject(&buf, "r", "t", 0, 0, value, REJECT_VALUE_MAX_BYTES + more);
        assert_non_null(strstr(buf.data, more ? "\"truncated\":true}" : "\"truncated\":false}"));
        const char *base64 = strstr(buf.data, "\"value\":\"") + 9;
        assert_int_equal(strcspn(base64, "\""), BASE64_SIZE(REJECT_VALUE_MAX_BYTES) - 1);
        assert_false(buf.overflow);
        buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_ids_come_back_in_order),
        cmocka_unit_test(joined_ids_end_where_they_are_said_to),
        cmocka_unit_test(protobuf_libraries_read_it),
        cmocka_unit_test(what_is_no_id_is_skipped),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(control_records_come_back),
        cmocka_unit_test(broken_control_records_are_refused),
        cmocka_unit_test(a_reject_shows_reason_origin_and_value),
        cmocka_unit_test(a_long_rejected_value_is_cut_at_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
