/* Words of SOQL (and of the SQL that people have in their fingers) that this grammar has not: one table of what each
 * means here and what to write instead. */
#include "common/query/parser.h"

#include <string.h>

#define PERIODS "compare with a period instead: SubmittedAt = TODAY, LAST_N_DAYS:7, 2026-11-28"
#define READS   "a query only reads; bgopctl submit, cancel and redrive change operations"
#define JOINS   "there is one object; of the leader of an execution group write GroupLeader.X"

static const struct {
    const char *word;
    enum refused_kind kind;
    const char *instead;
} refused[] = {
    { "USING", REFUSED_CLAUSE, "(USING SCOPE): a query sees all operations; leave it out" },
    { "WITH", REFUSED_CLAUSE,
      "(WITH SECURITY_ENFORCED, USER_MODE ..): who may read the queue reads all of it; leave it "
      "out" },
    { "FOR", REFUSED_CLAUSE, "(FOR VIEW, REFERENCE, UPDATE): a query marks and locks nothing; leave it out" },
    { "ALL", REFUSED_CLAUSE,
      "(ALL ROWS): a removed operation leaves no row; bgopctl deleted names them; leave it out" },
    { "UPDATE", REFUSED_CLAUSE, READS },
    { "INSERT", REFUSED_CLAUSE, READS },
    { "DELETE", REFUSED_CLAUSE, READS },
    { "UPSERT", REFUSED_CLAUSE, READS },
    { "FIND", REFUSED_CLAUSE, "(SOSL): BackgroundOperation has no search; write SELECT .. WHERE Name LIKE '%x%'" },
    { "JOIN", REFUSED_CLAUSE, JOINS },
    { "INNER", REFUSED_CLAUSE, JOINS },
    { "LEFT", REFUSED_CLAUSE, JOINS },
    { "RIGHT", REFUSED_CLAUSE, JOINS },
    { "CROSS", REFUSED_CLAUSE, JOINS },
    { "UNION", REFUSED_CLAUSE, "ask twice, or join the conditions with OR" },
    { "FETCH", REFUSED_CLAUSE, "write LIMIT n" },
    { "ESCAPE", REFUSED_CLAUSE, "in a pattern \\ takes the meaning of % and _: LIKE '100\\%'" },

    { "TYPEOF", REFUSED_ELEMENT, "GroupLeader is always a BackgroundOperation: write GroupLeader.X" },
    { "DISTINCT", REFUSED_ELEMENT, "write SELECT Type .. GROUP BY Type, or COUNT_DISTINCT(Type)" },
    { "TOP", REFUSED_ELEMENT, "write LIMIT n behind the query" },
    { "CASE", REFUSED_ELEMENT, "select the field itself" },

    { "INCLUDES", REFUSED_OPERATOR,
      "it is for multi-select picklists, and BackgroundOperation has none: write IN ('a', "
      "'b')" },
    { "EXCLUDES", REFUSED_OPERATOR,
      "it is for multi-select picklists, and BackgroundOperation has none: write NOT IN "
      "('a', 'b')" },
    { "IS", REFUSED_OPERATOR, "write = null or != null" },
    { "BETWEEN", REFUSED_OPERATOR, "write X >= a AND X <= b" },
    { "CONTAINS", REFUSED_OPERATOR, "write LIKE '%x%'" },
    { "ILIKE", REFUSED_OPERATOR, "LIKE does not look at the case of letters" },
    { "REGEXP", REFUSED_OPERATOR, "write LIKE, with % for any text and _ for one character" },
    { "RLIKE", REFUSED_OPERATOR, "write LIKE, with % for any text and _ for one character" },
    { "==", REFUSED_OPERATOR, "write =" },

    { "CALENDAR_MONTH", REFUSED_FUNCTION, PERIODS },
    { "CALENDAR_QUARTER", REFUSED_FUNCTION, PERIODS },
    { "CALENDAR_YEAR", REFUSED_FUNCTION, PERIODS },
    { "DAY_IN_MONTH", REFUSED_FUNCTION, PERIODS },
    { "DAY_IN_WEEK", REFUSED_FUNCTION, PERIODS },
    { "DAY_IN_YEAR", REFUSED_FUNCTION, PERIODS },
    { "DAY_ONLY", REFUSED_FUNCTION, PERIODS },
    { "FISCAL_MONTH", REFUSED_FUNCTION, "there is no fiscal calendar here; " PERIODS },
    { "FISCAL_QUARTER", REFUSED_FUNCTION, "there is no fiscal calendar here; " PERIODS },
    { "FISCAL_YEAR", REFUSED_FUNCTION, "there is no fiscal calendar here; " PERIODS },
    { "HOUR_IN_DAY", REFUSED_FUNCTION, "compare with a period instead: SubmittedAt = LAST_N_HOURS:2" },
    { "WEEK_IN_MONTH", REFUSED_FUNCTION, PERIODS },
    { "WEEK_IN_YEAR", REFUSED_FUNCTION, PERIODS },
    { "convertTimezone", REFUSED_FUNCTION,
      "times are answered in UTC, and days are those of UTC; name the field itself" },
    { "toLabel", REFUSED_FUNCTION, "the labels of a picklist are its values; name the field itself" },
    { "FORMAT", REFUSED_FUNCTION, "values are answered as they are; name the field itself" },
    { "convertCurrency", REFUSED_FUNCTION, "no field is a currency; name the field itself" },
    { "DISTANCE", REFUSED_FUNCTION, "no field is a place" },
    { "GEOLOCATION", REFUSED_FUNCTION, "no field is a place" },
    { "ROLLUP", REFUSED_FUNCTION, "write GROUP BY Type, Status, and ask once more without for the sums" },
    { "CUBE", REFUSED_FUNCTION, "write GROUP BY Type, Status, and ask once more without for the sums" },
    { "GROUPING", REFUSED_FUNCTION, "it belongs to GROUP BY ROLLUP, which is not there" },
    { "LOWER", REFUSED_FUNCTION, "texts are compared without regard to the case of letters; name the field itself" },
    { "UPPER", REFUSED_FUNCTION, "texts are compared without regard to the case of letters; name the field itself" },
    { "DATE", REFUSED_FUNCTION, PERIODS },

    { "SELECT", REFUSED_VALUE, "ask for the Ids first and write IN ('08P..', ..); of a leader write GroupLeader.X" },
    { "NOW", REFUSED_VALUE, "write = LAST_N_MINUTES:5, or a dateTime such as 2026-11-23T10:00:00Z" },
    { "CURRENT_TIMESTAMP", REFUSED_VALUE, "write = LAST_N_MINUTES:5, or a dateTime such as 2026-11-23T10:00:00Z" },
    { "LAST_HOUR", REFUSED_VALUE, "write LAST_N_HOURS:1" },
    { "THIS_HOUR", REFUSED_VALUE, "write N_HOURS_AGO:0" },
    { "NEXT_HOUR", REFUSED_VALUE, "write NEXT_N_HOURS:1" },
    { "LAST_MINUTE", REFUSED_VALUE, "write LAST_N_MINUTES:1" },
    { "LAST_DAY", REFUSED_VALUE, "write YESTERDAY" },
    { "THIS_DAY", REFUSED_VALUE, "write TODAY" },
    { "NEXT_DAY", REFUSED_VALUE, "write TOMORROW" },
    { "CURRENT_DATE", REFUSED_VALUE, "write TODAY" },
};

static const char *find(const struct token *word, enum refused_kind kind)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i].kind == kind && token_is(word, refused[i].word))
            return refused[i].instead;
    }
    return NULL;
}

bool is_refused(const struct token *word, enum refused_kind kind)
{
    return find(word, kind);
}

bool refuse_word(struct parser *parser, const struct token *word, enum refused_kind kind)
{
    const char *instead = find(word, kind);

    if (instead) {
        parser_fail(parser, word, "MALFORMED_QUERY", "%.*s is not supported%s %s", token_width(word), word->text,
                    *instead == '(' ? "" : ":", instead);
    }
    return instead;
}

bool refuse_function(struct parser *parser, const struct token *name)
{
    const char *instead = find(name, REFUSED_FUNCTION);

    if (instead) {
        return parser_fail(parser, name, "MALFORMED_QUERY", "%.*s() is not supported: %s", token_width(name),
                           name->text, instead);
    }
    return parser_fail(parser, name, "MALFORMED_QUERY",
                       "no function %.*s; there are COUNT, COUNT_DISTINCT, MIN, MAX, AVG and SUM", token_width(name),
                       name->text);
}

bool refuse_token(struct parser *parser)
{
    const struct token *token = &parser->token;
    char got[80];

    switch (token->kind) {
    case TOKEN_UNCLOSED: parser_fail(parser, NULL, "MALFORMED_QUERY", "this text has no closing quote"); return true;
    case TOKEN_COMMENT: parser_fail(parser, NULL, "MALFORMED_QUERY", "this comment has no end: */"); return true;
    case TOKEN_QUOTED:
        parser_fail(parser, NULL, "MALFORMED_QUERY", "%s: texts stand in single quotes ('..'), names in none",
                    parser_got(parser, got));
        return true;
    default: break;
    }
    if (token->kind == TOKEN_STRAY && *token->text == '!') {
        parser_fail(parser, NULL, "MALFORMED_QUERY", "'!' is not supported: write NOT");
        return true;
    }
    if (!token_is(token, ":"))
        return false;
    parser_fail(parser, NULL, "MALFORMED_QUERY", "bind variables (:x) are of Apex: write the value itself");
    return true;
}
