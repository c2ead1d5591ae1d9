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
        { "UPDATE x", "MALFORMED_QUERY column 1: UPDATE is not supported" },
        { "SELECT", "MALFORMED_QUERY column 7: expected a field, got the end" },
        { "SELECT * FROM BackgroundOperation", "MALFORMED_QUERY column 8: SELECT * is no SOQL: name the fields" },
        { "SELECT Id,", "MALFORMED_QUERY column 11: expected a field, got the end" },
        { "SELECT Id, FROM BackgroundOperation", "MALFORMED_QUERY column 12: expected a field, got FROM" },
        { "SELECT Id FORM BackgroundOperation", "MALFORMED_QUERY column 11: expected FROM, got FORM" },
        { "SELECT Id", "MALFORMED_QUERY column 10: expected FROM, got the end" },
        { "SELECT Id FROM", "MALFORMED_QUERY column 15: expected BackgroundOperation, got the end" },
        { "SELECT Id FROM 'x'", "MALFORMED_QUERY column 16: expected BackgroundOperation, got 'x'" },
        { IDS " b", "MALFORMED_QUERY column 36: b is more than the query needs" },
        { IDS " WERE Id = null", "MALFORMED_QUERY column 36: WERE is more than the query needs; did you mean WHERE?" },
        { IDS " ODRER BY Id", "MALFORMED_QUERY column 36: ODRER is more than the query needs" },
        { IDS " ORDR BY Id", "MALFORMED_QUERY column 36: ORDR is more than the query needs; did you mean ORDER?" },
        { IDS " WHERE", "MALFORMED_QUERY column 41: expected a field, got the end" },
        { IDS " LIMIT 3 WHERE Id = null",
          "MALFORMED_QUERY column 44: WHERE is out of place: the order is SELECT, FROM, "
          "WHERE, GROUP BY, ORDER BY, LIMIT, OFFSET" },
        { IDS " GROUP Status", "MALFORMED_QUERY column 42: expected BY, got Status" },
        { IDS " ORDER BY", "MALFORMED_QUERY column 44: expected a field, got the end" },
        { IDS " ORDER BY Name NULLS", "MALFORMED_QUERY column 55: expected LAST, got the end" },
        { IDS " LIMIT x", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got x" },
        { IDS " LIMIT -1", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got '-1'" },
        { IDS " LIMIT 1.5", "MALFORMED_QUERY column 42: LIMIT takes a whole number from 0, got '1.5'" },
        { IDS " OFFSET", "MALFORMED_QUERY column 42: OFFSET takes a whole number from 0, got the end" },
        { "SELECT Status, COUNT(Id)" FROM " GROUP BY Status HAVING COUNT(Id) > 1",
          "MALFORMED_QUERY column 67: HAVING is not supported" },
        { IDS " FOR VIEW", "MALFORMED_QUERY column 36: FOR is not supported" },
        { IDS ";", "MALFORMED_QUERY column 35: ';' is more than the query needs" },
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
        { "Status == 'x'", "MALFORMED_QUERY column 50: Status is compared with a text in single quotes, not '='" },
        { "Status =", "MALFORMED_QUERY column 50: Status is compared with a text in single quotes, not the end" },
        { "Status = Error", "MALFORMED_QUERY column 51: expected a value, got Error: texts stand in single quotes" },
        { "Status = \"Error\"", "MALFORMED_QUERY column 51: expected a value, got '\"': texts stand in single quotes" },
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
        { "StartedAt > 2026-11-23", "MALFORMED_QUERY column 54: StartedAt is compared with a dateTime such as "
                                    "2026-11-23T10:00:00Z, not '2026-11-23'" },
        { "StartedAt > 2026-02-30T10:00:00Z",
          "MALFORMED_QUERY column 54: StartedAt is compared with a dateTime such as "
          "2026-11-23T10:00:00Z, not '2026-02-30T10:00:00Z'" },
        { "StartedAt > TODAY", "MALFORMED_QUERY column 54: StartedAt is compared with a dateTime such as "
                               "2026-11-23T10:00:00Z, not TODAY" },
        { "StartedAt > 5", "MALFORMED_QUERY column 54: StartedAt is compared with a dateTime such as "
                           "2026-11-23T10:00:00Z, not '5'" },
        { "DAY_ONLY(StartedAt) > 5", "MALFORMED_QUERY column 42: functions can not stand in a condition" },
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
        cmocka_unit_test(aggregates_have_rules),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_text_has_a_greatest_size),
        cmocka_unit_test(thousands_of_alternatives_are_one_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
