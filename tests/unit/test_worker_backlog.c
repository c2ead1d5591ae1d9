/* The backlog of hints: Ids in order, and the offset that may be stored. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "worker/claim/backlog.h"

static void add(struct backlog *backlog, int64_t next_offset, int first, int count)
{
    backlog_add_message(backlog, next_offset);
    for (int i = first; i < first + count; i++) {
        char id[ID_SIZE];

        snprintf(id, sizeof id, "08P0%014d", i);
        backlog_add_id(backlog, id);
    }
}

static void assert_next_id(const struct backlog *backlog, int number)
{
    char ids[1][ID_SIZE], expected[ID_SIZE];

    snprintf(expected, sizeof expected, "08P0%014d", number);
    assert_int_equal(backlog_peek(backlog, ids, 1), 1);
    assert_string_equal(ids[0], expected);
}

static void offset_is_stored_when_every_id_of_a_message_has_a_verdict(void **state)
{
    struct backlog backlog = { 0 };

    (void)state;
    add(&backlog, 11, 0, 3);
    add(&backlog, 12, 3, 2);
    assert_int_equal(backlog_take(&backlog, 2), -1);
    assert_next_id(&backlog, 2);
    assert_int_equal(backlog_take(&backlog, 2), 11);
    assert_int_equal(backlog_take(&backlog, 1), 12);
    assert_int_equal(backlog.id_count, 0);
    backlog_release(&backlog);
}

/* What came through Redis stands between messages of Kafka, and moves no offset. */
static void messages_without_an_offset_store_none(void **state)
{
    struct backlog backlog = { 0 };

    (void)state;
    add(&backlog, BACKLOG_NO_OFFSET, 0, 1);
    assert_int_equal(backlog_take(&backlog, 1), -1);
    add(&backlog, 11, 0, 1);
    add(&backlog, BACKLOG_NO_OFFSET, 1, 2);
    add(&backlog, 12, 3, 1);
    assert_int_equal(backlog_take(&backlog, 2), 11);
    assert_int_equal(backlog_take(&backlog, 1), -1);
    assert_int_equal(backlog_take(&backlog, 1), 12);
    backlog_release(&backlog);
}

static void messages_without_ids_are_passed(void **state)
{
    struct backlog backlog = { 0 };

    (void)state;
    add(&backlog, 5, 0, 0);
    assert_int_equal(backlog_take(&backlog, 0), 5);
    assert_int_equal(backlog_take(&backlog, 0), -1);
    add(&backlog, 6, 0, 1);
    add(&backlog, 7, 0, 0);
    assert_int_equal(backlog_take(&backlog, 0), -1); /* the one before still waits */
    assert_int_equal(backlog_take(&backlog, 1), 7);
    backlog_release(&backlog);
}

static void a_dropped_backlog_voids_verdicts_by_its_epoch(void **state)
{
    struct backlog backlog = { 0 };
    uint64_t epoch = backlog.epoch;

    (void)state;
    add(&backlog, 11, 0, 3);
    backlog_drop(&backlog);
    assert_int_not_equal(backlog.epoch, epoch);
    assert_int_equal(backlog.id_count, 0);
    assert_int_equal(backlog_take(&backlog, 0), -1);
    backlog_release(&backlog);
}

/* Grown while wrapped around, in all phases. */
static void order_is_kept_through_any_growth(void **state)
{
    struct backlog backlog = { 0 };
    int in = 0, out = 0;
    int64_t stored = 0;

    (void)state;
    for (int round = 1; round < 200; round++) {
        add(&backlog, round, in, round % 17);
        in += round % 17;
        for (int i = 0; i < round % 13 && out < in; i++, out++) {
            int64_t next;

            assert_next_id(&backlog, out);
            next = backlog_take(&backlog, 1);
            assert_true(next == -1 || next > stored);
            stored = next == -1 ? stored : next;
        }
    }
    assert_int_equal(backlog.id_count, in - out);
    assert_int_equal(backlog_take(&backlog, (size_t)(in - out)), 199);
    backlog_release(&backlog);
}

static void make_id(char id[ID_SIZE], int number)
{
    id_make(id, &(struct id_parts){ .partition = 1, .offset = number });
}

/* Redis pushes an Id, and Kafka brings it too: the second time it is passed over, once. */
static void what_was_pushed_is_passed_over_once(void **state)
{
    struct backlog backlog = { 0 };
    char id[ID_SIZE], other[ID_SIZE];

    (void)state;
    make_id(id, 1);
    make_id(other, 2);
    backlog_add_message(&backlog, BACKLOG_NO_OFFSET);
    backlog_add_pushed_id(&backlog, id, 1000);
    assert_int_equal(backlog.id_count, 1);
    assert_false(backlog_was_pushed(&backlog, other, 1000));
    assert_true(backlog_was_pushed(&backlog, id, 1001));
    assert_false(backlog_was_pushed(&backlog, id, 1001));
    backlog_add_pushed_id(&backlog, id, 2000);
    backlog_add_pushed_id(&backlog, id, 2000);
    assert_true(backlog_was_pushed(&backlog, id, 2001));
    assert_true(backlog_was_pushed(&backlog, id, 2001));
    assert_false(backlog_was_pushed(&backlog, id, 2001));
    backlog_release(&backlog);
}

/* Then its hint is the only one left: late, of a partition that is somebody else's now, or behind many others. */
static void what_was_pushed_is_not_remembered_for_ever(void **state)
{
    struct backlog backlog = { 0 };
    char id[ID_SIZE], other[ID_SIZE];

    (void)state;
    make_id(id, 1);
    backlog_add_message(&backlog, BACKLOG_NO_OFFSET);
    backlog_add_pushed_id(&backlog, id, 1000);
    assert_false(backlog_was_pushed(&backlog, id, 1000 + BACKLOG_PUSHED_MS));
    backlog_add_pushed_id(&backlog, id, 2000);
    backlog_drop(&backlog);
    assert_false(backlog_was_pushed(&backlog, id, 2000));
    backlog_add_message(&backlog, BACKLOG_NO_OFFSET);
    backlog_add_pushed_id(&backlog, id, 3000);
    for (int i = 0; i < BACKLOG_PUSHED; i++) {
        make_id(other, 2 + i);
        backlog_add_pushed_id(&backlog, other, 3000);
    }
    assert_false(backlog_was_pushed(&backlog, id, 3000));
    backlog_release(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offset_is_stored_when_every_id_of_a_message_has_a_verdict),
        cmocka_unit_test(messages_without_an_offset_store_none),
        cmocka_unit_test(messages_without_ids_are_passed),
        cmocka_unit_test(a_dropped_backlog_voids_verdicts_by_its_epoch),
        cmocka_unit_test(order_is_kept_through_any_growth),
        cmocka_unit_test(what_was_pushed_is_passed_over_once),
        cmocka_unit_test(what_was_pushed_is_not_remembered_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
