/* What of a query goes down into bgop_find, and what is done here. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/query/plan.h"

#define NOW_MS INT64_C(1795428000000) /* 2026-11-23T10:00:00Z, a Monday */

static struct query *parsed(const char *text)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse(text, strlen(text), &err);

    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    return query;
}

/* "asked | tested here": the conditions of bgop_find as JSON, then the rest. */
static const char *split(const struct plan *plan)
{
    static struct buf buf;
    char *where = json_dumps(json_object_get(plan->find, "where"), JSON_COMPACT);

    buf_release(&buf);
    buf_init(&buf, 1 << 20);
    if (plan->ids != NULL || plan->spelled != NULL) {
        condition_write(&buf, plan->ids != NULL ? plan->ids : plan->spelled);
        buf_append_string(&buf, " : ");
    }
    buf_append_string(&buf, where);
    free(where);
    if (plan->rest != NULL) {
        buf_append_string(&buf, " | ");
        condition_write(&buf, plan->rest);
    }
    return buf.data;
}

static void conditions_go_down_where_they_mean_the_same(void **state)
{
    static const struct {
        const char *condition, *split;
    } cases[] = {
        { "Status = 'error'", "[[\"Status\",\"=\",\"Error\"]]" },
        { "Status IN ('new','WAITING')", "[[\"Status\",\"in\",[\"New\",\"Waiting\"]]]" },
        { "Status NOT IN ('Complete',null)", "[[\"Status\",\"!=\",\"Complete\"],[\"Status\",\"!=\",null]]" },
        { "Status = 'New' OR Status = 'Error'", "[[\"Status\",\"in\",[\"New\",\"Error\"]]]" },
        { "RetryCount > 1 AND RetryCount <= 5 AND RetryCount != 3",
          "[[\"RetryCount\",\">\",1],[\"RetryCount\",\"<=\",5],[\"RetryCount\",\"!=\",3]]" },
        { "NOT RetryCount = 1", "[[\"RetryCount\",\"!=\",1]]" },
        { "NOT RetryCount < 1", "[] | NOT RetryCount < 1" },
        { "IsDeleted = false", "[[\"IsDeleted\",\"=\",false]]" },
        { "SubmittedAt >= 2026-11-23T10:00:00Z", "[[\"SubmittedAt\",\">=\",1795428000000]]" },
        { "SubmittedAt = TODAY", "[[\"SubmittedAt\",\">=\",1795392000000],[\"SubmittedAt\",\"<\",1795478400000]]" },
        { "SubmittedAt > TODAY AND CreatedDate <= LAST_N_HOURS:1",
          "[[\"SubmittedAt\",\">=\",1795478400000],[\"CreatedDate\",\"<\",1795428001000]]" },
        { "NOT FinishedAt != 2026-11-23",
          "[[\"FinishedAt\",\">=\",1795392000000],[\"FinishedAt\",\"<\",1795478400000]]" },
        { "FinishedAt != TODAY",
          "[] | NOT FinishedAt >= 2026-11-23T00:00:00.000Z OR NOT FinishedAt < 2026-11-24T00:00:00.000Z" },
        { "StartedAt = null AND Error != null", "[[\"StartedAt\",\"=\",null],[\"Error\",\"!=\",null]]" },
        { "StartedAt IN (null, 2026-11-23T10:00:00Z)", "[] | StartedAt IN (null, 2026-11-23T10:00:00.000Z)" },
        { "RetryCount < null", "[] | RetryCount < null" },
        { "GroupLeaderId = '08P003000000002'", "[[\"GroupLeaderId\",\"=\",\"08P003000000002EAA\"]]" },
        /* texts: the case of letters is free here */
        { "Type = 'WebCart'", "[[\"Type\",\"like\",\"WebCart\"]]" },
        { "Error = '50%_of \\\\ it'", "[[\"Error\",\"like\",\"50\\\\%\\\\_of \\\\\\\\ it\"]]" },
        { "Error LIKE 'a\\%%'", "[[\"Error\",\"like\",\"a\\\\%%\"]]" },
        { "SequenceGroup = '42-1'", "[[\"SequenceGroup\",\"=\",\"42-1\"]]" },
        { "SequenceGroup != '42-1'", "[[\"SequenceGroup\",\"!=\",\"42-1\"]]" },
        { "SequenceGroup != 'g'", "[] | SequenceGroup != 'g'" },
        { "SequenceGroup > '1'", "[] | SequenceGroup > '1'" },
        { "Type IN ('WebCart','XClean')", "[] | Type IN ('WebCart', 'XClean')" },
        { "NOT Error LIKE 'a%'", "[] | NOT Error LIKE 'a%'" },
        /* what is both */
        { "Status = 'Error' AND (RetryCount = 1 OR Error LIKE 'x%') AND RetryLimit > 2",
          "[[\"Status\",\"=\",\"Error\"],[\"RetryLimit\",\">\",2]] | RetryCount = 1 OR Error LIKE 'x%'" },
        { "(RetryCount = 1 OR Error > 'x') AND NOT Error LIKE 'y'",
          "[] | (RetryCount = 1 OR Error > 'x') AND NOT Error LIKE 'y'" },
        /* what leads to few */
        { "Id = '08P003000000002' AND Name = 'x'", "Id = '08P003000000002EAA' : [[\"Name\",\"like\",\"x\"]]" },
        { "Name = 'ab1' AND ParentKey = 'c'", "Name = 'ab1' : [[\"ParentKey\",\"like\",\"c\"]]" },
        { "ParentKey IN ('a','b')", "ParentKey IN ('a', 'b') : []" },
        { "ParentKey IN ('a',null)", "[] | ParentKey IN ('a', null)" },
        { "ParentKey = 'abcdefghijklmnopqr'", "ParentKey = 'abcdefghijklmnopqr' : []" },
        { "ParentKey = 'abcdefghijklmnopqrs'", "[[\"ParentKey\",\"like\",\"abcdefghijklmnopqrs\"]]" },
        { "Name = 'abcdefghijklmn'", "Name = 'abcdefghijklmn' : []" },
        { "Name = 'abcdefghijklmno'", "[[\"Name\",\"like\",\"abcdefghijklmno\"]]" },
        /* leaders */
        { "GroupLeader.Status = 'Error'", "[[\"GroupLeaderId\",\"!=\",null]] | GroupLeader.Status = 'Error'" },
        { "GroupLeader.Status != 'Error'", "[] | GroupLeader.Status != 'Error'" },
        { "GroupLeader.Status IN ('Error', null)", "[] | GroupLeader.Status IN ('Error', null)" },
        { "GroupLeader.Id != null", "[[\"GroupLeaderId\",\"!=\",null]] | GroupLeader.Id != null" },
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct query *query;
        struct plan plan;

        snprintf(text, sizeof text, "SELECT Id FROM BackgroundOperation WHERE %s", cases[i].condition);
        query = parsed(text);
        plan_make(&plan, query, NOW_MS);
        if (strcmp(split(&plan), cases[i].split) != 0)
            fail_msg("%s: expected\n%s, got\n%s", cases[i].condition, cases[i].split, split(&plan));
        plan_release(&plan);
        query_free(query);
    }
}

static void explained(const char *text, const char *name, const char *expected)
{
    static const struct query_options options = { .now_ms = NOW_MS };
    struct query *query = parsed(text);
    json_t *plan = query_explain(query, &options), *value = json_object_get(plan, name);
    char *got =
        json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (got == NULL || strcmp(got, expected) != 0)
        fail_msg("%s: %s: expected %s, got %s", text, name, expected, got ? got : "nothing");
    free(got);
    json_decref(plan);
    query_free(query);
}

#define FROM " FROM BackgroundOperation"

static void a_plan_says_what_it_does(void **state)
{
    static const struct {
        const char *text, *name, *value;
    } cases[] = {
        { "SELECT COUNT()" FROM, "index", "the numbers of records by Type and Status; no record is read" },
        { "SELECT COUNT()" FROM " WHERE Status = 'New' AND Type != 'XClean'", "tested here",
          "Status = 'New' AND Type != 'XClean'" },
        { "SELECT Type, Status, COUNT(Id)" FROM " GROUP BY Type, Status", "index",
          "the numbers of records by Type and Status; no record is read" },
        { "SELECT COUNT(ParentKey)" FROM, "index", "the queue in order of submission, one shard after the other" },
        { "SELECT COUNT()" FROM " WHERE RetryCount > 0", "index",
          "the queue in order of submission, one shard after the other" },
        { "SELECT Type, MAX(StartedAt)" FROM " GROUP BY Type", "index",
          "the queue in order of submission, one shard after the other" },
        { "SELECT COUNT(GroupLeader.Id)" FROM, "index", "the queue in order of submission, one shard after the other" },
        { "SELECT Id" FROM " LIMIT 0", "index", "none: LIMIT 0" },
        { "SELECT Id" FROM " WHERE Id = '08P003000000002'", "index", "the Ids themselves, in lots of 500" },
        { "SELECT Id" FROM " WHERE Name = 'x'", "index", "Names, in every spelling that is in the queue" },
        { "SELECT Id" FROM " WHERE ParentKey = 'x'", "index",
          "the operations of a ParentKey, in every spelling that is in the queue" },
        { "SELECT Id" FROM " WHERE CreatedDate > 2026-11-23T10:00:00Z", "index",
          "the queue in order of submission, only the times asked for" },
        { "SELECT Id" FROM " WHERE Status = 'error'", "index",
          "those of a Status where they are few, else the queue in order of submission" },
        { "SELECT Id" FROM " WHERE Status = 'Complete'", "index", "the queue in order of submission" },
        { "SELECT Id" FROM " WHERE Status = 'Error' ORDER BY FinishedAt LIMIT 5", "index", "those of a Status" },
        { "SELECT Id" FROM " ORDER BY LastModifiedDate DESC LIMIT 5", "index",
          "the log of changes as far as it reaches, then the queue" },
        { "SELECT Id" FROM " LIMIT 10", "index", "the queue in order of submission" },
        { "SELECT Id" FROM, "order", "as they come" },
        { "SELECT Id" FROM " ORDER BY SubmittedAt", "order", "as they come, by SubmittedAt" },
        { "SELECT Id" FROM " ORDER BY CreatedDate DESC, Name LIMIT 3", "order",
          "here, the first 3 are held; the rest is not read once SubmittedAt settles it" },
        { "SELECT Id" FROM " ORDER BY LastModifiedDate DESC LIMIT 3", "order", "as they come, by LastModifiedDate" },
        { "SELECT Id" FROM " ORDER BY SystemModstamp DESC LIMIT 3 OFFSET 4", "bgop_find",
          "{\"where\":[],\"fields\":[\"SystemModstamp\",\"Id\"],\"order\":\"-SystemModstamp\",\"limit\":7}" },
        { "SELECT Id" FROM " ORDER BY SystemModstamp LIMIT 3", "order", "here, the first 3 are held" },
        { "SELECT Id" FROM " ORDER BY SystemModstamp DESC LIMIT 201", "order", "here, the first 201 are held" },
        { "SELECT Id" FROM " WHERE NOT Name LIKE 'x' ORDER BY SystemModstamp DESC LIMIT 3", "order",
          "here, the first 3 are held" },
        { "SELECT Id" FROM " WHERE Status = 'Error' ORDER BY FinishedAt DESC LIMIT 3", "order",
          "as they come, by FinishedAt" },
        { "SELECT Id" FROM " WHERE Status = 'Error' ORDER BY FinishedAt DESC NULLS FIRST LIMIT 3", "order",
          "here, the first 3 are held" },
        { "SELECT Id" FROM " WHERE Status = 'Error' ORDER BY Error LIMIT 3", "order", "here, the first 3 are held" },
        { "SELECT Id" FROM " WHERE Status = 'Complete' ORDER BY FinishedAt LIMIT 3", "order",
          "here, the first 3 are held" },
        { "SELECT Id" FROM " WHERE Status = 'New' AND NOT Name LIKE 'x' ORDER BY RetryLimit LIMIT 3", "order",
          "here, the first 3 are held" },
        { "SELECT Id" FROM " ORDER BY Name", "order", "here, all are held, at most 50000" },
        { "SELECT Id" FROM " ORDER BY Name LIMIT 10 OFFSET 5", "order", "here, the first 15 are held" },
        { "SELECT Id, GroupLeader.Id" FROM, "GroupLeader",
          "looked up page by page, only of the rows that are answered" },
        { "SELECT Id" FROM " ORDER BY GroupLeader.Name", "GroupLeader",
          "looked up page by page, before rows are tested" },
        { "SELECT Id, Error, GroupLeader.Type" FROM " WHERE NOT Name LIKE 'x' ORDER BY SubmittedAt", "bgop_find",
          "{\"where\":[],\"fields\":[\"Name\",\"SubmittedAt\",\"Id\",\"Error\",\"GroupLeaderId\"],\"order\":"
          "\"SubmittedAt\","
          "\"limit\":200}" },
        { "SELECT Id" FROM " WHERE SubmittedAt = THIS_WEEK", "index",
          "the queue in order of submission, only the times asked for" },
        { "SELECT Id" FROM " WHERE SubmittedAt = THIS_WEEK OR StartedAt > LAST_N_DAYS:7", "times",
          "THIS_WEEK is from 2026-11-22T00:00:00.000Z, before 2026-11-29T00:00:00.000Z; LAST_N_DAYS:7 is from "
          "2026-11-16T00:00:00.000Z, before 2026-11-23T10:00:01.000Z" },
        { "SELECT Id" FROM, "times", "null" },
        { "SELECT Type, COUNT(Id)" FROM " GROUP BY Type HAVING COUNT(Id) > 5", "HAVING", "COUNT(Id) > 5" },
        { "SELECT Type, COUNT(Id)" FROM " GROUP BY Type HAVING COUNT(Id) > 5", "index",
          "the numbers of records by Type and Status; no record is read" },
        { "SELECT Type" FROM " GROUP BY Type HAVING MAX(SubmittedAt) < TODAY", "HAVING",
          "MAX(SubmittedAt) < 2026-11-23T00:00:00.000Z" },
        { "SELECT Type" FROM " GROUP BY Type HAVING MAX(SubmittedAt) < TODAY AND COUNT(GroupLeader.Id) = 0",
          "bgop_find",
          "{\"where\":[],\"fields\":[\"SubmittedAt\",\"Type\",\"GroupLeaderId\"],\"order\":\"-SubmittedAt\","
          "\"limit\":200}" },
        { "SELECT Id" FROM " LIMIT 7 OFFSET 3", "bgop_find",
          "{\"where\":[],\"fields\":[\"Id\"],\"order\":\"-SubmittedAt\",\"limit\":10}" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        explained(cases[i].text, cases[i].name, cases[i].value);
}

static void what_one_call_can_not_take_stays_here(void **state)
{
    static char text[40000];
    struct query *query;
    struct plan plan;
    size_t used = (size_t)snprintf(text, sizeof text, "SELECT Id" FROM " WHERE RetryLimit > 0");

    (void)state;
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, " AND RetryCount != %d", i);
    used += (size_t)snprintf(text + used, sizeof text - used, " AND Timeout IN (0");
    for (int i = 1; i <= PLAN_VALUES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",%d", i);
    snprintf(text + used, sizeof text - used, ")");
    query = parsed(text);
    plan_make(&plan, query, NOW_MS);
    assert_in_range(json_array_size(json_object_get(plan.find, "where")), 40, PLAN_CONDITIONS_MAX);
    assert_int_equal(json_array_size(json_object_get(plan.find, "where")) + plan.rest->part_count, 102);
    plan_release(&plan);
    query_free(query);
}

static void every_spelling_is_written_once(void **state)
{
    char text[8], all[200] = "";
    size_t used = 0;

    (void)state;
    assert_int_equal(spelling_count("a-B1c", 5), 8);
    for (size_t i = 0; i < 8; i++) {
        spelling_write(text, "a-B1c", 5, i);
        assert_null(strstr(all, text));
        used += (size_t)snprintf(all + used, sizeof all - used, "%s ", text);
    }
    assert_non_null(strstr(all, "a-b1c"));
    assert_non_null(strstr(all, "A-B1C"));
    assert_int_equal(spelling_count("1-2", 3), 1);
    assert_true(spelling_count("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 78) >
                PLAN_PARENT_KEYS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_go_down_where_they_mean_the_same),
        cmocka_unit_test(a_plan_says_what_it_does),
        cmocka_unit_test(what_one_call_can_not_take_stays_here),
        cmocka_unit_test(every_spelling_is_written_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
