/* Ids: reference suffixes, both ends of every part, and what is not an Id. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "common/record/id.h"
#include "tests/support/test.h"

#define OFFSET_MAX ((INT64_C(1) << 43) - 1)

static void suffixes_have_the_reference_values(void **state)
{
    static const struct {
        const char *id15, *suffix;
    } cases[] = {
        { "a00D0000008pQR5", "IAM" }, { "001D000000IqhSL", "IAZ" }, { "08Pxx0000000001", "EAA" },
        { "abcdeabcdeabcde", "AAA" }, { "ABCDEABCDEABCDE", "555" }, { "Abcdeabcd1ABCDe", "BAP" },
    };
    char suffix[4];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        id_suffix(cases[i].id15, suffix);
        assert_string_equal(suffix, cases[i].suffix);
    }
}

static void an_id_shows_its_parts(void **state)
{
    static const struct {
        struct id_parts parts;
        const char *id;
    } cases[] = {
        { { 0, 0, 0, 0 }, "08P000000000000EAA" },
        { { 0, 7, 0, 61 }, "08P00700000000zEAA" },
        { { 0, 7, 0, 62 }, "08P007000000010EAA" },
        { { 1, 62, 0, 10 }, "08P11000000000AEAQ" },
        { { 61, 3843, 1023, OFFSET_MAX }, "08PzzzfFgnDxSe7EEF" },
    };
    char id[ID_SIZE];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        id_make(id, &cases[i].parts);
        assert_string_equal(id, cases[i].id);
    }
}

static void every_part_comes_back(void **state)
{
    static const int epochs[] = { 0, 1, 9, 10, 35, 36, 61 }, shards[] = { 0, 1, 15, 61, 62, 3843 },
                     partitions[] = { 0, 1, 512, 1023 };
    static const int64_t offsets[] = { 0, 1, 61, 62, 123456789, INT64_C(1) << 32, OFFSET_MAX };
    char id[ID_SIZE];

    (void)state;
    for (size_t e = 0; e < TEST_COUNT(epochs); e++)
        for (size_t s = 0; s < TEST_COUNT(shards); s++)
            for (size_t p = 0; p < TEST_COUNT(partitions); p++)
                for (size_t o = 0; o < TEST_COUNT(offsets); o++) {
                    struct id_parts parts = { epochs[e], shards[s], partitions[p], offsets[o] }, back;
                    id_make(id, &parts);
                    assert_int_equal(strlen(id), ID_LENGTH);
                    for (size_t length = 15; length <= 18; length += 3) {
                        memset(&back, 0xff, sizeof back);
                        assert_true(id_parse(id, length, &back));
                        assert_int_equal(back.epoch, parts.epoch);
                        assert_int_equal(back.shard, parts.shard);
                        assert_int_equal(back.partition, parts.partition);
                        assert_true(back.offset == parts.offset);
                    }
                }
}

static void ids_of_a_partition_sort_as_their_offsets(void **state)
{
    char earlier[ID_SIZE], later[ID_SIZE];

    (void)state;
    for (int64_t offset = 0; offset < 100000; offset += 61) {
        id_make(earlier, &(struct id_parts){ 0, 3, 5, offset });
        id_make(later, &(struct id_parts){ 0, 3, 5, offset + 1 });
        assert_true(strcmp(earlier, later) < 0);
    }
}

static void what_is_not_an_id_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "08P",
        "08P00000000000",
        "08P0000000000000",
        "08P00000000000000",
        "08P000000000000EAAA",
        "08P000000000000AAA", /* suffix of another */
        "08P000000000000eaa",
        "08p000000000000AAA", /* prefix */
        "001000000000000AAA",
        "08P00000000000-",
        "08P00000000000-EAA",
        "08P00000000 000",
        "08P000000000\xc3\xa4"
        "0",
        "08P000zzzzzzzzz", /* 62^9 - 1: beyond partition 1023 */
        "08P000fFgnDxSe8", /* one more than the greatest */
    };
    struct id_parts parts;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        if (id_parse(cases[i], strlen(cases[i]), &parts))
            fail_msg("%s was taken for an Id", cases[i]);
    assert_true(id_parse("08P000fFgnDxSe7", 15, &parts));
    assert_false(id_parse("08P000000000\0"
                          "00",
                          15, &parts));
}

/* Sorting tools, spreadsheets and host names lose the case of letters; the suffix brings it back. */
static void an_id_of_18_characters_is_read_in_any_case(void **state)
{
    static const int64_t offsets[] = { 0, 61, 4711, INT64_C(123456789012), (INT64_C(1) << 43) - 1 };
    char id[ID_SIZE], given[ID_SIZE], read[ID_SIZE];
    struct id_parts parts;

    (void)state;
    for (size_t o = 0; o < TEST_COUNT(offsets); o++)
        for (int shard = 0; shard < ID_SHARDS_MAX; shard += 37) {
            id_make(id, &(struct id_parts){ shard % ID_EPOCHS_MAX, shard, shard % ID_PARTITIONS_MAX, offsets[o] });
            for (int way = 0; way < 4; way++) {
                for (int i = 0; i <= ID_LENGTH; i++)
                    given[i] = (char)(way == 0   ? id[i]
                                      : way == 1 ? tolower(id[i])
                                      : way == 2 ? toupper(id[i])
                                      : i % 2    ? tolower(id[i])
                                                 : toupper(id[i]));
                assert_true(id_read(read, given, ID_LENGTH, &parts));
                assert_string_equal(read, id);
                assert_int_equal(parts.shard, shard);
            }
            assert_true(id_read(read, id, 15, &parts));
            assert_string_equal(read, id);
        }
}

static void what_no_case_makes_an_id_is_not_read(void **state)
{
    static const char *const cases[] = {
        "",
        "08P000000000000",    /* fine: below */
        "08p000000000000",    /* 15 characters: nothing tells their case */
        "08P000000000000AAA", /* the P is no capital */
        "08P000000000000EAB", /* a capital 0 */
        "08P000000000000EA6",
        "08P000000000000EA-",
        "08P000000000000E\xc3\xa4",
        "001000000000000EAA",
        "08P00000000-000EAA",
        "08P000000000000EAAA",
        "08P0000000000000",
        "08P000zzzzzzzzzEAA",
    };
    char read[ID_SIZE];
    struct id_parts parts;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        if (id_read(read, cases[i], strlen(cases[i]), &parts) != (i == 1))
            fail_msg("%s was %s", cases[i], i == 1 ? "refused" : "taken for an Id");
    assert_false(id_read(read, "08P000000000000E\0A", 18, &parts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suffixes_have_the_reference_values),
        cmocka_unit_test(an_id_shows_its_parts),
        cmocka_unit_test(every_part_comes_back),
        cmocka_unit_test(ids_of_a_partition_sort_as_their_offsets),
        cmocka_unit_test(what_is_not_an_id_is_refused),
        cmocka_unit_test(an_id_of_18_characters_is_read_in_any_case),
        cmocka_unit_test(what_no_case_makes_an_id_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
