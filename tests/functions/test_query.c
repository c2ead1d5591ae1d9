/* SOQL over records in all eight statuses: rows, their order, groups, leaders, limits, and what is refused. */
#include "tests/functions/query_queue.h"

#include <pthread.h>
#include <sched.h>

#include "common/base/clock.h"
#include "common/record/routing.h"

#define FROM " FROM BackgroundOperation"

static struct redis_server server;
static struct query_queue *queue;

static int setup(void **state)
{
    (void)state;
    queue = test_calloc(1, sizeof *queue);
    query_queue_open(queue, &server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_queue_close(queue);
    test_free(queue);
    return 0;
}

/* The Names, in the order of the rows: "n9 n8", - for the one without. */
static const char *names(const char *clauses)
{
    static char text[1024];
    char soql[1024];
    const char *at;
    size_t used = 0;

    snprintf(soql, sizeof soql, "SELECT Name" FROM " %s", clauses);
    text[0] = '\0';
    at = query_queue_ask(queue, soql);
    if (*at != '{' && *at != '\0')
        return at;
    while ((at = strstr(at, "\"Name\":\"")) != NULL) {
        at += strlen("\"Name\":\"");
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", used > 0 ? " " : "",
                                 *at == 'B' ? 1 : (int)strcspn(at, "\""), *at == 'B' ? "-" : at);
    }
    return text;
}

static void expect_names(const char *clauses, const char *expected)
{
    const char *got = names(clauses);

    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected %s, got %s", clauses, expected, got);
}

static void conditions_select_rows(void **state)
{
    static const struct {
        const char *where, *rows;
    } cases[] = {
        { "", "n9 n8 n7 n6 N5 n4 - n2 n1" },
        { "WHERE Status = 'new'", "n9 n1" },
        { "WHERE Status = 'Scheduled'", "n2" },
        { "WHERE Status = 'WAITING'", "-" },
        { "WHERE Status = 'Running'", "n4" },
        { "WHERE Status = 'Complete'", "N5" },
        { "WHERE Status = 'Error'", "n6" },
        { "WHERE Status = 'Canceled'", "n7" },
        { "WHERE Status = 'Merged'", "n8" },
        { "WHERE Status = 'Nonsense'", "" },
        { "WHERE Status NOT IN ('New', 'Error', 'Merged')", "n7 N5 n4 - n2" },
        { "WHERE Status = 'Error' OR Status = 'Running' OR Type = 'declared'", "n9 n6 n4" },
        { "WHERE Name = 'N4'", "n4" },
        { "WHERE Name = 'n5' AND Status = 'Complete'", "N5" },
        { "WHERE Name = 'n5' AND Status = 'New'", "" },
        { "WHERE Name IN ('N1', 'n5', 'n77')", "n1 N5" },
        { "WHERE Name = 'BO-08P003000000003'", "-" },
        { "WHERE Name = 'bo-08p003000000003'", "-" },
        { "WHERE Name LIKE 'bo-%'", "-" },
        { "WHERE Id = '08P003000000004'", "n4" },
        { "WHERE Id IN ('08P003000000004', '08P003000000001EAA', '08P00300000000zEAA')", "n4 n1" },
        { "WHERE Id != '08P003000000004' AND Status = 'Running'", "" },
        { "WHERE ParentKey = 'ACCT-1'", "n2 n1 -" },
        { "WHERE ParentKey = 'acct-1' AND Status = 'New'", "n1" },
        { "WHERE ParentKey = '42'", "N5 n4" },
        { "WHERE ParentKey IN ('acct-2', '42')", "n9 N5 n4" },
        { "WHERE ParentKey = 'nobody'", "" },
        { "WHERE ParentKey = null", "n8 n7 n6" },
        { "WHERE ParentKey = ''", "n8 n7 n6" },
        { "WHERE ParentKey != 'acct-1'", "n9 n8 n7 n6 N5 n4" },
        { "WHERE ParentKey != null AND Type = 'webcart'", "N5 n4 - n2 n1" },
        { "WHERE ParentKey LIKE 'acct-_'", "n9 - n2 n1" },
        { "WHERE NOT ParentKey LIKE 'acct-_'", "n8 n7 n6 N5 n4" },
        { "WHERE Error LIKE '%100\\% HOST'", "n6" },
        { "WHERE Error = 'no SUCH 100% host'", "n6" },
        { "WHERE Error != null", "n6" },
        { "WHERE SequenceNumber >= 6", "n9 n6" },
        { "WHERE NOT SequenceNumber >= 7", "n8 n7 n6 N5 n4 - n2 n1" },
        { "WHERE RetryCount = 1", "-" },
        { "WHERE RetryLimit > 3", "n2" },
        { "WHERE Timeout IN (1234, 999)", "n9 N5" },
        { "WHERE IsDeleted = true", "" },
        { "WHERE SubmittedAt >= 2023-11-14T22:13:57Z", "n9 n8 n7" },
        { "WHERE SubmittedAt = 2023-11-14T22:13:57.000Z", "n7" },
        { "WHERE SubmittedAt > 2023-11-14T22:13:56.999+0000 AND CreatedDate < 2023-11-14T23:13:58+01:00", "n7" },
        { "WHERE ProcessAfter != null", "n2" },
        { "WHERE FinishedAt != null", "n6 N5" },
        { "WHERE WorkerUri = 'HTTP://W1'", "n8 n6 N5 n4 -" },
        { "WHERE GroupLeaderId = '08P003000000005'", "n8" },
        { "WHERE NumFollowers > 0", "N5" },
        { "WHERE GroupLeader.Status = 'complete'", "n8" },
        { "WHERE GroupLeader.Name = 'n5' AND Status = 'Merged'", "n8" },
        { "WHERE GroupLeader.Name != 'n5' AND Status IN ('Merged', 'Error')", "n6" },
        { "WHERE (Type = 'Declared' OR Error LIKE 'no%') AND NOT Name = 'n9'", "n6" },
    };

    (void)state;
    query_queue_fill(queue);
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect_names(cases[i].where, cases[i].rows);
}

static void rows_say_whose_they_are_when_that_is_wanted(void **state)
{
    (void)state;
    query_queue_fill(queue);
    queue->options.identified = true;
    query_queue_expect(queue, "SELECT Name, GroupLeader.Name" FROM " WHERE Name IN ('n8', 'n1') ORDER BY Name",
                       "{\"attributes\":\"08P003000000001EAA\",\"Name\":\"n1\",\"GroupLeader\":null} "
                       "{\"attributes\":\"08P003000000008EAA\",\"Name\":\"n8\",\"GroupLeader\":"
                       "{\"attributes\":\"08P003000000005EAA\",\"Name\":\"N5\"}}");
    query_queue_expect(queue, "SELECT Id" FROM " WHERE Name = 'n1'",
                       "{\"attributes\":\"08P003000000001EAA\",\"Id\":\"08P003000000001EAA\"}");
    query_queue_expect(queue, "SELECT Type, COUNT(Id) n" FROM " WHERE Name = 'n1' GROUP BY Type",
                       "{\"Type\":\"WebCart\",\"n\":1}");
}

/* The records are of 22:13:51 to :59 on Tuesday, 2023-11-14. */
static void times_are_compared_with_periods(void **state)
{
    static const struct {
        const char *now, *where, *rows;
    } cases[] = {
        { "2023-11-14T22:14:00Z", "SubmittedAt = TODAY", "n9 n8 n7 n6 N5 n4 - n2 n1" },
        { "2023-11-14T22:14:00Z", "SubmittedAt > TODAY", "" },
        { "2023-11-14T22:14:00Z", "SubmittedAt != today", "" },
        { "2023-11-14T22:14:00Z", "SubmittedAt = LAST_N_DAYS:1 AND Name = 'n4'", "n4" },
        { "2023-11-14T22:14:00Z", "SubmittedAt = 2023-11-14 AND Status = 'New'", "n9 n1" },
        { "2023-11-14T22:14:00Z", "SubmittedAt = 2023-11-13", "" },
        { "2023-11-14T22:13:56Z", "SubmittedAt = LAST_N_DAYS:7", "n6 N5 n4 - n2 n1" }, /* up to the present second */
        { "2023-11-14T22:13:56Z", "SubmittedAt > LAST_N_MINUTES:5", "n9 n8 n7" },
        { "2023-11-14T22:14:55.5Z", "SubmittedAt = LAST_N_MINUTES:1", "n9 n8 n7 n6" },
        { "2023-11-14T22:14:55.5Z", "SubmittedAt < LAST_N_MINUTES:1", "N5 n4 - n2 n1" },
        { "2023-11-15T00:13:55Z", "SubmittedAt = LAST_N_HOURS:2", "n9 n8 n7 n6" },
        { "2023-11-15T00:13:55Z", "SubmittedAt = YESTERDAY AND NOT SubmittedAt = LAST_N_HOURS:2", "N5 n4 - n2 n1" },
        { "2023-11-15T00:13:55Z", "SubmittedAt = N_HOURS_AGO:2 AND Status = 'Error'", "n6" },
        { "2023-11-15T00:13:55Z", "SubmittedAt IN (TODAY, TOMORROW)", "" },
        { "2023-11-15T00:13:55Z", "ProcessAfter != YESTERDAY AND ProcessAfter != null", "" },
        { "2023-11-15T00:13:55Z", "ProcessAfter != TODAY", "n9 n8 n7 n6 N5 n4 - n2 n1" }, /* null differs */
        { "2023-11-19T00:00:00Z", "SubmittedAt = LAST_WEEK AND Type = 'Declared'", "n9" },
        { "2023-11-19T00:00:00Z", "FinishedAt = LAST_WEEK", "n6 N5" },
        { "2023-11-18T23:59:59Z", "FinishedAt < THIS_WEEK", "" },
        { "2024-02-29T12:00:00Z", "SubmittedAt = N_MONTHS_AGO:3 AND ParentKey = '42'", "N5 n4" },
        { "2024-02-29T12:00:00Z", "SubmittedAt = LAST_QUARTER AND SubmittedAt < THIS_YEAR AND RetryCount = 1", "-" },
        { "2024-02-29T12:00:00Z", "GroupLeader.SubmittedAt = LAST_YEAR", "n8" },
        { NULL, "SubmittedAt < LAST_N_YEARS:1 AND Name = 'n1'", "n1" }, /* the time of Redis, which is this machine's */
        { NULL, "SubmittedAt >= YESTERDAY", "" },
    };
    char where[300];

    (void)state;
    query_queue_fill(queue);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        queue->options.now_ms = 0;
        assert_true(!cases[i].now || clock_parse(cases[i].now, &queue->options.now_ms));
        snprintf(where, sizeof where, "WHERE %s", cases[i].where);
        expect_names(where, cases[i].rows);
    }
}

static void fields_may_bear_the_name_of_the_object(void **state)
{
    (void)state;
    query_queue_fill(queue);
    expect_names("b WHERE b.Status = 'Error' OR BackgroundOperation.Name = 'n9' ORDER BY b.Name;", "n6 n9");
    expect_names("-- all\n AS b /* but */ WHERE b.GroupLeader.Name = 'n5'", "n8");
    expect_names("WHERE Id IN ('08p003000000004eaa', '08P003000000001')", "n4 n1");
    query_queue_expect(queue, "SELECT b.Name, b.GroupLeader.Name" FROM " b WHERE b.Name = 'n8'",
                       "{\"Name\":\"n8\",\"GroupLeader\":{\"Name\":\"N5\"}}");
    query_queue_ask(queue, "SELECT FIELDS(ALL)" FROM " WHERE Name = 'n4' LIMIT 1");
    for (int i = 0; i < FIELD_COUNT; i++) {
        json_t *row = json_loads(queue->rows.data, 0, NULL);

        if (json_object_size(row) != FIELD_COUNT || !json_object_get(row, record_fields[i].name))
            fail_msg("%s is not in %s", record_fields[i].name, queue->rows.data);
        json_decref(row);
    }
}

static void rows_are_ordered_limited_and_skipped(void **state)
{
    static const struct {
        const char *clauses, *rows;
    } cases[] = {
        { "ORDER BY Name", "- n1 n2 n4 N5 n6 n7 n8 n9" },
        { "ORDER BY Name DESC LIMIT 3", "n9 n8 n7" },
        { "ORDER BY Name DESC LIMIT 3 OFFSET 2", "n7 n6 N5" },
        { "ORDER BY Name OFFSET 7", "n8 n9" },
        { "ORDER BY Name OFFSET 9", "" },
        { "LIMIT 2", "n9 n8" },
        { "LIMIT 2 OFFSET 3", "n6 N5" },
        { "LIMIT 0", "" },
        { "ORDER BY SubmittedAt", "n1 n2 - n4 N5 n6 n7 n8 n9" },
        { "ORDER BY SubmittedAt LIMIT 2 OFFSET 1", "n2 -" },
        { "ORDER BY CreatedDate DESC LIMIT 2", "n9 n8" },
        { "ORDER BY SubmittedAt DESC, Name LIMIT 2", "n9 n8" },
        { "WHERE ParentKey = 'acct-1' ORDER BY SubmittedAt", "n1 n2 -" },
        { "WHERE ParentKey = 'acct-1' ORDER BY SubmittedAt DESC LIMIT 1", "-" },
        { "WHERE ParentKey = '42' ORDER BY SubmittedAt LIMIT 1", "n4" },
        { "ORDER BY SequenceNumber DESC, Name LIMIT 3", "n9 n6 -" },
        { "ORDER BY SequenceNumber DESC NULLS FIRST, Name DESC LIMIT 2", "n8 n7" },
        { "ORDER BY SequenceNumber, Name LIMIT 2", "- n1" },
        { "ORDER BY SequenceNumber ASC NULLS LAST, Name LIMIT 3", "n6 n9 -" },
        { "ORDER BY ParentKey NULLS LAST, Id LIMIT 4", "n4 N5 n1 n2" },
        { "ORDER BY Status, SubmittedAt", "n7 N5 n6 n8 n1 n9 n4 n2 -" },
        { "ORDER BY StartedAt DESC LIMIT 2", "n6 N5" },
        { "ORDER BY GroupLeader.Name DESC, Name LIMIT 2", "n8 -" },
    };

    (void)state;
    query_queue_fill(queue);
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect_names(cases[i].clauses, cases[i].rows);
}

static void rows_hold_what_is_selected_in_its_order(void **state)
{
    (void)state;
    query_queue_fill(queue);
    query_queue_expect(queue,
                       "SELECT Status, GroupLeader.Name, Id, groupleader.status" FROM " WHERE Name IN ('n8', 'n7') "
                       "ORDER BY Name DESC",
                       "{\"Status\":\"Merged\",\"GroupLeader\":{\"Name\":\"N5\",\"Status\":\"Complete\"},"
                       "\"Id\":\"08P003000000008EAA\"} "
                       "{\"Status\":\"Canceled\",\"GroupLeader\":null,\"Id\":\"08P003000000007EAA\"}");
    query_queue_expect(queue, "SELECT RetryCount, IsDeleted, SubmittedAt, Error" FROM " WHERE Name='n4'",
                       "{\"RetryCount\":0,\"IsDeleted\":false,\"SubmittedAt\":\"2023-11-14T22:13:54.000+0000\","
                       "\"Error\":null}");
    /* a leader that was removed meanwhile */
    shard_command(&queue->shard, "HSET bgop:{3}:op:%s GroupLeaderId %s", reads_id(3, 8), reads_id(3, 99));
    query_queue_expect(queue, "SELECT GroupLeaderId, GroupLeader.Name" FROM " WHERE Status='Merged'",
                       "{\"GroupLeaderId\":\"08P00300000001bEAA\",\"GroupLeader\":null}");
}

/* An execution group as the functions make it: of a Type whose operations are merged. */
static void followers_know_their_leader(void **state)
{
    struct shard *shard = &queue->shard;

    (void)state;
    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 ExternalObject '{\"retry_backoff_ms\":1000,\"retry_limit\":3,"
               "\"timeout_ms\":60000,\"retention_s\":3600,\"retention_error_s\":60,\"merge_max\":4}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS);
    shard_call(shard, "bgop_open", " ");
    reads_submit(shard, 3, 1, 3, "ExternalObject acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, 1);
    query_queue_expect(queue,
                       "SELECT Status, GroupLeaderId, GroupLeader.Status, GroupLeader.NumFollowers" FROM
                       " WHERE ParentKey = 'acct-1' ORDER BY Id LIMIT 2",
                       "{\"Status\":\"Running\",\"GroupLeaderId\":null,\"GroupLeader\":null} "
                       "{\"Status\":\"Merged\",\"GroupLeaderId\":\"08P003000000001EAA\","
                       "\"GroupLeader\":{\"Status\":\"Running\",\"NumFollowers\":2}}");
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE GroupLeader.Status = 'running'", "2");
    query_queue_expect(queue, "SELECT ExecutionGroup, COUNT(Id)" FROM " GROUP BY ExecutionGroup",
                       "{\"ExecutionGroup\":\"08P003000000001EAA-1\",\"expr0\":3}");
    query_queue_expect(queue, "SELECT Status, COUNT(Id)" FROM " GROUP BY Status",
                       "{\"Status\":\"Merged\",\"expr0\":2} {\"Status\":\"Running\",\"expr0\":1}");
}

static void groups_are_counted(void **state)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {
        { "SELECT COUNT()" FROM, "9" },
        { "SELECT COUNT()" FROM " WHERE Status = 'new'", "2" },
        { "SELECT COUNT()" FROM " WHERE NOT Status = 'new' AND Type = 'WebCart'", "7" },
        { "SELECT COUNT()" FROM " WHERE ParentKey = 'acct-1'", "3" },
        { "SELECT COUNT()" FROM " WHERE RetryCount > 5", "0" },
        { "SELECT COUNT()" FROM " LIMIT 4", "4" },
        { "SELECT COUNT()" FROM " WHERE Name LIKE 'n%' LIMIT 100 OFFSET 3", "5" },
        { "SELECT COUNT(Id), COUNT(ParentKey) keys, COUNT_DISTINCT(ParentKey), COUNT_DISTINCT(Error)" FROM,
          "{\"expr0\":9,\"keys\":6,\"expr1\":3,\"expr2\":1}" },
        { "SELECT MIN(SubmittedAt), MAX(Name), MIN(ParentKey), AVG(SequenceNumber), SUM(SequenceNumber), "
          "AVG(RetryCount), "
          "MAX(Error)" FROM,
          "{\"expr0\":\"2023-11-14T22:13:51.000+0000\",\"expr1\":\"n9\",\"expr2\":\"42\",\"expr3\":6.5,\"expr4\":13,"
          "\"expr5\":0.111111111111111,\"expr6\":\"No such 100% host\"}" },
        { "SELECT COUNT(Id), SUM(RetryCount), AVG(RetryCount), MAX(Name)" FROM " WHERE Name = 'nobody'",
          "{\"expr0\":0,\"expr1\":null,\"expr2\":null,\"expr3\":null}" },
        { "SELECT Type, COUNT(Id) n" FROM " GROUP BY Type",
          "{\"Type\":\"Declared\",\"n\":1} {\"Type\":\"WebCart\",\"n\":8}" },
        { "SELECT Status, COUNT(Id)" FROM " GROUP BY Status ORDER BY COUNT(Id) DESC, Status LIMIT 2",
          "{\"Status\":\"New\",\"expr0\":2} {\"Status\":\"Canceled\",\"expr0\":1}" },
        { "SELECT COUNT(Id) n, Status s, Type" FROM " WHERE Status IN ('New','Error') GROUP BY Type, Status "
          "ORDER BY s DESC, Type DESC",
          "{\"n\":1,\"s\":\"New\",\"Type\":\"WebCart\"} {\"n\":1,\"s\":\"New\",\"Type\":\"Declared\"} "
          "{\"n\":1,\"s\":\"Error\",\"Type\":\"WebCart\"}" },
        { "SELECT ParentKey, COUNT(Id), MAX(RetryLimit)" FROM " GROUP BY ParentKey",
          "{\"ParentKey\":null,\"expr0\":3,\"expr1\":3} {\"ParentKey\":\"42\",\"expr0\":2,\"expr1\":3} "
          "{\"ParentKey\":\"Acct-1\",\"expr0\":3,\"expr1\":9} {\"ParentKey\":\"acct-2\",\"expr0\":1,\"expr1\":2}" },
        { "SELECT ParentKey" FROM " GROUP BY ParentKey ORDER BY ParentKey DESC NULLS FIRST LIMIT 2",
          "{\"ParentKey\":null} {\"ParentKey\":\"acct-2\"}" },
        { "SELECT GroupLeader.Status g, COUNT(Id)" FROM " GROUP BY GroupLeader.Status ORDER BY g",
          "{\"g\":null,\"expr0\":8} {\"g\":\"Complete\",\"expr0\":1}" },
        { "SELECT MAX(GroupLeader.NumFollowers)" FROM, "{\"expr0\":1}" },
        { "SELECT COUNT(GroupLeader.Id), COUNT(Type)" FROM, "{\"expr0\":1,\"expr1\":9}" },
        { "SELECT COUNT_DISTINCT(Status), COUNT_DISTINCT(Type)" FROM, "{\"expr0\":8,\"expr1\":2}" },
        { "SELECT Status, COUNT(Id)" FROM " WHERE Type = 'nothing' GROUP BY Status", "" },
        /* HAVING */
        { "SELECT ParentKey, COUNT(Id) n" FROM " GROUP BY ParentKey HAVING COUNT(Id) > 2",
          "{\"ParentKey\":null,\"n\":3} {\"ParentKey\":\"Acct-1\",\"n\":3}" },
        { "SELECT ParentKey, COUNT(Id) n" FROM " GROUP BY ParentKey HAVING n > 2 AND ParentKey != null", /* its alias */
          "{\"ParentKey\":\"Acct-1\",\"n\":3}" },
        { "SELECT ParentKey" FROM " GROUP BY ParentKey HAVING NOT (COUNT(Id) > 2 OR ParentKey = '42')",
          "{\"ParentKey\":\"acct-2\"}" },
        { "SELECT ParentKey, COUNT(ParentKey)" FROM " GROUP BY ParentKey HAVING COUNT(ParentKey) = 0",
          "{\"ParentKey\":null,\"expr0\":0}" },
        { "SELECT ParentKey" FROM " GROUP BY ParentKey HAVING SUM(SequenceNumber) = null", /* of nothing but nulls */
          "{\"ParentKey\":\"42\"} {\"ParentKey\":\"Acct-1\"}" },
        { "SELECT ParentKey" FROM " GROUP BY ParentKey HAVING AVG(SequenceNumber) != 6", /* null differs */
          "{\"ParentKey\":\"42\"} {\"ParentKey\":\"Acct-1\"} {\"ParentKey\":\"acct-2\"}" },
        { "SELECT ParentKey" FROM " GROUP BY ParentKey HAVING AVG(RetryLimit) > 4.9 AND AVG(RetryLimit) < 5.1",
          "{\"ParentKey\":\"Acct-1\"}" },
        { "SELECT ParentKey, MAX(Name)" FROM " GROUP BY ParentKey HAVING MIN(Name) LIKE 'N_' AND MAX(Name) >= 'n8' "
          "ORDER BY MAX(Name) DESC",
          "{\"ParentKey\":\"acct-2\",\"expr0\":\"n9\"} {\"ParentKey\":null,\"expr0\":\"n8\"}" },
        { "SELECT Status, MAX(FinishedAt) last" FROM " GROUP BY Status HAVING MAX(FinishedAt) = 2023-11-14 AND "
          "MIN(SubmittedAt) > 2023-11-14T22:13:55Z",
          "{\"Status\":\"Error\",\"last\":\"2023-11-14T22:13:56.000+0000\"}" },
        { "SELECT Type, Status" FROM
          " GROUP BY Type, Status HAVING COUNT_DISTINCT(ParentKey) IN (1, 2) AND Status NOT IN "
          "('New', 'Waiting') ORDER BY Status LIMIT 2 OFFSET 1",
          "{\"Type\":\"WebCart\",\"Status\":\"Running\"} {\"Type\":\"WebCart\",\"Status\":\"Scheduled\"}" },
        { "SELECT COUNT(Id)" FROM " HAVING COUNT(Id) > 8", "{\"expr0\":9}" },
        { "SELECT COUNT(Id)" FROM " HAVING COUNT(Id) > 9", "" },
        { "SELECT MAX(Name)" FROM " WHERE Name = 'nobody' HAVING MAX(Name) = null", "{\"expr0\":null}" },
        { "SELECT Type, COUNT(Id)" FROM
          " GROUP BY Type HAVING COUNT(Id) < 5 AND Type != 'XClean'", /* from bgop_stats */
          "{\"Type\":\"Declared\",\"expr0\":1}" },
    };

    (void)state;
    query_queue_fill(queue);
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        query_queue_expect(queue, cases[i].text, cases[i].rows);
}

static void hundreds_of_records_take_several_pages(void **state)
{
    char text[64];

    (void)state;
    for (int s = 0; s < READS_SHARDS; s++) {
        shard_clock(&queue->shard, 30000 + s);
        reads_submit(&queue->shard, s, 1, 200, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
        reads_submit(&queue->shard, s, 201, 100, "Declared acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    }
    shard_clock(&queue->shard, 50000);
    query_queue_expect(queue, "SELECT COUNT()" FROM, "1200");
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE RetryCount = 0", "1200");
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE ParentKey = 'ACCT-1' AND Name > 'a'", "400");
    query_queue_expect(queue, "SELECT COUNT()" FROM " LIMIT 700", "700");
    query_queue_expect(queue, "SELECT COUNT_DISTINCT(Id), COUNT_DISTINCT(RetryLimit)" FROM,
                       "{\"expr0\":1200,\"expr1\":2}");
    query_queue_expect(queue, "SELECT Id" FROM " ORDER BY Id DESC LIMIT 1 OFFSET 1199",
                       "{\"Id\":\"08P000000000001EAA\"}");
    query_queue_expect(queue, "SELECT Id" FROM " ORDER BY SubmittedAt LIMIT 1 OFFSET 1000",
                       "{\"Id\":\"08P00300000001dEAA\"}");
    for (int stop = 1; stop <= 601; stop += 200) {
        queue->stop_after = stop;
        query_queue_ask(queue, "SELECT IsDeleted" FROM);
        snprintf(text, sizeof text, "{\"IsDeleted\":false}");
        assert_int_equal(queue->rows.size, (strlen(text) + 1) * (size_t)stop - 1);
        queue->stop_after = 0;
    }
}

/* What bgopctl cancel --where does: each row is changed as it comes, and new ones come in. */
static bool cancel_row(void *arg, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "Id"));
    int *rows = arg, number = 0;

    for (int n = 1; n <= 600; n++) {
        if (strcmp(reads_id(3, n), id) == 0)
            number = n;
    }
    reads_apply(&queue->shard, "cancel", number, 0, "x");
    if (++*rows % 50 == 0)
        reads_submit(&queue->shard, 2, *rows, 1, "Declared \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    return true;
}

static void rows_that_change_while_they_are_read_come_once(void **state)
{
    static const char condition[] = "Status = 'New' AND Type = 'WebCart'";
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition(condition, strlen(condition), "Id, Name", &err);
    int rows = 0;
    int64_t total;

    (void)state;
    for (int from = 1; from <= 600; from += 100) {
        shard_clock(&queue->shard, 30000 + from);
        reads_submit(&queue->shard, 3, from, 100, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    }
    shard_clock(&queue->shard, 40000);
    assert_int_equal(query_run(query, queue->redis, NULL, cancel_row, &rows, &total, &err), ST_OK);
    assert_int_equal(rows, 600);
    assert_int_equal(total, 600);
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE Status = 'Canceled' AND RetryCount = 0", "600");
    query_free(query);
}

static void more_ids_than_one_call_takes_are_asked_for_in_lots(void **state)
{
    static char text[QUERY_TEXT_MAX];
    size_t used = (size_t)snprintf(text, sizeof text, "SELECT COUNT()" FROM " WHERE Id IN (");

    (void)state;
    reads_submit(&queue->shard, 2, 0, 400, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 2, 400, 400, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    for (int i = 0; i < 1600; i++) /* each twice */
        used += (size_t)snprintf(text + used, sizeof text - used, "%s'%s'", i > 0 ? "," : "", reads_id(2, i % 800));
    snprintf(text + used, sizeof text - used, ")");
    query_queue_expect(queue, text, "800");
}

/* More spellings than are looked for everywhere: of a ParentKey in the shard it leads to. */
static void long_texts_are_found_in_any_spelling(void **state)
{
    static const char key[] = "Customer/Account-7", other[] = "CUSTOMER/account-7";

    (void)state;
    reads_submit(&queue->shard, routing_shard(key, strlen(key), 0, 0, READS_SHARDS), 1, 3,
                 "WebCart Customer/Account-7 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, routing_shard(other, strlen(other), 0, 0, READS_SHARDS), 4, 2,
                 "WebCart CUSTOMER/account-7 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(&queue->shard, 1, 6, 1, "WebCart \"\" Nightly-Import \"\" \"\" \"\" \"\" \"\" \"\"");
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE ParentKey = 'customer/ACCOUNT-7'", "5");
    query_queue_expect(queue, "SELECT COUNT()" FROM " WHERE ParentKey = 'customer/account-8'", "0");
    query_queue_expect(queue, "SELECT Name" FROM " WHERE Name = 'nightly-IMPORT'", "{\"Name\":\"Nightly-Import\"}");
    query_queue_expect(queue,
                       "SELECT COUNT()" FROM " WHERE ParentKey IN ('customer/account-7', 'x') AND Status = 'New'", "5");
}

static void what_is_held_is_bounded(void **state)
{
    (void)state;
    for (int s = 0; s < READS_SHARDS; s++)
        reads_submit(&queue->shard, s, 1, 30, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    queue->options.rows_held_max = 100;
    query_queue_expect(queue, "SELECT Id" FROM " ORDER BY Name",
                       "MALFORMED_QUERY ordering more than 100 rows is more than is allowed at once: give a LIMIT, "
                       "conditions that leave fewer, or order by SubmittedAt alone");
    query_queue_expect(queue, "SELECT Id" FROM " ORDER BY Name LIMIT 101",
                       "MALFORMED_QUERY ordering more than 100 rows is more than is allowed at once: give a LIMIT, "
                       "conditions that leave fewer, or order by SubmittedAt alone");
    query_queue_expect(
        queue, "SELECT COUNT_DISTINCT(Id)" FROM,
        "MALFORMED_QUERY more than 100 distinct values are more than is allowed at once: give conditions "
        "that leave fewer");
    query_queue_expect(
        queue, "SELECT COUNT(Id)" FROM " GROUP BY Id",
        "MALFORMED_QUERY more than 100 groups are more than is allowed at once: give conditions that leave "
        "fewer");
    query_queue_expect(queue, "SELECT Id" FROM " ORDER BY Name LIMIT 1", "{\"Id\":\"08P000000000001EAA\"}");
    query_queue_expect(queue, "SELECT COUNT(Id), COUNT_DISTINCT(Type)" FROM " WHERE RetryCount = 0",
                       "{\"expr0\":120,\"expr1\":1}");
    shard_clock(&queue->shard, 60000);
    query_queue_ask(queue, "SELECT IsDeleted" FROM " ORDER BY SubmittedAt");
    assert_int_equal(queue->rows.size, 120 * strlen("{\"IsDeleted\":false} ") - 1);
}

static void a_shard_that_replays_its_log_does_not_answer(void **state)
{
    static const char *const queries[] = {
        "SELECT COUNT()" FROM,
        "SELECT Id" FROM,
        "SELECT Id" FROM " WHERE ParentKey = 'acct-1'",
        "SELECT Id" FROM " WHERE Name = 'x'",
        "SELECT Id" FROM " WHERE Id = '08P003000000002'",
    };

    (void)state;
    shard_command(&queue->shard, "HSET bgop:{2}:gate mode RECOVERING");
    for (size_t i = 0; i < TEST_COUNT(queries); i++) {
        const char *got = query_queue_ask(queue, queries[i]);

        if (strncmp(got, "RECOVERING ", 11) != 0)
            fail_msg("%s: %s", queries[i], got);
    }
}

struct waiting {
    struct query *query;
    int64_t total;
    struct err err;
    enum status st;
};

static void *run_waiting(void *arg)
{
    struct waiting *waiting = arg;

    waiting->st = query_run(waiting->query, queue->redis, &(struct query_options){ .recovering_ms = 60000 }, NULL, NULL,
                            &waiting->total, &waiting->err);
    return NULL;
}

/* The shard opens once the query was turned away for the first time. */
static void a_query_goes_on_when_the_shard_opens(void **state)
{
    static const char text[] = "SELECT COUNT()" FROM " WHERE ParentKey = 'acct-1'";
    struct waiting waiting = { .query = query_parse(text, strlen(text), NULL) };
    pthread_t thread;

    (void)state;
    query_queue_fill(queue);
    shard_command(&queue->shard, "HSET bgop:{3}:gate mode RECOVERING");
    shard_command(&queue->shard, "CONFIG RESETSTAT");
    assert_int_equal(pthread_create(&thread, NULL, run_waiting, &waiting), 0);
    while (strstr(shard_command(&queue->shard, "INFO commandstats"), "cmdstat_fcall_ro:calls=") == NULL)
        sched_yield();
    shard_command(&queue->shard, "HSET bgop:{3}:gate mode OPEN");
    pthread_join(thread, NULL);
    assert_int_equal(waiting.st, ST_OK);
    assert_int_equal(waiting.total, 3);
    query_free(waiting.query);
}

static void a_server_that_is_away_is_said_to_be(void **state)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new("unix:///nowhere/at/all", 200, &err);
    struct query *query = query_parse_condition("Name = 'x'", 10, NULL, &err);

    (void)state;
    assert_int_equal(query_run(query, redis, NULL, NULL, NULL, NULL, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    query_free(query);
    redis_free(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(conditions_select_rows),
        TEST(rows_say_whose_they_are_when_that_is_wanted),
        TEST(times_are_compared_with_periods),
        TEST(fields_may_bear_the_name_of_the_object),
        TEST(rows_are_ordered_limited_and_skipped),
        TEST(rows_hold_what_is_selected_in_its_order),
        TEST(followers_know_their_leader),
        TEST(groups_are_counted),
        TEST(hundreds_of_records_take_several_pages),
        TEST(rows_that_change_while_they_are_read_come_once),
        TEST(more_ids_than_one_call_takes_are_asked_for_in_lots),
        TEST(long_texts_are_found_in_any_spelling),
        TEST(what_is_held_is_bounded),
        TEST(a_shard_that_replays_its_log_does_not_answer),
        TEST(a_query_goes_on_when_the_shard_opens),
        TEST(a_server_that_is_away_is_said_to_be),
    };
    int failed;

    redis_server_start(&server, false);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&server);
    return failed;
}
