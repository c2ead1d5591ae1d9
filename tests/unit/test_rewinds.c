#include "common/record/rewinds.h"
#include "tests/support/test.h"

static void an_entry_is_read_as_it_was_written(void **state)
{
    const struct rewind_entry entry = { 1023, 61, 5, INT64_C(1) << 42, -1, UINT32_MAX, 1795428000000 };
    char field[REWIND_FIELD_SIZE], text[REWIND_TEXT_SIZE];
    struct rewind_entry back;

    (void)state;
    rewind_entry_write(&entry, field, text);
    assert_string_equal(field, "1023:61");
    assert_string_equal(text, "5 4398046511104 -1 4294967295 1795428000000");
    assert_true(rewind_entry_read(&back, field, text));
    assert_true(back.partition == entry.partition && back.epoch == entry.epoch && back.from == entry.from);
    assert_true(back.lost_to == entry.lost_to && back.last_offset == entry.last_offset);
    assert_true(back.last_crc == entry.last_crc && back.last_at_ms == entry.last_at_ms);
}

static void what_is_no_entry_or_out_of_bounds_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        { "7", "2" },
        { "7:0", "1 2 -1 0 0" },
        { "7:62", "1 2 -1 0 0" },
        { "1024:1", "1 2 -1 0 0" },
        { "-1:1", "1 2 -1 0 0" },
        { "7:1", "1 2 -1 0" },
        { "", "" },
    };
    struct rewind_entry entry;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++)
        assert_false(rewind_entry_read(&entry, wrong[i][0], wrong[i][1]));
}

static void only_a_later_epoch_of_its_partition_is_later(void **state)
{
    const struct rewind_entry entry = { .partition = 2, .epoch = 3 };

    (void)state;
    assert_true(rewind_entry_is_later(&entry, &(struct id_parts){ .partition = 2, .epoch = 2 }));
    assert_false(rewind_entry_is_later(&entry, &(struct id_parts){ .partition = 2, .epoch = 3 }));
    assert_false(rewind_entry_is_later(&entry, &(struct id_parts){ .partition = 1, .epoch = 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_entry_or_out_of_bounds_is_refused),
        cmocka_unit_test(only_a_later_epoch_of_its_partition_is_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
