/* bgopctl query: the real program, its tables, JSON, plans, errors and exit codes. */
#include "tests/functions/query_queue.h"

#include <time.h>

#include "common/query/period.h"
#include "tests/support/program.h"

#define FROM " FROM BackgroundOperation"

static struct redis_server server;
static struct query_queue *queue;

static int setup(void **state)
{
    (void)state;
    queue = test_calloc(1, sizeof *queue);
    query_queue_open(queue, &server);
    query_queue_fill(queue);
    setenv("BGOP_REDIS", server.url, 1);
    setenv("COLUMNS", "200", 1);
    setenv("TZ", "UTC0", 1); /* times are compared */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_queue_close(queue);
    test_free(queue);
    return 0;
}

static void expect(const char *soql, const char *option, int code, const char *output)
{
    const char *words[] = { "bgopctl", "query", soql, option, NULL };
    char *got;
    int got_code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &got);

    if (got_code != code || strcmp(got, output) != 0)
        fail_msg("%s: expected %d,\n%s, got %d,\n%s", soql, code, output, got_code, got);
    free(got);
}

static void rows_are_a_table_or_json(void **state)
{
    (void)state;
    expect("SELECT Name, Status, RetryLimit, SubmittedAt, GroupLeader.Name, IsDeleted" FROM
           " WHERE Name IN ('n8', 'n9') ORDER BY Name",
           NULL, 0,
           "Name  Status  RetryLimit  SubmittedAt           GroupLeader.Name  IsDeleted\n"
           "n8    Merged           3  2023-11-14T22:13:58Z  N5                false\n"
           "n9    New              2  2023-11-14T22:13:59Z                    false\n");
    expect("SELECT Name, GroupLeader.Name, Error" FROM " WHERE Name IN ('n8', 'n9') ORDER BY Name", "--json", 0,
           "[{\"Name\":\"n8\",\"GroupLeader\":{\"Name\":\"N5\"},\"Error\":null},\n"
           "{\"Name\":\"n9\",\"GroupLeader\":null,\"Error\":null}]\n");
    expect("SELECT Id" FROM " WHERE Name = 'nobody'", NULL, 0, "no operations\n");
    expect("SELECT Id" FROM " WHERE Name = 'nobody'", "--json", 0, "[]\n");
}

static void aggregates_have_their_names(void **state)
{
    (void)state;
    expect("SELECT Type, COUNT(Id) n, AVG(RetryLimit), MAX(SubmittedAt) last" FROM " GROUP BY Type", NULL, 0,
           "Type      n  expr0  last\n"
           "Declared  1      2  2023-11-14T22:13:59Z\n"
           "WebCart   8   3.75  2023-11-14T22:13:58Z\n");
    expect("SELECT Type, COUNT(Id) n, AVG(RetryLimit)" FROM " GROUP BY Type", "--json", 0,
           "[{\"Type\":\"Declared\",\"n\":1,\"expr0\":2.0},\n{\"Type\":\"WebCart\",\"n\":8,\"expr0\":3.75}]\n");
    expect("SELECT COUNT()" FROM " WHERE Status = 'new'", NULL, 0, "2\n");
    expect("SELECT COUNT()" FROM " WHERE Status = 'new'", "--json", 0,
           "{\"totalSize\":2,\"done\":true,\"records\":[]}\n");
}

static void a_plan_is_explained_without_a_server(void **state)
{
    (void)state;
    setenv("BGOP_REDIS", "unix:///nowhere", 1);
    expect("SELECT Id" FROM " WHERE Status = 'Error' AND NOT Name LIKE 'x%' ORDER BY Name LIMIT 3", "--explain", 0,
           "index        those of a Status where they are few, else the queue in order of submission\n"
           "bgop_find    "
           "{\"where\":[[\"Status\",\"=\",\"Error\"]],\"fields\":[\"Name\",\"Id\"],\"order\":\"-SubmittedAt\","
           "\"limit\":200}\n"
           "tested here  NOT Name LIKE 'x%'\n"
           "order        here, the first 3 are held\n");
}

static void a_plan_shows_what_periods_are(void **state)
{
    const char *words[] = { "bgopctl", "query",
                            "SELECT Id" FROM " WHERE StartedAt = LAST_N_YEARS:1 AND ExpiresAt = 2026-11-28",
                            "--explain", NULL };
    char *got, expected[200], year[5];
    time_t now = time(NULL);

    (void)state;
    strftime(year, sizeof year, "%Y", gmtime(&now));
    assert_int_equal(program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &got), 0);
    snprintf(expected, sizeof expected,
             "times        LAST_N_YEARS:1 is from %d-01-01T00:00:00.000Z, before "
             "%s-01-01T00:00:00.000Z; 2026-11-28 is from 2026-11-28T00:00:00.000Z, before 2026-11-29T00:00:00.000Z\n",
             atoi(year) - 1, year);
    if (strstr(got, expected) == NULL)
        fail_msg("expected %s in\n%s", expected, got);
    free(got);
}

/* The one mistake with periods that no error could tell. */
static void what_can_not_have_happened_yet_is_explained(void **state)
{
    (void)state;
    expect(
        "SELECT Id" FROM " WHERE SubmittedAt > LAST_N_DAYS:7", NULL, 0,
        "no operations\n(> LAST_N_DAYS:7 is behind its end, which is not yet; what lies in it is = LAST_N_DAYS:7, from "
        "its start on >= LAST_N_DAYS:7)\n");
    expect("SELECT Id" FROM " WHERE SubmittedAt >= LAST_N_DAYS:7", NULL, 0, "no operations\n");
    expect("SELECT Id" FROM " WHERE SubmittedAt > YESTERDAY AND SubmittedAt > TOMORROW", NULL, 0, "no operations\n");
    expect("SELECT Id" FROM " WHERE SubmittedAt > TODAY", "--json", 0, "[]\n");
}

/* Made from the one table. */
static void help_names_every_date_literal(void **state)
{
    const char *words[] = { "bgopctl", "help", "query", NULL };
    char *got, *word;

    (void)state;
    assert_int_equal(program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &got), 0);
    for (size_t i = 0; i < date_literal_count; i++) {
        size_t size = strlen(date_literals[i].name);

        for (word = strstr(got, date_literals[i].name); word && !strchr(" \n", word[size]);)
            word = strstr(word + 1, date_literals[i].name);
        if (word == NULL)
            fail_msg("%s is not in\n%s", date_literals[i].name, got);
    }
    free(got);
}

static void errors_have_their_exit_codes(void **state)
{
    (void)state;
    expect("SELECT Message" FROM, NULL, 64, "bgopctl: INVALID_FIELD column 8: no field Message; did you mean Error?\n");
    expect("SELECT Name FROM Organization", "--json", 64,
           "bgopctl: INVALID_TYPE sObject type 'Organization' is not supported.\n");
    setenv("BGOP_REDIS", "unix:///nowhere", 1);
    const char *words[] = { "bgopctl", "query", "SELECT Id" FROM, NULL };
    char *got;

    assert_int_equal(program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &got), 69);
    assert_non_null(strstr(got, "/nowhere"));
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(rows_are_a_table_or_json),
        TEST(aggregates_have_their_names),
        TEST(a_plan_is_explained_without_a_server),
        TEST(a_plan_shows_what_periods_are),
        TEST(what_can_not_have_happened_yet_is_explained),
        TEST(help_names_every_date_literal),
        TEST(errors_have_their_exit_codes),
    };
    int failed;

    redis_server_start(&server, false);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&server);
    return failed;
}
