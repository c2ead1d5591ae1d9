/* SOQL: what each production means, and what is said about a query that is none. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/query/match.h"

#define FROM " FROM BackgroundOperation"
#define IDS  "SELECT Id" FROM

/* A query as a text that means the same: every part that was understood. */
static const char *understood(const struct query *query)
{
    static struct buf buf;

    buf_release(&buf);
    buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < query->item_count; i++) {
        buf_append_string(&buf, i > 0 ? "," : "");
        item_write(&buf, &query->items[i]);
        if (query->aggregate)
            buf_printf(&buf, " %s", query->items[i].name);
    }
    if (query->where) {
        buf_append_string(&buf, " | ");
        condition_write(&buf, query->where);
    }
    for (size_t i = 0; i < query->group_count; i++) {
        buf_append_string(&buf, i > 0 ? "," : " | by ");
        field_write(&buf, query->groups[i]);
    }
    if (query->having) {
        buf_append_string(&buf, " | having ");
        condition_write(&buf, query->having);
    }
    for (size_t i = 0; i < query->order_count; i++) {
        buf_append_string(&buf, i > 0 ? "," : " | order ");
        item_write(&buf, &query->orders[i].item);
        buf_printf(&buf, "%s%s", query->orders[i].descending ? " down" : " up",
                   query->orders[i].nulls_first ? " nulls first" : "");
    }
    if (query->limit >= 0 || query->offset > 0)
        buf_printf(&buf, " | %lld from %lld", (long long)query->limit, (long long)query->offset);
    return buf.data;
}

static void expect(const char *text, const char *meaning)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse(text, strlen(text), &err);

    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    if (strcmp(understood(query), meaning) != 0)
        fail_msg("%s: expected %s, got %s", text, meaning, understood(query));
    query_free(query);
}

static void expect_condition(const char *text, const char *meaning)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition(text, strlen(text), NULL, &err);
    struct buf buf;

    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    buf_init(&buf, 1 << 20);
    condition_write(&buf, query->where);
    if (strcmp(buf.data, meaning) != 0)
        fail_msg("%s: expected %s, got %s", text, meaning, buf.data);
    buf_release(&buf);
    query_free(query);
}

static void refused(const char *text, const char *error)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse(text, strlen(text), &err);

    if (query != NULL)
        fail_msg("%s was accepted: %s", text, understood(query));
    if (strcmp(err.text, error) != 0)
        fail_msg("%s: expected\n%s, got\n%s", text, error, err.text);
    assert_int_equal(err.status, ST_INVALID);
}

/* ---- what is understood ---- */

static void every_clause_is_understood(void **state)
{
    static const struct {
        const char *text, *meaning;
    } cases[] = {
        { IDS, "Id" },
        { "select id,NAME , status\nfrom backgroundoperation", "Id,Name,Status" },
        { IDS " WHERE Status = 'Error'", "Id | Status = 'Error'" },
        { IDS " ORDER BY Name", "Id | order Name up nulls first" },
        { IDS " ORDER BY Name ASC NULLS LAST, Id DESC", "Id | order Name up,Id down" },
        { IDS " ORDER BY ParentKey DESC NULLS FIRST LIMIT 10", "Id | order ParentKey down nulls first | 10 from 0" },
        { IDS " LIMIT 0", "Id | 0 from 0" },
        { IDS " OFFSET 7", "Id | -1 from 7" },
        { IDS " WHERE RetryCount > 1 ORDER BY SubmittedAt LIMIT 5 OFFSET 10",
          "Id | RetryCount > 1 | order SubmittedAt up nulls first | 5 from 10" },
        { "SELECT GroupLeader.Status, Id, groupleader.id" FROM, "GroupLeader.Status,Id,GroupLeader.Id" },
        { "SELECT COUNT()" FROM, "COUNT(Id) expr0" },
        { "SELECT count ( )" FROM " WHERE Type = 'WebCart'", "COUNT(Id) expr0 | Type = 'WebCart'" },
        { "SELECT Status, COUNT(Id)" FROM " GROUP BY Status", "Status Status,COUNT(Id) expr0 | by Status" },
        { "SELECT Status, COUNT()" FROM " GROUP BY Status", "Status Status,COUNT(Id) expr0 | by Status" },
        { "SELECT Status" FROM " GROUP BY Status", "Status Status | by Status" },
        { "SELECT Status s, Type, MAX(StartedAt) last, MIN(Name), AVG(RetryCount), SUM(Timeout), "
          "COUNT_DISTINCT(ParentKey) keys" FROM " GROUP BY Type, Status ORDER BY COUNT(Id) DESC, last, s, expr1",
          "Status s,Type Type,MAX(StartedAt) last,MIN(Name) expr0,AVG(RetryCount) expr1,SUM(Timeout) expr2,"
          "COUNT_DISTINCT(ParentKey) keys | by Type,Status | order COUNT(Id) down,MAX(StartedAt) up nulls first,"
          "Status up nulls first,AVG(RetryCount) up nulls first" },
        { IDS " b", "Id" },
        { IDS " AS b WHERE b.Status = 'New' ORDER BY B.Name, BackgroundOperation.Id LIMIT 1",
          "Id | Status = 'New' | order Name up nulls first,Id up nulls first | 1 from 0" },
        { "SELECT o.Id, backgroundoperation.Name, O.GroupLeader.Status" FROM " o", "Id,Name,GroupLeader.Status" },
        { "SELECT COUNT(b.Id), b.Type" FROM " b GROUP BY b.Type HAVING COUNT(b.Id) > 1",
          "COUNT(Id) expr0,Type Type | by Type | having COUNT(Id) > 1" },
        { "SELECT Type t, COUNT(Id) AS n, AVG(RetryCount)" FROM " GROUP BY Type HAVING n > 1 AND NOT (expr0 < 1.5 OR "
          "MAX(SubmittedAt) >= TODAY) AND t LIKE 'web%' ORDER BY n",
          "Type t,COUNT(Id) n,AVG(RetryCount) expr0 | by Type | having COUNT(Id) > 1 AND NOT (AVG(RetryCount) < 1.5 OR "
          "MAX(SubmittedAt) >= TODAY) AND Type LIKE 'web%' | order COUNT(Id) up nulls first" },
        { "SELECT COUNT(Id)" FROM " HAVING COUNT_DISTINCT(Type) IN (1, 2) AND MIN(Error) = null",
          "COUNT(Id) expr0 | having COUNT_DISTINCT(Type) IN (1, 2) AND MIN(Error) = null" },
        { IDS ";", "Id" },
        { IDS " LIMIT 3 ; ; ", "Id | 3 from 0" },
        { "SELECT -- which\n Id /* of\n all */ , Name // and so on\n" FROM " --", "Id,Name" },
        { "SELECT\xc2\xa0Id" FROM "/**/LIMIT 2--3", "Id | 2 from 0" },
        { "\xef\xbb\xbfSELECT Id" FROM, "Id" },
        { "SELECT Fields(All)" FROM " LIMIT 200", "Id,IsDeleted,Name,CreatedDate,LastModifiedDate,SystemModstamp,"
                                                  "SubmittedAt,Status,ExecutionGroup,SequenceGroup,"
                                                  "SequenceNumber,GroupLeaderId,StartedAt,FinishedAt,WorkerUri,Timeout,"
                                                  "ExpiresAt,NumFollowers,ProcessAfter,ParentKey,"
                                                  "RetryLimit,RetryCount,RetryBackoff,Error,Type | 200 from 0" },
        { "SELECT MAX(GroupLeader.NumFollowers)" FROM, "MAX(GroupLeader.NumFollowers) expr0" },
        { "SELECT GroupLeader.Status g, COUNT(Id)" FROM " GROUP BY GroupLeader.Status",
          "GroupLeader.Status g,COUNT(Id) expr0 | by GroupLeader.Status" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect(cases[i].text, cases[i].meaning);
}

static void conditions_have_the_usual_precedence(void **state)
{
    static const struct {
        const char *text, *meaning;
    } cases[] = {
        { "Name='a' OR Name='b' AND Type='c'", "Name = 'a' OR (Name = 'b' AND Type = 'c')" },
        { "(Name='a' OR Name='b') AND Type='c'", "(Name = 'a' OR Name = 'b') AND Type = 'c'" },
        { "NOT Name='a' AND NOT(Type='b')", "NOT Name = 'a' AND NOT Type = 'b'" },
        { "not not Name='a'", "NOT NOT Name = 'a'" },
        { "NOT (Name='a' OR Type='b')", "NOT (Name = 'a' OR Type = 'b')" },
        { "(NOT Name LIKE 'x%')", "NOT Name LIKE 'x%'" },
        { "((Name='a'))", "Name = 'a'" },
        { "Name='a' AND Name='b' AND Name='c'", "Name = 'a' AND Name = 'b' AND Name = 'c'" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect_condition(cases[i].text, cases[i].meaning);
}

static void every_operator_and_literal_is_understood(void **state)
{
    static const struct {
        const char *text, *meaning;
    } cases[] = {
        { "RetryCount=1 AND RetryCount!=2 AND RetryCount<>3",
          "RetryCount = 1 AND RetryCount != 2 AND RetryCount != 3" },
        { "RetryCount<1 AND RetryCount<=2 AND RetryCount>-3 AND RetryCount>=+4",
          "RetryCount < 1 AND RetryCount <= 2 AND RetryCount > -3 AND RetryCount >= 4" },
        { "status in ('New','Error') and type not in('WebCart')",
          "Status IN ('New', 'Error') AND Type NOT IN ('WebCart')" },
        { "RetryCount IN (1, null, 3)", "RetryCount IN (1, null, 3)" },
        { "ParentKey = null AND ParentKey != NULL", "ParentKey = null AND ParentKey != null" },
        { "ParentKey = ''", "ParentKey = null" },
        { "IsDeleted = TRUE AND IsDeleted != false", "IsDeleted = true AND IsDeleted != false" },
        { "Name = 'it\\'s \\\\ \\\"x\\\" \\n\\r\\t\\b\\f'", "Name = 'it\\'s \\\\ \"x\" \\n\\r\\t\\b\\f'" },
        { "Name = '\\u0041\\u00e4\\u20ac'", "Name = 'A\xc3\xa4\xe2\x82\xac'" },
        { "Name LIKE '100\\% a\\_b \\\\ c_%'", "Name LIKE '100\\% a\\_b \\\\ c_%'" },
        { "Error LIKE ''", "Error LIKE ''" },
        { "Id = '08P003000000002'", "Id = '08P003000000002EAA'" },
        { "GroupLeaderId = '08P003000000002EAA'", "GroupLeaderId = '08P003000000002EAA'" },
        { "GroupLeader.RetryCount > 0", "GroupLeader.RetryCount > 0" },
        { "SubmittedAt > 2026-11-23T10:00:00Z", "SubmittedAt > 2026-11-23T10:00:00.000Z" },
        { "SubmittedAt > 2026-11-23T10:00:00.125Z", "SubmittedAt > 2026-11-23T10:00:00.125Z" },
        { "SubmittedAt > 2026-11-23T10:00:00+00:00", "SubmittedAt > 2026-11-23T10:00:00.000Z" },
        { "SubmittedAt > 2026-11-23T10:00:00.000+0000", "SubmittedAt > 2026-11-23T10:00:00.000Z" },
        { "(SubmittedAt>=2026-11-23T10:00:00-01:30)", "SubmittedAt >= 2026-11-23T11:30:00.000Z" },
        { "StartedAt IN (2026-11-23T10:00:00Z,null)", "StartedAt IN (2026-11-23T10:00:00.000Z, null)" },
        { "RetryCount > null", "RetryCount > null" },
        { "StartedAt = today AND StartedAt >= Last_N_Days:007", "StartedAt = TODAY AND StartedAt >= LAST_N_DAYS:7" },
        { "StartedAt IN (TODAY, N_WEEKS_AGO : 2, 2026-11-23, null)",
          "StartedAt IN (TODAY, N_WEEKS_AGO:2, 2026-11-23, null)" },
        { "StartedAt = NEXT_N_HOURS:2 OR GroupLeader.StartedAt != 2026-02-28",
          "StartedAt = NEXT_N_HOURS:2 OR GroupLeader.StartedAt != 2026-02-28" },
        { "Id = '08p003000000002eaa'", "Id = '08P003000000002EAA'" },
        { "GroupLeaderId IN ('08p00300000000bEAA', '08P00300000000BEAQ')",
          "GroupLeaderId IN ('08P00300000000bEAA', '08P00300000000BEAQ')" },
        { "BackgroundOperation.Name = 'it is -- no comment /* here */ // ;'",
          "Name = 'it is -- no comment /* here */ // ;'" },
        { "RetryCount > 5--3", "RetryCount > 5" },
        { "Name = 'a';", "Name = 'a'" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect_condition(cases[i].text, cases[i].meaning);
}

static void a_condition_alone_selects_what_its_caller_wants(void **state)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition("Status='New'", 12, "Id, GroupLeader.Status, error", &err);

    (void)state;
    assert_non_null(query);
    assert_string_equal(understood(query), "Id,GroupLeader.Status,Error | Status = 'New'");
    query_free(query);
    assert_null(query_parse_condition("", 0, NULL, &err));
    assert_string_equal(err.text, "MALFORMED_QUERY column 1: expected a field, got the end");
    assert_null(query_parse_condition("Status='New' LIMIT 3", 20, NULL, &err));
    assert_string_equal(err.text, "MALFORMED_QUERY column 14: LIMIT is out of place: here a condition stands alone");
    assert_null(query_parse_condition("Status='New'", 12, "Nme", &err));
    assert_string_equal(err.text, "INVALID_FIELD column 1: no field Nme; did you mean Name?");
}

/* ---- what is refused ---- */

static void what_is_no_query_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "", "MALFORMED_QUERY column 1: expected SELECT, got the end" },
        { "UPDATE x", "MALFORMED_QUERY column 1: UPDATE is not supported: a query only reads; bgopctl submit, "
                      "cancel and redrive change operations" },
        { "SELECT", "MALFORMED_QUERY column 7: expected a field, got the end" },
        { "SELECT * FROM BackgroundOperation", "MALFORMED_QUERY column 8: SELECT * is no SOQL: name the fields, "
                                               "or write FIELDS(ALL) .. LIMIT 200" },
        { "SELECT Id,", "MALFORMED_QUERY column 11: expected a field, got the end" },
        { "SELECT Id, FROM BackgroundOperation", "MALFORMED_QUERY column 12: expected a field, got FROM" },
        { "SELECT Id FORM BackgroundOperation", "MALFORMED_QUERY column 11: expected FROM, got FORM" },
        { "SELECT Id", "MALFORMED_QUERY column 10: expected FROM, got the end" },
        { "SELECT Id FROM", "MALFORMED_QUERY column 15: expected BackgroundOperation, got the end" },
        { "SELECT Id FROM 'x'", "MALFORMED_QUERY column 16: expected BackgroundOperation, got 'x'" },
        { IDS " b c", "MALFORMED_QUERY column 36: b is more than the query needs" },
        { IDS " WHERE Id = null b", "MALFORMED_QUERY column 52: b is more than the query needs" },
        { IDS " WERE Id = null", "MALFORMED_QUERY column 36: WERE is more than the query needs; did you mean WHERE?" },
        { IDS " ODRER BY Id", "MALFORMED_QUERY column 36: ODRER is more than the query needs" },
        { IDS " ORDR BY Id", "MALFORMED_QUERY column 36: ORDR is more than the query needs; did you mean ORDER?" },
        { IDS " WHERE", "MALFORMED_QUERY column 41: expected a field, got the end" },
        { IDS " LIMIT 3 WHERE Id = null",
          "MALFORMED_QUERY column 44: WHERE is out of place: the order is SELECT, FROM, "
          "WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET" },
        { IDS " GROUP Status", "MALFORMED_QUERY column 42: expected BY, got Status" },
        { IDS " ORDER BY", "MALFORMED_QUERY column 44: expected a field, got the end" },
        { IDS " ORDER BY Name NULLS", "MALFORMED_QUERY column 55: expected LAST, got the end" },
        { IDS " LIMIT x", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got x" },
        { IDS " LIMIT -1", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got '-1'" },
        { IDS " LIMIT 1.5", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got '1.5'" },
        { IDS " OFFSET", "MALFORMED_QUERY column 42: OFFSET takes a whole number from 0, got the end" },
        { IDS "; SELECT", "MALFORMED_QUERY column 37: one query at a time: nothing may stand behind its ;" },
        { IDS " /* x", "MALFORMED_QUERY column 36: this comment has no end: */" },
        { "SELECT Id /* x" FROM, "MALFORMED_QUERY column 11: this comment has no end: */" },
        { "SELECT \xc3\xa4" FROM, "MALFORMED_QUERY column 8: expected a field, got \"\xc3\xa4\"" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].text, cases[i].error);
}

static void names_that_do_not_exist_are_refused_with_the_nearest(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "SELECT Name FROM Organization", "INVALID_TYPE sObject type 'Organization' is not supported." },
        { "SELECT Nonsense FROM Account WHERE x", "INVALID_TYPE sObject type 'Account' is not supported." },
        { "SELECT Message" FROM, "INVALID_FIELD column 8: no field Message; did you mean Error?" },
        { "SELECT Id, state" FROM, "INVALID_FIELD column 12: no field state; did you mean Status?" },
        { "SELECT Key" FROM, "INVALID_FIELD column 8: no field Key; did you mean ParentKey?" },
        { "SELECT worker" FROM, "INVALID_FIELD column 8: no field worker; did you mean WorkerUri?" },
        { "SELECT Statsu" FROM, "INVALID_FIELD column 8: no field Statsu; did you mean Status?" },
        { "SELECT Xyzzy" FROM, "INVALID_FIELD column 8: no field Xyzzy on BackgroundOperation" },
        { "SELECT GroupLeader" FROM, "INVALID_FIELD column 8: GroupLeader is a relationship: name a field of it, as in "
                                     "GroupLeader.Status" },
        { "SELECT GroupLeader.Foo" FROM, "INVALID_FIELD column 20: no field Foo on BackgroundOperation" },
        { "SELECT Owner.Name" FROM, "INVALID_FIELD column 8: no relationship Owner on BackgroundOperation; there is "
                                    "GroupLeader" },
        { "SELECT GroupLeader.GroupLeader.Id" FROM,
          "MALFORMED_QUERY column 8: a relationship is followed one level up, "
          "no further: GroupLeader.X" },
        { IDS " WHERE Attempts > 3", "INVALID_FIELD column 42: no field Attempts; did you mean RetryCount?" },
        { IDS " ORDER BY Created", "INVALID_FIELD column 45: no field Created; did you mean CreatedDate?" },
        { IDS " WHERE Name = '\xc3\xa4' AND Foo = 1",
          "INVALID_FIELD column 57: no field Foo on BackgroundOperation" }, /* characters, not bytes */
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].text, cases[i].error);
}

static void comparisons_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        const char *condition, *error;
    } cases[] = {
        { "Status", "MALFORMED_QUERY column 48: expected one of = != < <= > >= LIKE IN, NOT IN, got the end" },
        { "Status == 'x'", "MALFORMED_QUERY column 49: == is not supported: write =" },
        { "Status = = 'x'", "MALFORMED_QUERY column 51: an operator stands in one piece: = != < <= > >=" },
        { "Status =", "MALFORMED_QUERY column 50: Status is compared with a text in single quotes, not the end" },
        { "Status = Error", "MALFORMED_QUERY column 51: expected a value, got Error: texts stand in single quotes" },
        { "Status = \"Error\"",
          "MALFORMED_QUERY column 51: '\"Error\"': texts stand in single quotes ('..'), names in none" },
        { "Status = 'Error", "MALFORMED_QUERY column 51: this text has no closing quote" },
        { "Status = 5", "MALFORMED_QUERY column 51: Status is compared with a text in single quotes, not '5'" },
        { "Name = 'a\\q'",
          "MALFORMED_QUERY column 49: unknown escape in a text: \\' \\\\ \\\" \\n \\r \\t \\b \\f \\uXXXX "
          "are known; \\% and \\_ belong into patterns of LIKE" },
        { "Name = 'a\\%'",
          "MALFORMED_QUERY column 49: unknown escape in a text: \\' \\\\ \\\" \\n \\r \\t \\b \\f \\uXXXX "
          "are known; \\% and \\_ belong into patterns of LIKE" },
        { "Name LIKE '\\q'", "MALFORMED_QUERY column 52: unknown escape in a text: \\' \\\\ \\\" \\n \\r \\t \\b \\f "
                             "\\uXXXX are known, and \\% \\_ in a pattern" },
        { "Name = '\\u12g4'", "MALFORMED_QUERY column 49: unknown escape in a text: \\' \\\\ \\\" \\n \\r \\t \\b \\f "
                              "\\uXXXX are known; \\% and \\_ belong into patterns of LIKE" },
        { "Name = '\xff'", "MALFORMED_QUERY column 49: a text is not UTF-8" },
        { "Name = 7", "MALFORMED_QUERY column 49: Name is compared with a text in single quotes, not '7'" },
        { "Name NOT LIKE 'x'", "MALFORMED_QUERY column 51: NOT stands in front of the field: NOT Name LIKE 'x%'" },
        { "Name NOT = 'x'", "MALFORMED_QUERY column 51: expected IN, got '='" },
        { "Name IN 'x'", "MALFORMED_QUERY column 50: expected (, got 'x'" },
        { "Name IN ()", "MALFORMED_QUERY column 51: Name is compared with a text in single quotes, not ')'" },
        { "Name IN ('x'", "MALFORMED_QUERY column 54: expected ), got the end" },
        { "RetryCount = '5'", "MALFORMED_QUERY column 55: RetryCount is compared with a whole number, not '5'" },
        { "RetryCount = 5.5", "MALFORMED_QUERY column 55: RetryCount is compared with a whole number, not '5.5'" },
        { "RetryCount = 99999999999999999999",
          "MALFORMED_QUERY column 55: RetryCount is compared with a whole number, not '99999999999999999999'" },
        { "RetryCount LIKE '1%'", "MALFORMED_QUERY column 53: LIKE is for texts, RetryCount is of type int" },
        { "Id LIKE '08P%'", "MALFORMED_QUERY column 45: LIKE is for texts, Id is of type id" },
        { "Id = 'x'", "MALFORMED_ID column 47: 'x' is not an Id of a BackgroundOperation" },
        { "Id = '08P003000000002EAB'",
          "MALFORMED_ID column 47: '08P003000000002EAB' is not an Id of a BackgroundOperation" },
        { "IsDeleted < true", "MALFORMED_QUERY column 52: IsDeleted is compared with = and != only" },
        { "IsDeleted = 'true'", "MALFORMED_QUERY column 54: IsDeleted is compared with true or false, not 'true'" },
        { "StartedAt > '2026-11-23T10:00:00Z'",
          "MALFORMED_QUERY column 54: StartedAt is compared with a dateTime, which "
          "stands without quotes: 2026-11-23T10:00:00Z" },
        { "DAY_ONLY(StartedAt) > 5", "MALFORMED_QUERY column 42: DAY_ONLY() is not supported: compare with a period "
                                     "instead: SubmittedAt = TODAY, LAST_N_DAYS:7, 2026-11-28" },
        { "(Name = 'x'", "MALFORMED_QUERY column 53: expected ), got the end" },
        { "Name = 'x' AND", "MALFORMED_QUERY column 56: expected a field, got the end" },
        { "Name = 'x' Type = 'y'", "MALFORMED_QUERY column 53: Type is more than the query needs" },
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        snprintf(text, sizeof text, IDS " WHERE %s", cases[i].condition);
        refused(text, cases[i].error);
    }
}

static void times_are_refused_with_what_is_meant(void **state)
{
#define A_TIME \
    "StartedAt is compared with a dateTime such as 2026-11-23T10:00:00Z, a date, or TODAY, LAST_N_DAYS:7 .., "
#define FISCAL "there is no fiscal calendar here; write dates or a period of the calendar such as THIS_QUARTER"
    static const struct {
        const char *literal, *error;
    } cases[] = {
        { "", A_TIME "not the end" },
        { "5", A_TIME "not '5'" },
        { "2026-02-30", A_TIME "not '2026-02-30'" },
        { "2026-02-30T10:00:00Z", A_TIME "not '2026-02-30T10:00:00Z'" },
        { "2026-11-23T10:00:00",
          "a dateTime has a zone: 2026-11-23T10:00:00Z or, an hour east, 2026-11-23T10:00:00+01:00" },
        { "SOMETIME", A_TIME "not SOMETIME" },
        { "'2026-11-23T10:00:00Z'",
          "StartedAt is compared with a dateTime, which stands without quotes: 2026-11-23T10:00:00Z" },
        { "'LAST_N_DAYS:3'", "StartedAt is compared with a date literal, which stands without quotes: LAST_N_DAYS:3" },
        { "'today'", "StartedAt is compared with a date literal, which stands without quotes: today" },
        { "TOMOROW", "no date literal TOMOROW; did you mean TOMORROW?" },
        { "LAST_N_DAY:7", "no date literal LAST_N_DAY; did you mean LAST_N_DAYS?" },
        { "LAST_7_DAYS", "no date literal LAST_7_DAYS; write LAST_N_DAYS:7" },
        { "next_12_months", "no date literal next_12_months; write NEXT_N_MONTHS:12" },
        { "LAST_HOUR", "LAST_HOUR is not supported: write LAST_N_HOURS:1" },
        { "NOW()", "NOW is not supported: write = LAST_N_MINUTES:5, or a dateTime such as 2026-11-23T10:00:00Z" },
        { "THIS_FISCAL_YEAR", "THIS_FISCAL_YEAR is not supported: " FISCAL },
        { "N_FISCAL_QUARTERS_AGO:6", "N_FISCAL_QUARTERS_AGO is not supported: " FISCAL },
        { ":since", "bind variables (:x) are of Apex: write the value itself" },
    };
    static const struct {
        const char *literal, *error; /* found behind the literal's beginning */
    } behind[] = {
        { "LAST_N_DAYS", "MALFORMED_QUERY column 65: LAST_N_DAYS takes its number behind a colon: LAST_N_DAYS:7" },
        { "LAST_N_DAYS(7)", "MALFORMED_QUERY column 65: LAST_N_DAYS takes its number behind a colon: LAST_N_DAYS:7" },
        { "LAST_N_DAYS:-1", "MALFORMED_QUERY column 66: LAST_N_DAYS takes a whole number from 0 to 1000000, got '-1'" },
        { "LAST_N_WEEKS:0", "MALFORMED_QUERY column 67: LAST_N_WEEKS takes a whole number from 1 to 1000000, got '0'" },
        { "N_DAYS_AGO:1.5", "MALFORMED_QUERY column 65: N_DAYS_AGO takes a whole number from 0 to 1000000, got '1.5'" },
        { "NEXT_N_YEARS:1000001",
          "MALFORMED_QUERY column 67: NEXT_N_YEARS takes a whole number from 1 to 1000000, got '1000001'" },
        { "LAST_N_DAYS:",
          "MALFORMED_QUERY column 66: LAST_N_DAYS takes a whole number from 0 to 1000000, got the end" },
        { "TODAY - 7",
          "MALFORMED_QUERY column 60: a date literal is not reckoned with: write N_DAYS_AGO:7, NEXT_N_DAYS:7, "
          "LAST_N_HOURS:2" },
        { "TODAY-7",
          "MALFORMED_QUERY column 59: a date literal is not reckoned with: write N_DAYS_AGO:7, NEXT_N_DAYS:7, "
          "LAST_N_HOURS:2" },
        { "TODAY:1", "MALFORMED_QUERY column 59: TODAY takes no number and no parentheses" },
        { "TODAY()", "MALFORMED_QUERY column 59: TODAY takes no number and no parentheses" },
        { "2026-11-28 10:00:00", "MALFORMED_QUERY column 65: between date and time stands a T: 2026-11-28T10:00:00Z" },
    };
    char text[256], error[400];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        snprintf(text, sizeof text, IDS " WHERE StartedAt > %s", cases[i].literal);
        snprintf(error, sizeof error, "MALFORMED_QUERY column 54: %s", cases[i].error);
        refused(text, error);
    }
    for (size_t i = 0; i < TEST_COUNT(behind); i++) {
        snprintf(text, sizeof text, IDS " WHERE StartedAt > %s", behind[i].literal);
        refused(text, behind[i].error);
    }
    refused(IDS " WHERE Status = TODAY",
            "MALFORMED_QUERY column 51: expected a value, got TODAY: texts stand in single quotes");
    refused(IDS " WHERE RetryCount = TODAY",
            "MALFORMED_QUERY column 55: RetryCount is compared with a whole number, not TODAY");
}

/* What Salesforce, SQL or Apex would take: the word at the column is named, and what to write instead. */
static void what_is_known_elsewhere_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *text;
        int column;
        const char *word, *instead;
    } cases[] = {
        { IDS " WITH SECURITY_ENFORCED", 36, "WITH is not supported (WITH SECURITY_ENFORCED", "leave it out" },
        { IDS " WHERE Id = null WITH USER_MODE", 52, "WITH is not supported", "leave it out" },
        { IDS " FOR VIEW", 36, "FOR is not supported (FOR VIEW", "leave it out" },
        { IDS " b LIMIT 1 FOR REFERENCE", 46, "FOR is not supported", "REFERENCE" },
        { IDS " LIMIT 1 FOR UPDATE", 44, "FOR is not supported", "UPDATE" },
        { IDS " b ALL ROWS", 38, "ALL is not supported (ALL ROWS)", "bgopctl deleted" },
        { IDS " USING SCOPE Mine", 36, "USING is not supported (USING SCOPE)", "leave it out" },
        { IDS " INNER JOIN x", 36, "INNER is not supported", "GroupLeader.X" },
        { IDS " b LEFT OUTER JOIN x", 38, "LEFT is not supported", "GroupLeader.X" },
        { IDS ", BackgroundOperation b", 35, "a query is of one object", "GroupLeader.X" },
        { IDS " UNION " IDS, 36, "UNION is not supported", "OR" },
        { "DELETE" FROM, 1, "DELETE is not supported", "bgopctl" },
        { "FIND {x}", 1, "FIND is not supported (SOSL)", "LIKE" },
        { "SELECT TYPEOF GroupLeader WHEN X THEN Id END" FROM, 8, "TYPEOF is not supported", "GroupLeader.X" },
        { "SELECT DISTINCT Type" FROM, 8, "DISTINCT is not supported", "GROUP BY Type" },
        { "SELECT TOP 10 Id" FROM, 8, "TOP is not supported", "LIMIT" },
        { "SELECT COUNT(*)" FROM, 14, "COUNT(*) is no SOQL", "COUNT()" },
        { "SELECT COUNT(DISTINCT Type)" FROM, 14, "DISTINCT can not stand here", "COUNT_DISTINCT" },
        { "SELECT Id, (SELECT Id FROM MergedOperations)" FROM, 12, "a query within SELECT", "GroupLeaderId" },
        { IDS " WHERE Id IN (SELECT Id" FROM ")", 49, "SELECT is not supported", "GroupLeader.X" },
        { IDS " WHERE Name NOT IN (SELECT Name" FROM ")", 55, "SELECT is not supported", "GroupLeader.X" },
        { IDS " WHERE Id = :id", 47, "bind variables", "the value itself" },
        { IDS " WHERE Id IN :ids", 48, "bind variables", "the value itself" },
        { IDS " LIMIT :n", 42, "bind variables", "the value itself" },
        { IDS " LIMIT 5, 10", 43, "LIMIT takes one number", "OFFSET" },
        { IDS " WHERE Status INCLUDES ('a')", 49, "INCLUDES is not supported", "IN ('a', 'b')" },
        { IDS " WHERE Status EXCLUDES ('a')", 49, "EXCLUDES is not supported", "NOT IN" },
        { IDS " WHERE Error IS NOT NULL", 48, "IS is not supported", "!= null" },
        { IDS " WHERE RetryCount BETWEEN 1 AND 3", 53, "BETWEEN is not supported", ">= a AND" },
        { IDS " WHERE Name ILIKE 'x'", 47, "ILIKE is not supported", "LIKE" },
        { IDS " WHERE Name = 'a' && Name = 'b'", 53, "'&&' is not supported", "AND" },
        { IDS " WHERE Name = 'a' || Name = 'b'", 53, "'||' is not supported", "OR" },
        { IDS " WHERE Name = 'a''b'", 52, "a quote within a text", "\\'" },
        { IDS " WHERE Name LIKE 'a' ESCAPE 'b'", 56, "ESCAPE is not supported", "\\%" },
        { IDS " WHERE AND Name = 'a'", 42, "expected a field", "got AND" },
        { IDS " WHERE Name = 'a' OR AND Id = null", 56, "expected a field", "got AND" },
        { IDS " ORDER BY LIMIT 5", 45, "expected a field", "got LIMIT" },
        { "SELECT b.*" FROM " b", 10, "SELECT * is no SOQL", "FIELDS(ALL)" },
        { IDS " WHERE !Name = 'a'", 42, "'!' is not supported", "NOT" },
        { IDS " WHERE Name = \xe2\x80\x98x\xe2\x80\x99", 49, "\xe2\x80\x98x\xe2\x80\x99", "single quotes" },
        { IDS " WHERE Name = \xe2\x80\x9cx\xe2\x80\x9d", 49, "\xe2\x80\x9cx\xe2\x80\x9d", "single quotes" },
        { IDS " WHERE \"Name\" = 'x'", 42, "'\"Name\"'", "names in none" },
        { "SELECT `Id`" FROM, 8, "'`Id`'", "names in none" },
        { "SELECT toLabel(Status)" FROM, 8, "toLabel() is not supported", "the field itself" },
        { "SELECT FORMAT(Timeout)" FROM, 8, "FORMAT() is not supported", "the field itself" },
        { "SELECT convertTimezone(StartedAt)" FROM, 8, "convertTimezone() is not supported", "UTC" },
        { IDS " WHERE toLabel(Status) = 'x'", 42, "toLabel() is not supported", "the field itself" },
        { IDS " WHERE HOUR_IN_DAY(convertTimezone(StartedAt)) = 3", 42, "HOUR_IN_DAY() is not supported",
          "LAST_N_HOURS" },
        { IDS " ORDER BY DAY_ONLY(StartedAt)", 45, "DAY_ONLY() is not supported", "TODAY" },
        { "SELECT FISCAL_YEAR(StartedAt)" FROM, 8, "FISCAL_YEAR() is not supported", "no fiscal calendar" },
        { "SELECT Type" FROM " GROUP BY ROLLUP(Type)", 47, "ROLLUP() is not supported", "GROUP BY" },
        { "SELECT Type" FROM " GROUP BY CUBE(Type, Status)", 47, "CUBE() is not supported", "GROUP BY" },
        { "SELECT Type, GROUPING(Type)" FROM " GROUP BY Type", 14, "GROUPING() is not supported", "ROLLUP" },
        { "SELECT FIELDS(ALL)" FROM, 8, "FIELDS(ALL) needs a LIMIT of at most 200", "FIELDS(STANDARD)" },
        { "SELECT FIELDS(ALL)" FROM " LIMIT 201", 8, "FIELDS(ALL) needs a LIMIT of at most 200", "STANDARD" },
        { "SELECT FIELDS(ALL)" FROM " WHERE Name = 'x' OR Id = null", 8, "FIELDS(ALL) needs", "STANDARD" },
        { "SELECT FIELDS(CUSTOM)" FROM " LIMIT 1", 8, "FIELDS(CUSTOM)", "no custom fields" },
        { "SELECT FIELDS(SOME)" FROM, 15, "FIELDS takes ALL or STANDARD", "SOME" },
        { "SELECT FIELDS(ALL), Name" FROM " LIMIT 1", 21, "Name is selected twice", "" },
        { "SELECT COUNT(Id), FIELDS(ALL)" FROM " LIMIT 1", 19, "FIELDS() can not stand", "aggregates" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct err err = ERR_INIT;
        struct query *query = query_parse(cases[i].text, strlen(cases[i].text), &err);
        char place[64];

        if (query != NULL)
            fail_msg("%s was accepted: %s", cases[i].text, understood(query));
        snprintf(place, sizeof place, "MALFORMED_QUERY column %d: ", cases[i].column);
        if (strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, cases[i].word) ||
            !strstr(err.text, cases[i].instead))
            fail_msg("%s: expected %s%s .. %s, got\n%s", cases[i].text, place, cases[i].word, cases[i].instead,
                     err.text);
    }
}

static void fields_of_all_kinds_need_no_limit_where_few_are_asked_for(void **state)
{
    static const char *const texts[] = {
        "SELECT FIELDS(STANDARD)" FROM,
        "SELECT FIELDS(ALL)" FROM " LIMIT 0",
        "SELECT FIELDS(ALL)" FROM " WHERE Id = '08P003000000002'",
        "SELECT FIELDS(ALL)" FROM " WHERE Status = 'New' AND Id IN ('08P003000000002', '08P003000000003')",
        "SELECT FIELDS(ALL), GroupLeader.Id" FROM " LIMIT 5",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(texts); i++) {
        struct err err = ERR_INIT;
        struct query *query = query_parse(texts[i], strlen(texts[i]), &err);

        if (query == NULL)
            fail_msg("%s: %s", texts[i], err.text);
        assert_in_range(query->item_count, FIELD_COUNT, FIELD_COUNT + 1);
        query_free(query);
    }
}

static void aliases_and_having_have_rules(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "SELECT x.Id" FROM " b", "INVALID_FIELD column 8: no relationship x on BackgroundOperation; there is "
                                   "GroupLeader, and the alias b" },
        { "SELECT b.Id" FROM,
          "INVALID_FIELD column 8: no relationship b on BackgroundOperation; there is GroupLeader" },
        { "SELECT b.Owner.Id" FROM " b",
          "INVALID_FIELD column 10: no relationship Owner on BackgroundOperation; there is "
          "GroupLeader, and the alias b" },
        { "SELECT b.GroupLeader.GroupLeader.Id" FROM " b",
          "MALFORMED_QUERY column 8: a relationship is followed one level up, no further: GroupLeader.X" },
        { "SELECT b" FROM " b", "INVALID_FIELD column 8: b is the object itself: name a field of it, as in b.Status" },
        { IDS " AS", "MALFORMED_QUERY column 38: expected an alias, got the end" },
        { IDS " AS WHERE Id = null", "MALFORMED_QUERY column 39: expected an alias, got WHERE" },
        { "SELECT COUNT(Id) AS" FROM, "MALFORMED_QUERY column 21: expected an alias, got FROM" },
        { "SELECT Type t" FROM " GROUP BY t", "INVALID_FIELD column 49: t is an alias: here stands the field itself" },
        { "SELECT Type t" FROM " WHERE t = 'x' GROUP BY Type",
          "INVALID_FIELD column 46: t is an alias: here stands the field itself" },
        { IDS " HAVING COUNT(Id) > 1", "MALFORMED_QUERY column 43: HAVING is about groups and stands behind GROUP BY: "
                                       "conditions on operations stand behind WHERE" },
        { "SELECT COUNT()" FROM " HAVING COUNT(Id) > 1",
          "MALFORMED_QUERY column 48: SELECT COUNT() is one number: with HAVING select COUNT(Id)" },
        { "SELECT Type" FROM " GROUP BY Type HAVING Status = 'New'",
          "MALFORMED_QUERY column 59: HAVING field must be grouped or aggregated: Status" },
        { "SELECT Type" FROM " GROUP BY Type HAVING COUNT(Id)",
          "MALFORMED_QUERY column 68: expected one of = != < <= > >= LIKE IN, NOT IN, got the end" },
        { "SELECT Type" FROM " GROUP BY Type HAVING COUNT(Id) > '5'",
          "MALFORMED_QUERY column 71: COUNT(Id) is compared with a whole number, not '5'" },
        { "SELECT Type" FROM " GROUP BY Type HAVING COUNT(Id) > 1.5",
          "MALFORMED_QUERY column 71: COUNT(Id) is compared with a whole number, not '1.5'" },
        { "SELECT Type" FROM " GROUP BY Type HAVING AVG(RetryCount) > 'x'",
          "MALFORMED_QUERY column 77: AVG(RetryCount) is compared with a number, not 'x'" },
        { "SELECT Type" FROM " GROUP BY Type HAVING AVG(RetryCount) > 1.5.2",
          "MALFORMED_QUERY column 77: AVG(RetryCount) is compared with a number, not '1.5.2'" },
        { "SELECT Type" FROM " GROUP BY Type HAVING COUNT(Id) LIKE '1%'",
          "MALFORMED_QUERY column 69: LIKE is for texts, COUNT(Id) is of type int" },
        { "SELECT Type" FROM " GROUP BY Type HAVING MAX(StartedAt) > 5",
          "MALFORMED_QUERY column 76: MAX(StartedAt) is compared with a dateTime such as 2026-11-23T10:00:00Z, a date, "
          "or "
          "TODAY, LAST_N_DAYS:7 .., not '5'" },
        { "SELECT Type" FROM " WHERE COUNT(Id) > 1 GROUP BY Type",
          "MALFORMED_QUERY column 44: an aggregate can not stand in WHERE: conditions on groups stand behind HAVING" },
        { "SELECT Type" FROM " GROUP BY Type ORDER BY Type HAVING COUNT(Id) > 1",
          "MALFORMED_QUERY column 66: HAVING is out of place: the order is SELECT, FROM, WHERE, GROUP BY, HAVING, "
          "ORDER "
          "BY, LIMIT, OFFSET" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].text, cases[i].error);
}

static void a_query_is_narrowed_by_a_condition(void **state)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse_condition("Name = 'a' OR Name = 'b'; -- x", 30, NULL, &err);

    (void)state;
    assert_int_equal(query_narrow(query, "Status = 'New' OR Status = 'Error'", &err), ST_OK);
    assert_string_equal(understood(query), "Id | (Name = 'a' OR Name = 'b') AND (Status = 'New' OR Status = 'Error')");
    assert_int_equal(query_narrow(query, "Statu = 'New'", &err), ST_INVALID);
    query_free(query);
    query = query_parse(IDS, strlen(IDS), &err);
    assert_int_equal(query_narrow(query, "StartedAt = TODAY", &err), ST_OK);
    assert_true(query->relative);
    assert_string_equal(understood(query), "Id | StartedAt = TODAY");
    query_free(query);
}

static void aggregates_have_rules(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "SELECT Status, COUNT(Id)" FROM, "MALFORMED_QUERY column 8: field must be grouped or aggregated: Status" },
        { "SELECT GroupLeader.Type" FROM " GROUP BY Type",
          "MALFORMED_QUERY column 8: field must be grouped or aggregated: GroupLeader.Type" },
        { "SELECT COUNT(Id)" FROM " GROUP BY StartedAt", "MALFORMED_QUERY column 52: field StartedAt can not be "
                                                         "grouped in a query call (dateTime, without the property "
                                                         "group)" },
        { "SELECT COUNT(Id)" FROM " GROUP BY CALENDAR_YEAR(StartedAt)",
          "MALFORMED_QUERY column 52: CALENDAR_YEAR() is not supported: compare with a period instead: SubmittedAt = "
          "TODAY, LAST_N_DAYS:7, 2026-11-28" },
        { "SELECT COUNT(Id)" FROM " GROUP BY COUNT(Id)",
          "MALFORMED_QUERY column 52: functions can not stand in GROUP BY" },
        { "SELECT COUNT()" FROM " GROUP BY Status",
          "MALFORMED_QUERY column 8: COUNT() alone is one number: with GROUP BY select COUNT(Id)" },
        { "SELECT COUNT()" FROM " ORDER BY Name",
          "MALFORMED_QUERY column 50: SELECT COUNT() is one number: there is nothing to order" },
        { "SELECT SUM(StartedAt)" FROM,
          "MALFORMED_QUERY column 12: field StartedAt does not support the aggregate SUM, being of type dateTime" },
        { "SELECT AVG(Name)" FROM,
          "MALFORMED_QUERY column 12: field Name does not support the aggregate AVG, being of type string" },
        { "SELECT MAX(IsDeleted)" FROM,
          "MALFORMED_QUERY column 12: field IsDeleted does not support the aggregate MAX, being of type boolean" },
        { "SELECT SUM()" FROM, "MALFORMED_QUERY column 12: expected a field, got ')'" },
        { "SELECT MEDIAN(Timeout)" FROM,
          "MALFORMED_QUERY column 8: no function MEDIAN; there are COUNT, COUNT_DISTINCT, MIN, MAX, AVG and SUM" },
        { "SELECT Id n" FROM,
          "MALFORMED_QUERY column 11: n is one word too many: only aggregates and grouped fields have an alias" },
        { "SELECT Id, id" FROM, "MALFORMED_QUERY column 12: Id is selected twice" },
        { "SELECT COUNT(Id) n, SUM(Timeout) N" FROM,
          "MALFORMED_QUERY column 34: N is selected twice: give it another alias" },
        { IDS " ORDER BY COUNT(Id)", "MALFORMED_QUERY column 51: an aggregate in ORDER BY needs GROUP BY" },
        { "SELECT Type" FROM " GROUP BY Type ORDER BY Name",
          "MALFORMED_QUERY column 61: ordering field must be grouped or aggregated: Name" },
        { "SELECT COUNT(Id" FROM, "MALFORMED_QUERY column 17: expected ), got FROM" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        refused(cases[i].text, cases[i].error);
}

/* ---- limits ---- */

static void nesting_is_bounded(void **state)
{
    char text[2 * QUERY_DEPTH_MAX + 200] = "";
    struct err err = ERR_INIT;
    struct query *query;

    (void)state;
    memset(text, '(', QUERY_DEPTH_MAX);
    snprintf(text + QUERY_DEPTH_MAX, sizeof text - QUERY_DEPTH_MAX, "Name='a'");
    memset(text + strlen(text), ')', QUERY_DEPTH_MAX);
    query = query_parse_condition(text, strlen(text), NULL, &err);
    assert_non_null(query);
    query_free(query);
    memmove(text + 1, text, strlen(text) + 1);
    assert_null(query_parse_condition(text, strlen(text), NULL, &err));
    assert_string_equal(err.text, "MALFORMED_QUERY column 51: more than 50 parentheses and NOTs within each other");
}

static void a_text_has_a_greatest_size(void **state)
{
    static char text[QUERY_TEXT_MAX + 2];
    struct err err = ERR_INIT;
    struct query *query;

    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, IDS, strlen(IDS));
    query = query_parse(text, QUERY_TEXT_MAX, &err);
    assert_non_null(query);
    query_free(query);
    assert_null(query_parse(text, QUERY_TEXT_MAX + 1, &err));
    assert_string_equal(err.text, "MALFORMED_QUERY a query of 100001 bytes is longer than 100000");
}

static void thousands_of_alternatives_are_one_list(void **state)
{
    static char text[QUERY_TEXT_MAX];
    struct err err = ERR_INIT;
    struct query_memory *memory = query_memory_new();
    struct query_condition *normal;
    struct query *query;
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 4000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%sRetryCount=%d", i > 0 ? " OR " : "", i);
    query = query_parse_condition(text, used, NULL, &err);
    assert_non_null(query);
    normal = condition_normal(memory, query->where);
    assert_int_equal(normal->relation, QUERY_IN);
    assert_int_equal(normal->value_count, 4000);
    assert_int_equal(normal->values[3999].number, 3999);
    query_memory_free(memory);
    query_free(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_clause_is_understood),
        cmocka_unit_test(conditions_have_the_usual_precedence),
        cmocka_unit_test(every_operator_and_literal_is_understood),
        cmocka_unit_test(a_condition_alone_selects_what_its_caller_wants),
        cmocka_unit_test(what_is_no_query_is_refused_with_its_place),
        cmocka_unit_test(names_that_do_not_exist_are_refused_with_the_nearest),
        cmocka_unit_test(comparisons_that_mean_nothing_are_refused),
        cmocka_unit_test(times_are_refused_with_what_is_meant),
        cmocka_unit_test(what_is_known_elsewhere_is_refused_by_its_name),
        cmocka_unit_test(fields_of_all_kinds_need_no_limit_where_few_are_asked_for),
        cmocka_unit_test(aliases_and_having_have_rules),
        cmocka_unit_test(a_query_is_narrowed_by_a_condition),
        cmocka_unit_test(aggregates_have_rules),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_text_has_a_greatest_size),
        cmocka_unit_test(thousands_of_alternatives_are_one_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
