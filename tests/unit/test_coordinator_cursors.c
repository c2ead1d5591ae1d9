#include "tests/support/test.h"

#include <string.h>

#include "coordinator/source/cursors.h"

enum { PARTITIONS = 3, SHARDS = 4, NOW = 1000000 };

static struct cursors cursors;

static int setup(void **state)
{
    (void)state;
    cursors_init(&cursors, "t.submit", PARTITIONS, SHARDS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cursors_release(&cursors);
    return 0;
}

/* The message at an offset, as this test's Kafka has it. */
static struct fingerprint message(int64_t offset)
{
    return (struct fingerprint){ .offset = offset, .crc = (uint32_t)(offset * 7 + 1), .timestamp_ms = offset + 5000 };
}

static void load(int partition, int shard, int64_t next, int64_t last)
{
    struct fence fence = { partition, next, last < 0 ? FINGERPRINT_NONE : message(last) };

    cursors_load(&cursors, partition, shard, &fence, NOW);
}

static int64_t start(int partition, int64_t log_start, int64_t log_end)
{
    struct err warning = ERR_INIT, err = ERR_INIT;
    int64_t from = -1;

    assert_int_equal(cursors_start(&cursors, partition, log_start, log_end, &from, &warning, &err), ST_OK);
    return from;
}

static void read_to(int partition, int64_t from, int64_t end)
{
    struct err err = ERR_INIT;

    for (int64_t offset = from; offset < end; offset++) {
        struct fingerprint m = message(offset);
        assert_int_equal(cursors_pass(&cursors, partition, &m, &err), ST_OK);
    }
}

static void reading_starts_at_the_smallest_fingerprint(void **state)
{
    (void)state;
    cursors_assign(&cursors, 1);
    load(1, 0, 51, 50);
    load(1, 1, 41, 40);
    load(1, 2, 60, 45); /* moved while idle: its fingerprint is older than its position */
    load(1, 3, 51, 50);
    assert_int_equal(start(1, 0, 100), 40);
    assert_int_equal(cursors.sources[1].state, SOURCE_READY);
    assert_int_equal(cursors.sources[1].unverified, 4);
}

static void a_shard_that_never_moved_starts_at_the_beginning(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    load(0, 0, 51, 50);
    assert_int_equal(start(0, 0, 100), 0);
}

static void messages_below_a_shards_cursor_are_not_wanted(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    load(0, 0, 51, 50);
    load(0, 1, 11, 10);
    start(0, 0, 100);
    assert_false(cursors_is_pending(&cursors, 0, 0, 50));
    assert_true(cursors_is_pending(&cursors, 0, 0, 51));
    assert_false(cursors_is_pending(&cursors, 0, 1, 10));
    assert_true(cursors_is_pending(&cursors, 0, 1, 11));
    assert_true(cursors_is_pending(&cursors, 0, 2, 0));
    assert_false(cursors_is_pending(&cursors, 1, 0, 70));
}

static void fingerprints_are_verified_in_passing(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 10 + s + 1, 10 + s);
    assert_int_equal(start(0, 0, 100), 10);
    read_to(0, 10, 20);
    assert_int_equal(cursors.sources[0].unverified, 0);
    assert_int_equal(cursors.sources[0].read, 20);
}

static void another_message_at_a_fingerprint_is_to_be_rewound(void **state)
{
    struct fingerprint other = { 50, 99, 5050 };
    struct err err = ERR_INIT;

    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 51, 50);
    start(0, 0, 100);
    assert_int_equal(cursors_pass(&cursors, 0, &other, &err), ST_INVALID);
    assert_int_equal(cursors.sources[0].state, SOURCE_REWRITTEN);
    assert_non_null(strstr(err.text, "t.submit[0]"));
    assert_non_null(strstr(err.text, "another message stands at offset 50"));
    assert_false(cursors_is_pending(&cursors, 0, 0, 60));
}

static void the_same_bytes_at_another_time_are_another_message(void **state)
{
    struct fingerprint other = message(50);
    struct err err = ERR_INIT;

    (void)state;
    other.timestamp_ms++;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 51, 50);
    start(0, 0, 100);
    assert_int_equal(cursors_pass(&cursors, 0, &other, &err), ST_INVALID);
}

static void a_missing_message_at_a_fingerprint_is_to_be_rewound(void **state)
{
    struct fingerprint later = message(52);
    struct err err = ERR_INIT;

    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 51, 50);
    start(0, 0, 100);
    assert_int_equal(cursors_pass(&cursors, 0, &later, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "no message is left at offset 50"));
}

static void an_end_before_a_fingerprint_was_seen_is_to_be_rewound(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 51, 50);
    start(0, 0, 51);
    assert_int_equal(cursors_end(&cursors, 0, 51, &err), ST_INVALID);
    assert_int_equal(cursors.sources[0].state, SOURCE_REWRITTEN);
}

static void a_log_that_ends_below_a_fence_is_to_be_rewound(void **state)
{
    struct err warning = ERR_INIT, err = ERR_INIT;
    int64_t from;

    (void)state;
    cursors_assign(&cursors, 2);
    load(2, 0, 51, 50);
    assert_int_equal(cursors_start(&cursors, 2, 0, 30, &from, &warning, &err), ST_INVALID);
    assert_int_equal(cursors.sources[2].state, SOURCE_REWRITTEN);
    assert_non_null(strstr(err.text, "lost its tail"));
}

static void a_log_that_starts_above_a_fence_halts(void **state)
{
    struct err warning = ERR_INIT, err = ERR_INIT;
    int64_t from;

    (void)state;
    cursors_assign(&cursors, 2);
    load(2, 0, 51, 50);
    load(2, 1, 90, 89);
    assert_int_equal(cursors_start(&cursors, 2, 60, 100, &from, &warning, &err), ST_INVALID);
    assert_int_equal(cursors.sources[2].state, SOURCE_HALTED); /* only a person can know what to do */
    assert_non_null(strstr(err.text, "retention"));
}

static void a_log_that_starts_between_fingerprint_and_fence_only_warns(void **state)
{
    struct err warning = ERR_INIT, err = ERR_INIT;
    int64_t from;

    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 60, 50);
    assert_int_equal(cursors_start(&cursors, 0, 55, 100, &from, &warning, &err), ST_OK);
    assert_int_equal(from, 60);
    assert_non_null(strstr(warning.text, "nothing is missing"));
    assert_int_equal(cursors.sources[0].unverified, 0);
}

static void a_first_start_on_a_log_with_a_past_begins_at_its_start_and_says_so_in_redis(void **state)
{
    struct err warning = ERR_INIT, err = ERR_INIT;
    struct fence_move move;
    int64_t from;

    (void)state;
    cursors_assign(&cursors, 0);
    assert_int_equal(cursors_start(&cursors, 0, 70, 100, &from, &warning, &err), ST_OK);
    assert_int_equal(from, 70);
    assert_true(cursors_behind(&cursors, 3, 10000, 60000, NOW));
    assert_true(cursors_idle_move(&cursors, 0, 3, &move));
    assert_int_equal(move.from, 0);
    assert_int_equal(move.next, 70);
    assert_int_equal(move.fingerprint.offset, -1);
}

static void a_refusal_above_our_cursor_means_another_was_first(void **state)
{
    struct fence fence = { 0, 60, message(59) };

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    cursors_refused(&cursors, 1, &fence, NOW);
    assert_int_equal(cursors.sources[0].state, SOURCE_READY);
    assert_false(cursors_is_pending(&cursors, 0, 1, 59));
    assert_true(cursors_is_pending(&cursors, 0, 1, 60));
    assert_true(cursors_is_pending(&cursors, 0, 0, 20));
}

static void a_refusal_below_our_cursor_means_we_missed_something(void **state)
{
    struct fence fence = { 0, 5, message(4) };
    struct fence_move moved = { 0, 0, 20, message(19) };

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    cursors_move(&cursors, &moved, 1, NOW);
    cursors_refused(&cursors, 1, &fence, NOW);
    assert_int_equal(cursors.sources[0].state, SOURCE_LOADING);
    assert_false(cursors_is_pending(&cursors, 0, 1, 30));
    assert_false(cursors_is_pending(&cursors, 0, 0, 30));
}

static void a_refusal_of_a_partition_that_is_not_there_is_passed_over(void **state)
{
    struct fence fence = { 0, 60, message(59) };

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    for (int i = 0; i < 3; i++) {
        fence.partition = (const int[]){ -1, PARTITIONS, INT32_MAX }[i];
        assert_false(cursors_has_partition(&cursors, fence.partition));
        cursors_refused(&cursors, 1, &fence, NOW);
    }
    assert_true(cursors_is_pending(&cursors, 0, 1, 59));
}

static void idle_fences_move_to_what_is_done_not_to_what_is_read(void **state)
{
    struct fence_move moves[PARTITIONS];

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    cursors_done(&cursors, 0);
    read_to(0, 20, 30);
    assert_int_equal(cursors_idle_moves(&cursors, 2, moves), 1);
    assert_int_equal(moves[0].from, 0);
    assert_int_equal(moves[0].next, 20);
    assert_int_equal(moves[0].fingerprint.offset, 19);
}

static void an_idle_fence_is_behind_by_messages_or_by_age(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 1, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    cursors_done(&cursors, 0);
    assert_false(cursors_behind(&cursors, 0, 19, 60000, NOW + 59999));
    assert_true(cursors_behind(&cursors, 0, 18, 60000, NOW));
    assert_true(cursors_behind(&cursors, 0, 10000, 60000, NOW + 60000));
}

static void positions_follow_the_end_of_the_log_over_control_records(void **state)
{
    struct fence_move move;
    struct err err = ERR_INIT;

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 7);
    read_to(0, 0, 5);
    assert_int_equal(cursors_end(&cursors, 0, 7, &err), ST_OK);
    cursors_done(&cursors, 0);
    assert_true(cursors_idle_move(&cursors, 0, 0, &move));
    assert_int_equal(move.next, 7);
    assert_int_equal(move.fingerprint.offset, 4);
}

static void an_end_below_what_was_read_is_to_be_rewound(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    assert_int_equal(cursors_end(&cursors, 0, 10, &err), ST_INVALID);
    assert_int_equal(cursors.sources[0].state, SOURCE_REWRITTEN);
}

static void assigning_again_forgets_everything_but_the_pause(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    start(0, 0, 100);
    read_to(0, 0, 20);
    cursors.sources[0].fetching = FETCH_PAUSED;
    cursors_assign(&cursors, 0);
    assert_int_equal(cursors.sources[0].state, SOURCE_LOADING);
    assert_int_equal(cursors.sources[0].read, 0);
    assert_int_equal(cursors.sources[0].fetching, FETCH_PAUSED);
    cursors_revoke(&cursors, 0);
    assert_int_equal(cursors.sources[0].state, SOURCE_ABSENT);
    assert_false(cursors_behind(&cursors, 0, 0, 0, NOW));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Its messages are passed over, the others' go through; nothing is said of the whole partition meanwhile. */
static void a_shard_that_waits_keeps_its_place(void **state)
{
    struct fence_move moves[PARTITIONS];

    (void)state;
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        load(0, s, 11, 10);
    assert_int_equal(start(0, 0, 100), 10);
    cursors_wait(&cursors, 2);
    cursors_wait(&cursors, 2);
    assert_true(cursors_waits(&cursors, 2));
    assert_false(cursors_waits(&cursors, 1));
    read_to(0, 10, 20);
    assert_int_equal(cursors.sources[0].unverified, 0);
    assert_false(cursors_is_pending(&cursors, 0, 2, 15));
    assert_true(cursors_is_pending(&cursors, 0, 1, 15));
    cursors_done(&cursors, 0);
    assert_int_equal(cursors.sources[0].done, 10);
    for (int s = 0; s < SHARDS; s++)
        assert_int_equal(cursors_idle_moves(&cursors, s, moves), 0);
    cursors_refused(&cursors, 2, &(struct fence){ 0, 5, message(4) }, NOW); /* an answer from before */
    assert_int_equal(cursors.sources[0].state, SOURCE_READY);
    assert_int_equal(cursors.sources[0].cursors[2].next, 11);

    cursors_assign(&cursors, 0); /* it is back */
    assert_false(cursors_waits(&cursors, 2));
    for (int s = 0; s < SHARDS; s++)
        load(0, s, s == 2 ? 11 : 20, s == 2 ? 10 : 19);
    assert_int_equal(start(0, 0, 100), 10);
    assert_true(cursors_is_pending(&cursors, 0, 2, 15));
    assert_false(cursors_is_pending(&cursors, 0, 1, 15));
}

static void the_fence_of_a_shard_that_waits_need_not_be_known(void **state)
{
    (void)state;
    cursors_assign(&cursors, 0);
    cursors_wait(&cursors, 2);
    for (int s = 0; s < SHARDS; s++) {
        if (s != 2)
            load(0, s, 51 + s, 50 + s);
    }
    assert_int_equal(start(0, 5, 100), 50); /* not at the log's start, as for one that never moved */
    assert_int_equal(cursors.sources[0].unverified, SHARDS - 1);
    for (int s = 0; s < SHARDS; s++)
        cursors_wait(&cursors, s);
    assert_int_equal(cursors.sources[0].unverified, 0);
    cursors_assign(&cursors, 0);
    for (int s = 0; s < SHARDS; s++)
        cursors_wait(&cursors, s);
    assert_int_equal(start(0, 5, 100), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reading_starts_at_the_smallest_fingerprint),
        T(a_shard_that_never_moved_starts_at_the_beginning),
        T(messages_below_a_shards_cursor_are_not_wanted),
        T(fingerprints_are_verified_in_passing),
        T(another_message_at_a_fingerprint_is_to_be_rewound),
        T(the_same_bytes_at_another_time_are_another_message),
        T(a_missing_message_at_a_fingerprint_is_to_be_rewound),
        T(an_end_before_a_fingerprint_was_seen_is_to_be_rewound),
        T(a_log_that_ends_below_a_fence_is_to_be_rewound),
        T(a_log_that_starts_above_a_fence_halts),
        T(a_log_that_starts_between_fingerprint_and_fence_only_warns),
        T(a_first_start_on_a_log_with_a_past_begins_at_its_start_and_says_so_in_redis),
        T(a_refusal_above_our_cursor_means_another_was_first),
        T(a_refusal_below_our_cursor_means_we_missed_something),
        T(a_refusal_of_a_partition_that_is_not_there_is_passed_over),
        T(idle_fences_move_to_what_is_done_not_to_what_is_read),
        T(an_idle_fence_is_behind_by_messages_or_by_age),
        T(positions_follow_the_end_of_the_log_over_control_records),
        T(an_end_below_what_was_read_is_to_be_rewound),
        T(assigning_again_forgets_everything_but_the_pause),
        T(a_shard_that_waits_keeps_its_place),
        T(the_fence_of_a_shard_that_waits_need_not_be_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
