/* What is kept of a query between its pages: in order, for a while, and within bounds. */
#include <string.h>

#include "common/base/memory.h"
#include "coordinator/http/locators.h"
#include "tests/support/test.h"

static struct locators locators;

static int setup(void **state)
{
    (void)state;
    locators_init(&locators);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    locators_release(&locators);
    assert_int_equal(locators.bytes, 0);
    return 0;
}

/* Keeps so many Ids behind a first page of 200. */
static void put(size_t count, int64_t now_ms, char key[LOCATOR_KEY_SIZE])
{
    struct locator *locator = locator_new("SELECT Id ...");
    char id[ID_SIZE];

    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "08P%012zuEAA", i + 200);
        locator_add_id(locator, id);
    }
    locator->first = 200;
    locator->total = 200 + count;
    locators_put(&locators, locator, now_ms, key);
}

static void expect_page(const char *key, size_t offset, size_t count, int64_t now_ms)
{
    struct locator_page page;
    char id[ID_SIZE];

    assert_true(locators_page(&locators, key, offset, 300, now_ms, &page));
    assert_int_equal(page.count, count);
    assert_int_equal(page.ids.size, count * ID_LENGTH);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "08P%012zuEAA", offset + i);
        assert_memory_equal(page.ids.data + i * ID_LENGTH, id, ID_LENGTH);
    }
    locator_page_release(&page);
}

static bool is_there(const char *key, size_t offset, int64_t now_ms)
{
    struct locator_page page;
    bool there = locators_page(&locators, key, offset, 300, now_ms, &page);

    if (there)
        locator_page_release(&page);
    return there;
}

static void pages_follow_each_other(void **state)
{
    char key[LOCATOR_KEY_SIZE];

    (void)state;
    put(700, 0, key);
    expect_page(key, 200, 300, 1);
    expect_page(key, 500, 300, 2);
    expect_page(key, 800, 100, 3);
    expect_page(key, 500, 300, 4); /* once more */
    assert_false(is_there(key, 900, 5));
    assert_false(is_there(key, 199, 5));
    assert_false(is_there("nobody", 200, 5));
}

static void rows_without_ids_are_kept_themselves(void **state)
{
    struct locator *locator = locator_new(NULL);
    struct locator_page page;
    char key[LOCATOR_KEY_SIZE];

    (void)state;
    locator_add_row(locator, xstrdup("{\"n\":1}"));
    locator_add_row(locator, xstrdup("{\"n\":2}"));
    locator_add_row(locator, xstrdup("{\"n\":3}"));
    locator->first = 10;
    locator->total = 13;
    locators_put(&locators, locator, 0, key);
    assert_true(locators_page(&locators, key, 11, 300, 0, &page));
    assert_null(page.select);
    assert_int_equal(page.total, 13);
    assert_string_equal(page.rows.data, "{\"n\":2},{\"n\":3}");
    locator_page_release(&page);
}

static void what_is_not_used_is_forgotten(void **state)
{
    char used[LOCATOR_KEY_SIZE], unused[LOCATOR_KEY_SIZE];

    (void)state;
    put(10, 0, used);
    put(10, 0, unused);
    assert_true(is_there(used, 200, LOCATOR_LIFE_MS));
    assert_false(is_there(unused, 200, LOCATOR_LIFE_MS + 1));
    assert_true(is_there(used, 200, 2 * LOCATOR_LIFE_MS));
    assert_false(is_there(used, 200, 3 * LOCATOR_LIFE_MS + 1));
}

static void the_least_used_goes_when_there_are_too_many(void **state)
{
    enum { IDS = 1000000, FIT = LOCATORS_MAX_BYTES / (IDS * ID_LENGTH) };
    char keys[FIT + 2][LOCATOR_KEY_SIZE];
    int kept = 0;

    (void)state;
    for (int i = 0; i < FIT + 2; i++) {
        put(IDS, i, keys[i]);
        assert_true(i == 0 || locators.bytes <= LOCATORS_MAX_BYTES);
        assert_true(is_there(keys[i], 200, i));
    }
    for (int i = 0; i < FIT + 2; i++)
        kept += is_there(keys[i], 200, FIT + 2);
    assert_true(kept >= 1 && kept <= FIT);
    assert_false(is_there(keys[0], 200, FIT + 2));
}

static void keys_differ(void **state)
{
    char first[LOCATOR_KEY_SIZE], second[LOCATOR_KEY_SIZE];

    (void)state;
    put(1, 0, first);
    put(1, 0, second);
    assert_string_not_equal(first, second);
    assert_int_equal(strlen(first), LOCATOR_KEY_SIZE - 1);
    assert_int_equal(strspn(first, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), strlen(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_without_ids_are_kept_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_used_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(the_least_used_goes_when_there_are_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_differ, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
