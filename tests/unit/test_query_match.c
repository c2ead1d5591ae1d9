/* Which rows meet a condition: null, the case of letters, patterns; and that the normal form means the same. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/query/match.h"

/* One row in which much is null. */
static const char row_text[] =
    "{\"Id\":\"08P003000000002EAA\",\"Name\":\"Job-One\",\"Status\":\"Error\",\"Type\":\"WebCart\",\"IsDeleted\":false,"
    "\"Error\":\"100% of K\xc3\xa4se_eaten \\\\ gone\",\"ParentKey\":null,\"RetryCount\":3,\"SequenceNumber\":null,"
    "\"SubmittedAt\":\"2026-11-23T10:00:00.125+0000\",\"StartedAt\":null,\"GroupLeaderId\":\"08P003000000004EAA\","
    "\"GroupLeader\":{\"Status\":\"Running\",\"Error\":null,\"NumFollowers\":2}}";

static struct query *parsed(const char *condition)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition(condition, strlen(condition), NULL, &err);

    if (query == NULL)
        fail_msg("%s: %s", condition, err.text);
    return query;
}

/* Judged as written and in normal form. */
static void expect(const json_t *row, const char *condition, bool expected)
{
    struct query *query = parsed(condition);
    struct query_memory *memory = query_memory_new();

    if (condition_matches(query->where, row) != expected)
        fail_msg("%s is %s", condition, expected ? "false" : "true");
    if (condition_matches(condition_normal(memory, query->where), row) != expected)
        fail_msg("the normal form of %s is %s", condition, expected ? "false" : "true");
    query_memory_free(memory);
    query_free(query);
}

static void rows_meet_conditions(void **state)
{
    static const char *const conditions[] = {
        "Name = 'job-ONE'",
        "Name != 'job'",
        "Name > 'JOB'",
        "Name < 'job-p'",
        "Name >= 'JOB-one'",
        "Name <= 'job-one'",
        "Name IN ('x', 'JOB-ONE')",
        "Name NOT IN ('x', 'y')",
        "Status = 'error'",
        "Type LIKE 'web%'",
        "Id = '08P003000000002'",
        "Id = '08P003000000002EAA'",
        "Id IN ('08P003000000002')",
        "Id < '08P003000000003'",
        "GroupLeaderId != null",
        "RetryCount = 3",
        "RetryCount != 4",
        "RetryCount < 4",
        "RetryCount <= 3",
        "RetryCount > 2",
        "RetryCount >= 3",
        "RetryCount IN (1,3)",
        "IsDeleted = false",
        "IsDeleted != true",
        "SubmittedAt = 2026-11-23T10:00:00.125Z",
        "SubmittedAt > 2026-11-23T10:00:00.124Z",
        "SubmittedAt < 2026-11-23T11:00:00.126+01:00",
        "SubmittedAt != 2026-11-23T10:00:00Z",
        /* null */
        "ParentKey = null",
        "ParentKey = ''",
        "ParentKey != 'x'",
        "ParentKey NOT IN ('x')",
        "ParentKey IN ('x', null)",
        "Name != null",
        "Name != ''",
        "Name NOT IN (null)",
        "StartedAt = null",
        "SequenceNumber != 5",
        "NOT SequenceNumber < 5",
        "NOT SequenceNumber >= 5",
        "NOT ParentKey LIKE '%'",
        "NOT RetryCount > null",
        "GroupLeader.Error = null",
        "GroupLeader.Type = null",
        "GroupLeader.Type != 'x'",
        /* patterns */
        "Error LIKE '%'",
        "Error LIKE '100%'",
        "Error LIKE '100\\%%'",
        "Error LIKE '%GONE'",
        "Error LIKE '%k_se%'",
        "Error LIKE '%K\xc3\xa4se\\_eaten%'",
        "Error LIKE '%\\\\ gone'",
        "Error LIKE '%e%e%e%'",
        "Name LIKE 'job-one'",
        "Name LIKE '_______'",
        "Name LIKE '%job%-%one%'",
        "NOT Name LIKE 'one%'",
        "NOT Name LIKE ''",
        /* and, or, not */
        "Name = 'x' OR Status = 'Error'",
        "NOT (Name = 'x' OR Status = 'New')",
        "NOT (Name = 'x' AND Status = 'Error')",
        "Name = 'job-one' AND (RetryCount = 1 OR RetryCount = 2 OR RetryCount = 3)",
        "NOT NOT Name = 'job-one'",
        "GroupLeader.Status = 'running' AND GroupLeader.NumFollowers > 1",
    };
    static const char *const not_met[] = {
        "Name = 'job'",
        "Name != 'JOB-one'",
        "Name < 'JOB-ONE'",
        "Name LIKE 'job'",
        "Name LIKE '______'",
        "Name LIKE ''",
        "Error LIKE '100\\_%'",
        "Error LIKE '%k\\_se%'",
        "Id = '08P003000000003'",
        "ParentKey = 'x'",
        "ParentKey != null",
        "ParentKey != ''",
        "ParentKey LIKE '%'",
        "ParentKey IN ('x')",
        "ParentKey NOT IN ('x', null)",
        "StartedAt != null",
        "StartedAt > 2026-11-23T10:00:00Z",
        "StartedAt <= 2026-11-23T10:00:00Z",
        "SequenceNumber < 5",
        "SequenceNumber >= 5",
        "RetryCount > null",
        "RetryCount <= null",
        "NOT RetryCount = 3",
        "IsDeleted = true",
        "GroupLeader.Status = 'Error'",
        "GroupLeader.Status = null",
        "Name = 'x' OR Status = 'New'",
        "Name = 'job-one' AND Status = 'New'",
        "NOT (Name = 'job-one' AND NOT Status = 'New')",
    };
    json_t *row = json_loads(row_text, 0, NULL);

    (void)state;
    assert_non_null(row);
    for (size_t i = 0; i < TEST_COUNT(conditions); i++)
        expect(row, conditions[i], true);
    for (size_t i = 0; i < TEST_COUNT(not_met); i++)
        expect(row, not_met[i], false);
    json_decref(row);
}

static void a_row_without_a_leader_has_nulls_there(void **state)
{
    json_t *row = json_loads("{\"Id\":\"08P003000000002EAA\",\"GroupLeaderId\":null,\"GroupLeader\":null}", 0, NULL);

    (void)state;
    expect(row, "GroupLeader.Status = null", true);
    expect(row, "GroupLeader.Status != 'Error'", true);
    expect(row, "GroupLeader.Id = null", true);
    expect(row, "GroupLeader.RetryCount >= 0", false);
    json_decref(row);
}

static void a_normal_form_has_not_only_where_it_must(void **state)
{
    static const struct {
        const char *condition, *normal;
    } cases[] = {
        { "NOT Name = 'a'", "Name != 'a'" },
        { "NOT NOT Name = 'a'", "Name = 'a'" },
        { "NOT Name NOT IN ('a')", "Name IN ('a')" },
        { "NOT RetryCount < 3", "NOT RetryCount < 3" },
        { "NOT (Name LIKE 'a%' OR Type = 'b')", "NOT Name LIKE 'a%' AND Type != 'b'" },
        { "NOT (Name = 'a' AND NOT (Type = 'b' OR Error != 'c'))", "Name != 'a' OR Type = 'b' OR Error != 'c'" },
        { "(Name > 'a' AND Type > 'b') AND (Error > 'c' AND RetryCount > 1)",
          "Name > 'a' AND Type > 'b' AND Error > 'c' AND RetryCount > 1" },
        { "Status = 'New' OR Status = 'Error'", "Status IN ('New', 'Error')" },
        { "Status = 'New' OR (Type = 'x' OR Status IN ('Error', 'Waiting'))",
          "Status IN ('New', 'Error', 'Waiting') OR Type = 'x'" },
        { "NOT (Status != 'New' AND Status != 'Error')", "Status IN ('New', 'Error')" },
        { "Status = 'New' OR GroupLeader.Status = 'New'", "Status = 'New' OR GroupLeader.Status = 'New'" },
        { "Name = 'a' OR Type = 'b' AND Name = 'c'", "Name = 'a' OR (Type = 'b' AND Name = 'c')" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct query *query = parsed(cases[i].condition);
        struct query_memory *memory = query_memory_new();
        struct buf buf;

        buf_init(&buf, 4096);
        condition_write(&buf, condition_normal(memory, query->where));
        assert_string_equal(buf.data, cases[i].normal);
        buf_clear(&buf);
        condition_normal(memory, query->where); /* leaves the query's own as it was */
        query_memory_free(memory);
        memory = query_memory_new();
        condition_write(&buf, condition_normal(memory, query->where));
        assert_string_equal(buf.data, cases[i].normal);
        buf_release(&buf);
        query_memory_free(memory);
        query_free(query);
    }
}

static void a_hostile_pattern_takes_bounded_time(void **state)
{
    char text[256], pattern[1024] = "";

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < 400; i++)
        memcpy(pattern + 2 * i, "%a", 2);
    pattern[2 * 400] = 'b';
    for (int i = 0; i < 1000; i++)
        assert_false(text_like(text, strlen(text), pattern, strlen(pattern)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_meet_conditions),
        cmocka_unit_test(a_row_without_a_leader_has_nulls_there),
        cmocka_unit_test(a_normal_form_has_not_only_where_it_must),
        cmocka_unit_test(a_hostile_pattern_takes_bounded_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
