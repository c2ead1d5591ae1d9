/* Pages of records: together they are what a query answers, whatever a page may hold. */
#include "tests/functions/filled_queue.h"

#include "common/query/page.h"

static int start(void **state)
{
    (void)state;
    redis_server_start(&server, false);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

static struct query *parse(const char *where)
{
    static const char all[] = "SELECT Name FROM BackgroundOperation";
    struct err err = ERR_INIT;
    struct query *query =
        *where ? query_parse_condition(where, strlen(where), "Name", &err) : query_parse(all, strlen(all), &err);

    if (!query)
        fail_msg("%s: %s", where, err.text);
    return query;
}

static bool take_name(void *arg, const json_t *row)
{
    struct buf *names = arg;
    const char *name = json_string_value(json_object_get(row, "Name"));

    buf_printf(names, "%s%s", names->size ? " " : "", name[0] == 'B' ? "-" : name);
    return true;
}

/* The Names of all pages: "n9 n8|n7": a bar where a page ends that is not the last. */
static const char *pages(const char *where, const struct query_page *asked)
{
    static char text[1024];
    struct query *query = parse(where);
    struct query_page page = *asked;
    struct err err = ERR_INIT;
    struct buf names;
    char *next = NULL, *cursor = NULL;
    int count = 0;

    buf_init(&names, sizeof text - 1);
    do {
        page.cursor = cursor;
        if (query_page(query, queue->redis, &page, take_name, &names, &next, &err) != ST_OK)
            fail_msg("%s: %s", where, err.text);
        free(cursor);
        cursor = next;
        if (next)
            buf_append_string(&names, "|");
    } while (next && ++count < 100);
    assert_null(next);
    snprintf(text, sizeof text, "%s", names.size ? names.data : "");
    buf_release(&names);
    query_free(query);
    return text;
}

static void expect(const char *where, const struct query_page *page, const char *expected)
{
    const char *got = pages(where, page);

    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected %s, got %s", where, expected, got);
}

static void all_pages_together_are_the_answer(void **state)
{
    static const struct query_page large = { .limit = 200, .calls_max = 100, .ms_max = 60000 };
    static const struct query_page small = { .limit = 2, .calls_max = 100, .ms_max = 60000 };

    (void)state;
    expect("", &large, "n9 n8 n7 n6 N5 n4 - n2 n1");
    expect("", &small, "n9 n8| n7 n6| N5 n4| - n2| n1");
    expect("Status NOT IN ('New', 'Error', 'Merged')", &large, "n7 N5 n4 - n2");
    expect("Status = 'Error' OR Status = 'Running' OR Type = 'declared'", &large, "n9 n6 n4");
    expect("GroupLeader.Name = 'n5'", &large, "n8");
    expect("ParentKey = 'ACCT-1'", &large, "- n2 n1");
    expect("ParentKey = 'ACCT-1'", &small, "- n2| n1");
    expect("Name IN ('N1', 'n5', 'n77')", &large, "N5 n1");
    expect("Id IN ('08P003000000006', '08P003000000001EAA', '08P003000000006EAA')", &large, "n6 n1");
    expect("Status = 'Nonsense'", &large, "");
}

static void orders_are_those_that_come_in_pages(void **state)
{
    struct query_page page = { .limit = 3, .calls_max = 100, .ms_max = 60000, .order = "SubmittedAt" };
    struct query *query = parse("");
    struct err err = ERR_INIT;
    char *next = NULL;

    (void)state;
    expect("Status != 'New'", &page, "n2 - n4| N5 n6 n7| n8");
    page.order = "-LastModifiedDate";
    expect("Status = 'New'", &page, "n9 n1");
    page.order = "Error";
    assert_int_equal(query_page(query, queue->redis, &page, take_name, NULL, &next, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "INVALID_FIELD pages come in the order"));
    query_free(query);
}

/* Nothing is found in a call of its own: the page is empty, and has a cursor. */
static void a_page_ends_after_so_many_calls(void **state)
{
    struct query_page page = { .limit = 50, .calls_max = 1, .ms_max = 60000 };

    (void)state;
    for (int n = 10; n < 900; n++)
        query_queue_submit(queue, n, "WebCart crowd \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    expect("Name LIKE 'n_' AND Type != 'Declared'", &page, "||| n8 n7 n6 N5 n4 n2 n1");
}

static void a_cursor_belongs_to_its_query(void **state)
{
    static const char *const cursors[] = { "", "x", "[]", "[\"\"]", "[\"\",1]", "[\"\",\"x\"]", "[1,null]" };
    struct query *query = parse("");

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cursors); i++) {
        const struct query_page page = { .limit = 1, .calls_max = 1, .ms_max = 60000, .cursor = cursors[i] };
        struct err err = ERR_INIT;
        char *next = NULL;

        assert_int_equal(query_page(query, queue->redis, &page, take_name, NULL, &next, &err), ST_INVALID);
        assert_int_equal(strncmp(err.text, "MALFORMED_QUERY", 15), 0);
        assert_null(next);
    }
    query_free(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_pages_together_are_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(orders_are_those_that_come_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_ends_after_so_many_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cursor_belongs_to_its_query, setup, teardown),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
