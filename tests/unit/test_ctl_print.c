/* Tables and texts of bgopctl. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/print.h"

static const struct column columns[] = {
    { "ID", COLUMN_ALWAYS },
    { "STATUS", COLUMN_STATUS },
    { "RETRIES", COLUMN_RIGHT },
    { "ERROR", COLUMN_SHRINK },
};

/* What table_print writes; the caller frees. */
static char *printed(const struct table *table, int width, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    table_print(table, to, width, colour);
    fclose(to);
    return text;
}

static void add_row(struct table *table, const char *id, const char *status, const char *retries, const char *error)
{
    table_add(table, id);
    table_add(table, status);
    table_add(table, retries);
    table_add(table, error);
}

static void assert_printed(const struct table *table, int width, bool colour, const char *expected)
{
    char *text = printed(table, width, colour);

    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_aligned(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, TEST_COUNT(columns));
    add_row(&table, "a", "New", "2", "boom");
    add_row(&table, "bcd", "Complete", "10", "");
    assert_printed(&table, 0, false,
                   "ID   STATUS    RETRIES  ERROR\n"
                   "a    New             2  boom\n"
                   "bcd  Complete       10  \n");
    table_release(&table);
}

static void columns_without_text_are_left_out(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, TEST_COUNT(columns));
    add_row(&table, "", "New", "", "");
    assert_printed(&table, 0, false, "ID  STATUS\n    New\n");
    table_release(&table);
}

static void long_texts_are_cut_to_the_terminal_in_whole_characters(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, TEST_COUNT(columns));
    add_row(&table, "a", "Error", "", "the cart \xc3\xa4\xc3\xb6\xc3\xbc is not there");
    assert_printed(&table, 23, false, "ID  STATUS  ERROR\na   Error   the cart \xc3\xa4\xe2\x80\xa6\n");
    table_release(&table);
}

/* Narrower than what can be read, a table is printed record by record, whole: without what is empty and need not be. */
static void what_does_not_fit_is_printed_record_by_record(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, TEST_COUNT(columns));
    add_row(&table, "08P000000000000AAA", "Error", "3", "something l\xc3\xb6ng enough to be broken twice");
    add_row(&table, "", "New", "", "");
    assert_printed(&table, 45, false,
                   "ID                  STATUS  RETRIES  ERROR\n"
                   "08P000000000000AAA  Error         3  somethi\xe2\x80\xa6\n"
                   "                    New              \n");
    assert_printed(&table, 44, false,
                   "ID       08P000000000000AAA\n"
                   "STATUS   Error\n"
                   "RETRIES  3\n"
                   "ERROR    something l\xc3\xb6ng enough to be broken \n"
                   "         twice\n"
                   "\n"
                   "ID\n"
                   "STATUS   New\n");
    assert_printed(&table, 0, false,
                   "ID                  STATUS  RETRIES  ERROR\n"
                   "08P000000000000AAA  Error         3  something l\xc3\xb6ng enough to be broken twice\n"
                   "                    New              \n");
    table_release(&table);
}

static void a_record_fits_the_narrowest_terminal(void **state)
{
    static const struct column long_title[] = { { "ATitleOfManyCharacters", COLUMN_ALWAYS }, { "S", COLUMN_STATUS } };
    struct table table;

    (void)state;
    table_init(&table, long_title, TEST_COUNT(long_title));
    table_add(&table, "08P000000000000AAA");
    table_add(&table, "Error");
    assert_printed(&table, 20, true,
                   "ATitleOfM\xe2\x80\xa6  08P00000\n"
                   "            0000000A\n"
                   "            AA\n"
                   "S           \033[31mError\033[0m\n");
    table_release(&table);
}

/* The rightmost goes first, and none before what may be cut has been cut. */
static void extra_columns_go_when_the_terminal_is_too_narrow(void **state)
{
    static const struct column some_extra[] = {
        { "ID", COLUMN_ALWAYS },
        { "STATUS", COLUMN_EXTRA },
        { "RETRIES", COLUMN_RIGHT | COLUMN_EXTRA },
        { "ERROR", COLUMN_SHRINK },
    };
    struct table table;

    (void)state;
    table_init(&table, some_extra, TEST_COUNT(some_extra));
    add_row(&table, "a", "Complete", "2", "a long error text");
    assert_printed(&table, 40, false,
                   "ID  STATUS    RETRIES  ERROR\n"
                   "a   Complete        2  a long error text\n");
    assert_printed(&table, 31, false,
                   "ID  STATUS    RETRIES  ERROR\n"
                   "a   Complete        2  a long …\n");
    assert_printed(&table, 30, false,
                   "ID  STATUS    ERROR\n"
                   "a   Complete  a long error te…\n");
    assert_printed(&table, 20, false,
                   "ID  ERROR\n"
                   "a   a long error te…\n");
    table_release(&table);
}

/* Where leaving out one makes room for another that went before it. */
static void an_extra_column_comes_back_where_there_is_room(void **state)
{
    static const struct column some_extra[] = {
        { "ID", COLUMN_ALWAYS },
        { "AT", COLUMN_EXTRA },
        { "N", COLUMN_EXTRA },
    };
    struct table table;

    (void)state;
    table_init(&table, some_extra, TEST_COUNT(some_extra));
    table_add(&table, "a");
    table_add(&table, "2026-11-23T10:00:00Z");
    table_add(&table, "12");
    assert_printed(&table, 28, false,
                   "ID  AT                    N\n"
                   "a   2026-11-23T10:00:00Z  12\n");
    assert_printed(&table, 27, false,
                   "ID  AT\n"
                   "a   2026-11-23T10:00:00Z\n");
    assert_printed(&table, 23, false, "ID  N\na   12\n");
    table_release(&table);
}

static void titles_of_numbers_are_cut_and_numbers_are_not(void **state)
{
    static const struct column numbers[] = {
        { "TYPE", COLUMN_SHRINK | COLUMN_ALWAYS },
        { "Scheduled", COLUMN_RIGHT | COLUMN_TITLE },
        { "Complete", COLUMN_RIGHT | COLUMN_TITLE },
    };
    struct table table;

    (void)state;
    table_init(&table, numbers, TEST_COUNT(numbers));
    table_add(&table, "WebCart");
    table_add(&table, "12");
    table_add(&table, "123,456");
    assert_printed(&table, 22, false,
                   "TYPE     Sch\xe2\x80\xa6  Comple\xe2\x80\xa6\n"
                   "WebCart    12  123,456\n");
    assert_printed(&table, 21, false,
                   "TYPE       WebCart\n"
                   "Scheduled  12\n"
                   "Complete   123,456\n");
    table_release(&table);
}

static void times_are_the_readers_or_utc(void **state)
{
    char text[64];

    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    assert_string_equal(format_time(text, "2026-11-23T10:00:00.000+0000"), "2026-11-23T11:00:00+01:00");
    assert_string_equal(format_time(text, "2026-07-23T23:00:00.000+0000"), "2026-07-24T01:00:00+02:00");
    assert_string_equal(format_moment(text, 1795860000123, true), "2026-11-28T11:00:00.123+01:00");
    setenv("TZ", "NST3:30", 1);
    assert_string_equal(format_time(text, "2026-11-23T10:00:00.000+0000"), "2026-11-23T06:30:00-03:30");
    print_times_in_utc(true);
    assert_string_equal(format_time(text, "2026-11-23T10:00:00.000+0000"), "2026-11-23T10:00:00Z");
    assert_string_equal(format_moment(text, 1795860000123, true), "2026-11-28T10:00:00.123Z");
    print_times_in_utc(false);
    setenv("TZ", "UTC0", 1);
    assert_string_equal(format_time(text, "2026-11-23T10:00:00.000+0000"), "2026-11-23T10:00:00Z");
}

static void control_characters_cannot_reach_the_terminal(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, 1);
    table_add(&table, "a\033[31m\nb\x7f\xc2\x9b\xe2\x80\xae\xff\\ \xc3\xa4");
    assert_printed(&table, 0, false, "ID\na\\x1b[31m\\nb\\x7f\\u009b\\u202e\\xff\\ \xc3\xa4\n");
    table_release(&table);
}

static void a_status_is_coloured_only_when_asked(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, 2);
    table_add(&table, "a");
    table_add(&table, "Error");
    assert_printed(&table, 0, true, "ID  STATUS\na   \033[31mError\033[0m\n");
    table_release(&table);
}

static void json_values_become_cells(void **state)
{
    static const struct {
        const char *json, *cell;
    } cases[] = {
        { "\"text\"", "text" }, { "12", "12" }, { "null", "" }, { "true", "true" }, { "[1, \"a\"]", "[1,\"a\"]" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        struct table table;

        table_init(&table, columns, 1);
        table_add_json(&table, value);
        assert_string_equal(table.cells[0], cases[i].cell);
        table_release(&table);
        json_decref(value);
    }
}

static void numbers_lengths_and_times_are_for_people(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(format_count(text, 0), "0");
    assert_string_equal(format_count(text, 999), "999");
    assert_string_equal(format_count(text, 1000), "1,000");
    assert_string_equal(format_count(text, -1234567), "-1,234,567");
    assert_string_equal(format_length(text, 850), "850 ms");
    assert_string_equal(format_length(text, 12540), "12.5 s");
    assert_string_equal(format_length(text, 185000), "3 min 5 s");
    assert_string_equal(format_length(text, 7800000), "2 h 10 min");
    assert_string_equal(format_length(text, 273600000), "3 d 4 h");
    assert_string_equal(format_time(text, "2026-11-23T10:00:00.000+0000"), "2026-11-23T10:00:00Z");
    assert_string_equal(format_time(text, "soon"), "soon");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(columns_without_text_are_left_out),
        cmocka_unit_test(long_texts_are_cut_to_the_terminal_in_whole_characters),
        cmocka_unit_test(what_does_not_fit_is_printed_record_by_record),
        cmocka_unit_test(a_record_fits_the_narrowest_terminal),
        cmocka_unit_test(extra_columns_go_when_the_terminal_is_too_narrow),
        cmocka_unit_test(an_extra_column_comes_back_where_there_is_room),
        cmocka_unit_test(titles_of_numbers_are_cut_and_numbers_are_not),
        cmocka_unit_test(times_are_the_readers_or_utc),
        cmocka_unit_test(control_characters_cannot_reach_the_terminal),
        cmocka_unit_test(a_status_is_coloured_only_when_asked),
        cmocka_unit_test(json_values_become_cells),
        cmocka_unit_test(numbers_lengths_and_times_are_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
