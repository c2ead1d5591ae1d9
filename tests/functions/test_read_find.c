/* bgop_find: conditions, orders, pages. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <string.h>

/* The numbers (of reads_id) of the rows found with these conditions, in the answer's order: "3.1 0.7". */
static const char *found(const char *where)
{
    static char text[4096];
    json_t *answer = reads_json(shard, "bgop_find 0 '{\"where\":%s,\"fields\":[],\"limit\":200}'", where), *row;
    size_t i, used = 0;

    text[0] = '\0';
    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        const char *id = json_string_value(json_object_get(row, "Id"));

        assert_int_equal(json_object_size(row), 1);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%c.%ld", i > 0 ? " " : "", id[5],
                                 strtol(id + 6, NULL, 10));
    }
    assert_true(json_is_null(json_object_get(answer, "cursor")));
    json_decref(answer);
    return text;
}

/* 3.1 WebCart acct-1 Name one, 3.2 Declared, 3.3 Running, 3.4 Error, 3.5 Scheduled; a second between them. */
static void five_records(void)
{
    reads_submit(shard, 3, 1, 1, "WebCart acct-1 one \"\" \"\" \"\" \"\" g 5");
    shard_clock(shard, 31000);
    reads_submit(shard, 3, 2, 1, "Declared acct-2 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_clock(shard, 32000);
    reads_submit(shard, 3, 3, 1, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" h 6");
    reads_claim(shard, 3);
    shard_clock(shard, 33000);
    reads_submit(shard, 3, 4, 1, "WebCart " PLAIN);
    reads_claim(shard, 4);
    reads_apply(shard, "permanent", 4, 1, "no such 100% host");
    shard_clock(shard, 34000);
    reads_submit(shard, 3, 5, 1, "WebCart \"\" \"\" 1700000090000 \"\" 9 \"\" \"\" \"\"");
}

static void conditions_select_rows(void **state)
{
    static const struct {
        const char *where, *rows;
    } cases[] = {
        { "[]", "3.5 3.4 3.3 3.2 3.1" },
        { "[[\"Status\",\"=\",\"New\"]]", "3.2 3.1" },
        { "[[\"Status\",\"=\",\"Running\"]]", "3.3" },
        { "[[\"Status\",\"=\",\"Error\"]]", "3.4" },
        { "[[\"Status\",\"=\",\"Scheduled\"]]", "3.5" },
        { "[[\"Status\",\"=\",\"Complete\"]]", "" },
        { "[[\"Status\",\"!=\",\"New\"]]", "3.5 3.4 3.3" },
        { "[[\"Status\",\"in\",[\"Error\",\"Running\"]]]", "3.4 3.3" },
        { "[[\"Type\",\"=\",\"WebCart\"],[\"Status\",\"=\",\"New\"]]", "3.1" },
        { "[[\"Type\",\"=\",\"Nonsense\"]]", "" },
        { "[[\"ParentKey\",\"=\",\"acct-1\"]]", "3.3 3.1" },
        { "[[\"ParentKey\",\"=\",\"acct-1\"],[\"Status\",\"=\",\"Running\"]]", "3.3" },
        { "[[\"ParentKey\",\"=\",\"acct\"]]", "" },
        { "[[\"ParentKey\",\"=\",null]]", "3.5 3.4" },
        { "[[\"ParentKey\",\"!=\",null]]", "3.3 3.2 3.1" },
        { "[[\"ParentKey\",\"!=\",\"acct-1\"]]", "3.5 3.4 3.2" },
        { "[[\"ParentKey\",\">\",\"acct-1\"]]", "3.2" },
        { "[[\"Name\",\"=\",\"one\"]]", "3.1" },
        { "[[\"Name\",\"=\",\"BO-08P003000000004\"]]", "3.4" },
        { "[[\"Name\",\"like\",\"bo-%4\"]]", "3.4" },
        { "[[\"Error\",\"like\",\"%100\\\\% HOST\"]]", "3.4" },
        { "[[\"Error\",\"like\",\"no _uch%\"]]", "3.4" },
        { "[[\"Error\",\"like\",\"no\"]]", "" },
        { "[[\"Error\",\"=\",null],[\"Status\",\"=\",\"Error\"]]", "" },
        { "[[\"SequenceNumber\",\">=\",6]]", "3.3" },
        { "[[\"SequenceNumber\",\"<\",6]]", "3.1" },
        { "[[\"SequenceNumber\",\"in\",[4,5]]]", "3.1" },
        { "[[\"RetryLimit\",\"=\",2]]", "3.2" },
        { "[[\"RetryLimit\",\">\",3]]", "3.5" },
        { "[[\"IsDeleted\",\"=\",false],[\"Type\",\"=\",\"Declared\"]]", "3.2" },
        { "[[\"IsDeleted\",\"=\",true]]", "" },
        { "[[\"SubmittedAt\",\">\",1700000032000]]", "3.5 3.4" },
        { "[[\"SubmittedAt\",\">=\",1700000032000],[\"CreatedDate\",\"<\",\"2023-11-14T22:13:54Z\"]]", "3.4 3.3" },
        { "[[\"SubmittedAt\",\"=\",\"2023-11-14T23:13:52.000+01:00\"]]", "3.3" },
        { "[[\"StartedAt\",\"!=\",null]]", "3.4 3.3" },
        { "[[\"ProcessAfter\",\">\",\"2023-11-14T22:14:49.999Z\"]]", "3.5" },
        { "[[\"WorkerUri\",\"=\",\"http://w1\"]]", "3.4 3.3" },
        { "[[\"Id\",\"=\",\"08P003000000002\"]]", "3.2" },
        { "[[\"Id\",\"in\",[\"08P003000000002EAA\",\"08P003000000004EAA\",\"08P00300000000zEAA\"]]]", "3.4 3.2" },
    };

    (void)state;
    five_records();
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *rows = found(cases[i].where);

        if (strcmp(rows, cases[i].rows) != 0)
            fail_msg("%s: expected %s, got %s", cases[i].where, cases[i].rows, rows);
    }
}

static void any_order_is_possible_where_there_are_few(void **state)
{
    static const struct {
        const char *order, *rows;
    } cases[] = {
        { "SubmittedAt", "1 2 3 4 5" },    { "-CreatedDate", "5 4 3 2 1" },
        { "ParentKey", "4 5 1 3 2" },      { "-ParentKey", "2 3 1 5 4" },
        { "SequenceNumber", "2 4 5 1 3" }, { "-StartedAt", "4 3 5 2 1" },
        { "Type", "2 1 3 4 5" },           { "-Id", "5 4 3 2 1" },
        { "RetryLimit", "2 1 3 4 5" },
    };

    (void)state;
    five_records();
    shard_clock(shard, 35000);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char numbers[64] = "", cursor[256] = "null";
        int pages = 0;

        while (strcmp(cursor, "done") != 0) { /* two rows a page: cursors of every order */
            json_t *answer =
                       reads_json(shard, "bgop_find 0 '{\"order\":\"%s\",\"fields\":[],\"limit\":2,\"cursor\":%s}'",
                                  cases[i].order, cursor),
                   *row;
            const char *next = json_string_value(json_object_get(answer, "cursor"));
            size_t n;

            json_array_foreach(json_object_get(answer, "rows"), n, row)
            {
                size_t used = strlen(numbers);
                snprintf(numbers + used, sizeof numbers - used, "%s%c", used ? " " : "",
                         json_string_value(json_object_get(row, "Id"))[14]);
            }
            if (next == NULL)
                snprintf(cursor, sizeof cursor, "done");
            else
                snprintf(cursor, sizeof cursor, "\"%s\"", next);
            json_decref(answer);
            assert_true(++pages <= 4);
        }
        if (strcmp(numbers, cases[i].rows) != 0)
            fail_msg("%s: expected %s, got %s", cases[i].order, cases[i].rows, numbers);
    }
}

static void fields_and_their_defaults(void **state)
{
    json_t *answer;

    (void)state;
    five_records();
    reads_expect(shard,
                 "{\"rows\":[{\"Id\":\"08P003000000004EAA\",\"Error\":\"no such 100% host\",\"Status\":\"Error\"}],"
                 "\"cursor\":null}",
                 "bgop_find 0 '{\"where\":[[\"Status\",\"=\",\"Error\"]],\"fields\":[\"Error\",\"Status\",\"Id\"]}'");
    answer = reads_json(shard, "bgop_find 0 '{}'");
    assert_int_equal(json_object_size(json_array_get(json_object_get(answer, "rows"), 0)), 25);
    json_decref(answer);
}

static void what_is_wrong_with_a_query_is_said(void **state)
{
    static const struct {
        const char *query, *code, *part;
    } cases[] = {
        { "[", "MALFORMED_QUERY", "JSON object" },
        { "[1]", "MALFORMED_QUERY", "JSON object" },
        { "{\"limt\":3}", "MALFORMED_QUERY", "unknown member 'limt', did you mean limit?" },
        { "{\"where\":[[\"Statu\",\"=\",\"x\"]]}", "INVALID_FIELD", "did you mean Status?" },
        { "{\"where\":[[\"Status\",\"~\",\"x\"]]}", "MALFORMED_QUERY", "unknown operator '~'" },
        { "{\"where\":[[\"Status\",\"=\"]]}", "MALFORMED_QUERY", "[field, operator, value]" },
        { "{\"where\":{\"Status\":\"x\"}}", "MALFORMED_QUERY", "list of at most 50 conditions" },
        { "{\"where\":[[\"Status\",\">\",null]]}", "MALFORMED_QUERY", "null is compared with = and != only" },
        { "{\"where\":[[\"Status\",\"in\",[]]]}", "MALFORMED_QUERY", "1 to 500 values" },
        { "{\"where\":[[\"RetryCount\",\"=\",\"x\"]]}", "MALFORMED_QUERY",
          "RetryCount is compared with a whole number" },
        { "{\"where\":[[\"RetryCount\",\"like\",\"1%\"]]}", "MALFORMED_QUERY", "like is for texts" },
        { "{\"where\":[[\"StartedAt\",\">\",\"yesterday\"]]}", "MALFORMED_QUERY", "ISO 8601" },
        { "{\"where\":[[\"IsDeleted\",\"<\",true]]}", "MALFORMED_QUERY", "= and != only" },
        { "{\"where\":[[\"Name\",\"=\",7]]}", "MALFORMED_QUERY", "compared with a text" },
        { "{\"where\":[[\"Id\",\"=\",\"08P003\"]]}", "MALFORMED_ID", "malformed id '08P003'" },
        { "{\"where\":[[\"Id\",\"=\",\"08P003000000002AAA\"]]}", "MALFORMED_ID", "08P003000000002AAA" },
        { "{\"order\":\"Nme\"}", "INVALID_FIELD", "did you mean Name?" },
        { "{\"order\":7}", "MALFORMED_QUERY", "order is Field or -Field" },
        { "{\"fields\":[\"Nme\"]}", "INVALID_FIELD", "did you mean Name?" },
        { "{\"fields\":\"Name\"}", "MALFORMED_QUERY", "list of names" },
        { "{\"limit\":201}", "MALFORMED_QUERY", "more than is allowed at once (200)" },
        { "{\"limit\":0}", "MALFORMED_QUERY", "limit is a number from 1" },
        { "{\"cursor\":\"x\"}", "MALFORMED_QUERY", "does not belong to this query" },
        { "{\"cursor\":\"SubmittedAt:08P003000000002EAA:v5\"}", "MALFORMED_QUERY", "does not belong to this query" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        reads_refused(shard, cases[i].code, cases[i].part, "bgop_find 0 '%s'", cases[i].query);
    reads_refused(shard, "MALFORMED_QUERY", "one argument", "bgop_find 0");
    shard_command(shard, "HSET bgop:{2}:gate mode RECOVERING");
    reads_refused(shard, "RECOVERING", "shard 2", "bgop_find 0 '{}'");
    reads_expect(shard, "{\"rows\":[],\"cursor\":null}", "bgop_find 1 bgop:{1} '{}'");
}

/* ---- walking through many ---- */

enum { MANY = 1500 };

/* The member that asks for the page behind this one; empty when it was the last. */
static void cursor_take(json_t *answer, char *cursor, size_t room)
{
    const char *next = json_string_value(json_object_get(answer, "cursor"));

    cursor[0] = '\0';
    if (next != NULL)
        snprintf(cursor, room, ",\"cursor\":\"%s\"", next);
}

/* Marks what a page answers. Fails when one comes twice. */
static void page_take(json_t *answer, bool seen[READS_SHARDS][4 * MANY])
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        const char *id = json_string_value(json_object_get(row, "Id"));
        int64_t number = 0;

        for (int n = 6; n < 15; n++) {
            int digit = id[n] <= '9' ? id[n] - '0' : id[n] <= 'Z' ? id[n] - 'A' + 10 : id[n] - 'a' + 36;
            number = number * 62 + digit;
        }
        if (seen[id[5] - '0'][number])
            fail_msg("%s came twice", id);
        seen[id[5] - '0'][number] = true;
    }
}

/* Walks all pages while every page is followed by new submissions; fails when one of the first MANY is missing. */
static void walk(const char *query, int numbers_per_shard)
{
    static bool seen[READS_SHARDS][4 * MANY];
    char cursor[1 << 15] = "";
    int next_number = 2 * MANY, pages = 0;

    memset(seen, 0, sizeof seen);
    do {
        json_t *answer = reads_json(shard, "bgop_find 0 '{%s%s}'", query, cursor);

        page_take(answer, seen);
        cursor_take(answer, cursor, sizeof cursor);
        json_decref(answer);
        assert_true(++pages < 1000);
        if (next_number < 4 * MANY) {
            shard_clock(shard, shard_now(shard) + pages % 2);
            reads_submit(shard, pages % READS_SHARDS, next_number++, 1, "WebCart " PLAIN);
        }
    } while (cursor[0] != '\0');
    for (int s = 0; s < READS_SHARDS; s++) {
        for (int n = 1; n <= numbers_per_shard; n++) {
            if (!seen[s][n])
                fail_msg("%s: %d.%d was lost after %d pages", query, s, n, pages);
        }
    }
}

/* Batches of several sizes over four shards, several at the same millisecond. */
static int submit_many(void)
{
    int number = 1;

    for (int round = 0; number < MANY / 4; round++) {
        int count = round % 5 == 0 ? 40 : 1 + round % 3;

        for (int s = 0; s < READS_SHARDS; s++)
            reads_submit(shard, s, number, count,
                         round % 2 ? "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"" : "Declared " PLAIN);
        number += count;
        if (round % 3 == 0)
            shard_clock(shard, shard_now(shard) + 1);
    }
    shard_clock(shard, shard_now(shard) + 1);
    return number - 1;
}

static void pages_neither_repeat_nor_lose_rows_while_new_ones_come_in(void **state)
{
    int numbers = submit_many();

    (void)state;
    walk("\"limit\":37,\"fields\":[]", numbers);
    walk("\"limit\":200,\"fields\":[]", numbers);
    walk("\"limit\":41,\"fields\":[],\"order\":\"SubmittedAt\"", numbers);
    walk("\"limit\":1,\"fields\":[],\"where\":[[\"Id\",\"=\",\"08P001000000001\"]]", 0);
    walk("\"limit\":7,\"fields\":[],\"where\":[[\"Type\",\"=\",\"Nonsense\"]]", 0);
}

/* Rows of all pages of a query; *pages is how many there were. */
static int rows_counted(const char *keys, const char *query, int *pages)
{
    char cursor[1 << 15] = "";
    int rows = 0;

    *pages = 0;
    do {
        json_t *answer = reads_json(shard, "bgop_find %s '{%s%s}'", keys, query, cursor);

        rows += (int)json_array_size(json_object_get(answer, "rows"));
        cursor_take(answer, cursor, sizeof cursor);
        json_decref(answer);
        assert_true(++*pages < 1000);
    } while (cursor[0] != '\0');
    return rows;
}

static void filtered_pages_may_be_short_but_find_everything(void **state)
{
    int pages, numbers = submit_many();

    (void)state;
    reads_submit(shard, 2, numbers + 1, 1, "WebCart acct-9 \"\" \"\" \"\" 7 \"\" \"\" \"\"");
    assert_int_equal(rows_counted("0", "\"where\":[[\"RetryLimit\",\"=\",7]]", &pages), 1);
    assert_true(pages > 2); /* bounded work: it took several calls */
    assert_int_equal(rows_counted("1 bgop:{1}", "\"where\":[[\"ParentKey\",\"=\",\"acct-1\"]],\"limit\":23", &pages),
                     shard_number(shard, "ZCARD bgop:{1}:parent:acct-1"));
    assert_int_equal(rows_counted("0", "\"where\":[[\"Type\",\"=\",\"WebCart\"]],\"limit\":200,\"fields\":[]", &pages),
                     shard_number(shard, "ZCARD bgop:{1}:parent:acct-1") * READS_SHARDS + 1);
}

/* A record that changes while pages are fetched may come or not; one that stays as it is comes once. */
static void other_orders_are_scanned_while_new_ones_come_in(void **state)
{
    int numbers = submit_many();

    (void)state;
    walk("\"limit\":200,\"fields\":[],\"order\":\"Name\"", numbers);
    walk("\"limit\":90,\"fields\":[],\"order\":\"-Type\"", numbers);
    walk("\"limit\":200,\"fields\":[],\"order\":\"-Id\",\"where\":[[\"Status\",\"=\",\"New\"]]", numbers);
    walk("\"limit\":200,\"fields\":[],\"order\":\"RetryLimit\"", numbers);
    walk("\"limit\":200,\"fields\":[],\"order\":\"-SystemModstamp\"", numbers);
    walk("\"limit\":200,\"fields\":[],\"order\":\"LastModifiedDate\"", numbers);
}

/* Renewals move running ones about in their index; the pages of what runs do not care. */
static void what_runs_is_listed_while_leases_are_renewed(void **state)
{
    static bool seen[READS_SHARDS][4 * MANY];
    char cursor[1 << 15] = "";
    int count = 0;

    (void)state;
    reads_submit(shard, 3, 1, 450, "WebCart " PLAIN);
    for (int n = 1; n <= 450; n++)
        reads_claim(shard, n);
    memset(seen, 0, sizeof seen);
    do {
        json_t *answer = reads_json(shard,
                                    "bgop_find 0 '{\"where\":[[\"Status\",\"=\",\"Running\"]],\"limit\":80,"
                                    "\"order\":\"-Name\",\"fields\":[]%s}'",
                                    cursor);

        page_take(answer, seen);
        count += (int)json_array_size(json_object_get(answer, "rows"));
        cursor_take(answer, cursor, sizeof cursor);
        json_decref(answer);
        shard_clock(shard, shard_now(shard) + 1000);
        for (int n = 1; n <= 450; n += 3) {
            shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 9 %s %" PRIu64, reads_id(3, n),
                       shard_token(shard, 1));
            assert_memory_equal(shard->answer, "OK ", 3);
        }
    } while (cursor[0] != '\0');
    assert_int_equal(count, 450);
}

/* Texts of any bytes and lengths pass through a cursor; one that is not ours is refused. */
static void cursors_of_scans(void **state)
{
    char cursor[1 << 15] = "", query[256];
    int pages = 0, rows = 0;

    (void)state;
    reads_submit(shard, 3, 1, 400, "WebCart " PLAIN);
    for (int n = 1; n <= 400; n++)
        shard_command(shard, "HSET " SHARD_PREFIX ":op:%s ParentKey 'a|b:%%\xff\xc3\xa9%0*d'", reads_id(3, n),
                      50 + n % 150, n);
    snprintf(query, sizeof query, "\"order\":\"ParentKey\",\"fields\":[],\"limit\":200");
    do {
        json_t *answer = reads_json(shard, "bgop_find 0 '{%s%s}'", query, cursor);

        rows += (int)json_array_size(json_object_get(answer, "rows"));
        cursor_take(answer, cursor, sizeof cursor);
        json_decref(answer);
        assert_true(++pages < 50);
    } while (cursor[0] != '\0');
    assert_int_equal(rows, 400);
    reads_refused(shard, "MALFORMED_QUERY", "does not belong",
                  "bgop_find 0 '{\"order\":\"Name\",\"cursor\":\"Name*errors||s|-|\"}'");
    reads_refused(shard, "MALFORMED_QUERY", "does not belong",
                  "bgop_find 0 '{\"order\":\"Name\",\"cursor\":\"Name*born||s|-\"}'");
    reads_refused(shard, "MALFORMED_QUERY", "does not belong",
                  "bgop_find 0 '{\"order\":\"Name\",\"cursor\":\"Name*born||e|m||nobody:n\"}'");
    reads_refused(shard, "MALFORMED_QUERY", "does not belong",
                  "bgop_find 0 '{\"order\":\"Timeout\",\"cursor\":\"Timeout*born||e|m||%s:vx\"}'", reads_id(3, 1));
    reads_expect(shard, "{\"rows\":[],\"cursor\":null}",
                 "bgop_find 0 '{\"order\":\"Name\",\"cursor\":\"Name*born||e|m|\"}'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(conditions_select_rows),
        read_test(any_order_is_possible_where_there_are_few),
        read_test(fields_and_their_defaults),
        read_test(what_is_wrong_with_a_query_is_said),
        read_test(pages_neither_repeat_nor_lose_rows_while_new_ones_come_in),
        read_test(filtered_pages_may_be_short_but_find_everything),
        read_test(other_orders_are_scanned_while_new_ones_come_in),
        read_test(what_runs_is_listed_while_leases_are_renewed),
        read_test(cursors_of_scans),
    };

    return read_tests_run(tests);
}
