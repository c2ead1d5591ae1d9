#include "tests/support/test.h"

#include <string.h>

#include "coordinator/status/outcomes.h"

enum { SHARDS = 2, MAX = 100 };

static struct outcomes outcomes;
static struct cursors cursors;
static struct apply_call call;
static struct buf values[MAX];
static int value_count;

static int setup(void **state)
{
    struct err err = ERR_INIT, warning = ERR_INIT;
    int64_t from;

    (void)state;
    outcomes_init(&outcomes, MAX, SHARDS);
    cursors_init(&cursors, "t.status", SHARDS, 1);
    for (int s = 0; s < SHARDS; s++) {
        cursors_assign(&cursors, s);
        assert_int_equal(cursors_start(&cursors, s, 0, 1000, &from, &warning, &err), ST_OK);
    }
    call = (struct apply_call){ 0 };
    value_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apply_call_release(&call);
    outcomes_release(&outcomes);
    cursors_release(&cursors);
    for (int i = 0; i < value_count; i++)
        buf_release(&values[i]);
    return 0;
}

static enum status add_bytes(int shard, int64_t offset, const void *value, size_t size, struct err *err)
{
    struct kafka_message message = {
        .topic = "t.status", .partition = shard, .offset = offset, .value = value, .value_size = size
    };
    struct fingerprint fingerprint = message_fingerprint(&message);

    return outcomes_add(&outcomes, &message, "q-1", &fingerprint, err);
}

/* One message with so many entries of a kind. */
static void add(int shard, int64_t offset, enum entry_kind kind, size_t count)
{
    static struct status_entry entries[STATUS_BATCH_MAX_ENTRIES];
    struct buf *buf = &values[value_count++];
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct status_entry){
            .kind = kind, .token = i + 1, .started_at_ms = -1, .duration_ms = -1, .retry_after_ms = -1
        };
        id_make(entries[i].id, &(struct id_parts){ .shard = shard, .offset = offset * 1000 + (int64_t)i });
    }
    buf_init(buf, 1 << 20);
    codec_write_status_batch(buf, entries, count, "http://w", "w-1", NULL);
    assert_int_equal(add_bytes(shard, offset, buf->data, buf->size, &err), ST_OK);
}

static void another_queues_outcomes_are_dropped_and_the_fence_moves_on(void **state)
{
    struct status_entry entry = {
        .kind = ENTRY_OK, .token = 1, .started_at_ms = -1, .duration_ms = -1, .retry_after_ms = -1
    };
    struct buf *foreign = &values[value_count++], *own = &values[value_count++];
    struct err err = ERR_INIT;

    (void)state;
    id_make(entry.id, &(struct id_parts){ .shard = 1, .offset = 1 });
    buf_init(foreign, 1 << 20);
    buf_init(own, 1 << 20);
    codec_write_status_batch(foreign, &entry, 1, "http://w", "w-9", "q-2");
    codec_write_status_batch(own, &entry, 1, "http://w", "w-1", "q-1");
    assert_int_equal(add_bytes(1, 3, foreign->data, foreign->size, &err), ST_STALE);
    assert_non_null(strstr(err.text, "q-2"));
    assert_non_null(strstr(err.text, "w-9"));
    assert_int_equal(add_bytes(1, 4, own->data, own->size, &err), ST_OK);
    add(1, 5, ENTRY_OK, 1); /* of a program that does not say */
    assert_true(outcomes_build_call(&outcomes, 1, &cursors, &call));
    assert_int_equal(call.call.entry_count, 2);
    assert_int_equal(call.call.move.next, 6);
}

static void whole_messages_are_joined_into_one_call(void **state)
{
    (void)state;
    add(1, 3, ENTRY_OK, 2);
    add(1, 4, ENTRY_OK, 3);
    assert_true(outcomes_build_call(&outcomes, 1, &cursors, &call));
    assert_int_equal(call.call.entry_count, 5);
    assert_int_equal(call.call.move.partition, 1);
    assert_int_equal(call.call.move.from, 0);
    assert_int_equal(call.call.move.next, 5);
    assert_int_equal(call.call.move.fingerprint.offset, 4);
    assert_string_equal(call.entries[0].worker_uri, "http://w");
    assert_false(call.sets_timer);
    outcomes_finish_call(&outcomes, &call);
    assert_false(outcomes_build_call(&outcomes, 1, &cursors, &call));
    assert_false(outcomes_build_call(&outcomes, 0, &cursors, &call));
}

static void a_call_holds_at_most_500_entries(void **state)
{
    (void)state;
    add(0, 0, ENTRY_OK, 300);
    add(0, 1, ENTRY_OK, 200);
    add(0, 2, ENTRY_OK, 1);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 500);
    assert_int_equal(call.call.move.next, 2);
    cursors_move(&cursors, &call.call.move, 0, 0);
    outcomes_finish_call(&outcomes, &call);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 1);
    assert_int_equal(call.call.move.from, 2);
}

static void a_failure_asks_for_a_look_at_the_timers(void **state)
{
    (void)state;
    add(0, 0, ENTRY_ERROR, 1);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_true(call.sets_timer);
}

static void unreadable_bytes_are_passed_by_the_fence(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(add_bytes(0, 7, "\xff\xff rubbish", 10, &err), ST_INVALID);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 0);
    assert_int_equal(call.call.move.next, 8);
}

static void messages_below_the_cursor_are_skipped(void **state)
{
    struct fence_move move = { 0, 0, 5, { 4, 1, 2 } };

    (void)state;
    add(0, 4, ENTRY_OK, 1);
    add(0, 5, ENTRY_OK, 2);
    cursors_move(&cursors, &move, 0, 0);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 2);
    assert_int_equal(call.call.move.from, 5);
}

static void one_by_one_the_fence_follows_behind_the_last_entry(void **state)
{
    (void)state;
    add(0, 4, ENTRY_OK, 2);
    add(0, 5, ENTRY_OK, 1);
    call.single = true;
    for (size_t i = 0; i < 2; i++) {
        assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
        assert_int_equal(call.call.entry_count, 1);
        assert_int_equal(call.entries[0].entry->token, i + 1);
        assert_int_equal(call.call.move.from, 0);
        assert_int_equal(call.call.move.next, 0);
        outcomes_finish_call(&outcomes, &call);
    }
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 0);
    assert_int_equal(call.call.move.next, 5);
    cursors_move(&cursors, &call.call.move, 0, 0);
    outcomes_finish_call(&outcomes, &call);
    assert_true(outcomes_build_call(&outcomes, 0, &cursors, &call));
    assert_int_equal(call.call.entry_count, 1);
    assert_int_equal(call.call.move.from, 5);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(another_queues_outcomes_are_dropped_and_the_fence_moves_on),
        T(whole_messages_are_joined_into_one_call),
        T(a_call_holds_at_most_500_entries),
        T(a_failure_asks_for_a_look_at_the_timers),
        T(unreadable_bytes_are_passed_by_the_fence),
        T(messages_below_the_cursor_are_skipped),
        T(one_by_one_the_fence_follows_behind_the_last_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
