/* Names of fields. There is one list of them, common/record/tables.h; here is what people call them otherwise. */
#include "common/query/parser.h"

#include <string.h>
#include <strings.h>

#include "common/base/text.h"

#define LEADER "GroupLeader"

/* Words that are looked for, but no edit distance would find. */
static const struct {
    const char *word, *field;
} synonyms[] = {
    { "Message", "Error" },
    { "ErrorMessage", "Error" },
    { "Reason", "Error" },
    { "State", "Status" },
    { "Kind", "Type" },
    { "Key", "ParentKey" },
    { "Parent", "ParentKey" },
    { "Tag", "ParentKey" },
    { "Worker", "WorkerUri" },
    { "Host", "WorkerUri" },
    { "Attempts", "RetryCount" },
    { "Retries", "RetryCount" },
    { "Backoff", "RetryBackoff" },
    { "Delay", "RetryBackoff" },
    { "Created", "CreatedDate" },
    { "Modified", "LastModifiedDate" },
    { "Updated", "LastModifiedDate" },
    { "Submitted", "SubmittedAt" },
    { "Started", "StartedAt" },
    { "Finished", "FinishedAt" },
    { "Ended", "FinishedAt" },
    { "Completed", "FinishedAt" },
    { "Expires", "ExpiresAt" },
    { "Expiry", "ExpiresAt" },
    { "Scheduled", "ProcessAfter" },
    { "Due", "ProcessAfter" },
    { "Leader", "GroupLeaderId" },
    { "Followers", "NumFollowers" },
    { "Sequence", "SequenceNumber" },
    { "Deleted", "IsDeleted" },
};

static bool same(const struct token *word, const char *name)
{
    return strlen(name) == word->size && strncasecmp(name, word->text, word->size) == 0;
}

const char *field_type_name(enum field_type type)
{
    static const char *const names[] = {
        [FIELD_ID] = "id",
        [FIELD_BOOLEAN] = "boolean",
        [FIELD_STRING] = "string",
        [FIELD_PICKLIST] = "picklist",
        [FIELD_INT] = "int",
        [FIELD_DATETIME] = "dateTime",
        [FIELD_REFERENCE] = "reference",
    };

    return names[type];
}

static bool one_level(struct parser *parser, const struct path *path)
{
    return parser_fail(parser, &path->words[0], "MALFORMED_QUERY",
                       "a relationship is followed one level up, no further: " LEADER ".X");
}

/* What stands where a field is expected and is none. */
static bool expected_field(struct parser *parser)
{
    char got[80];

    if (parser->token.kind == TOKEN_STRAY && *parser->token.text == '*') {
        return parser_fail(parser, NULL, "MALFORMED_QUERY",
                           "SELECT * is no SOQL: name the fields, or write FIELDS(ALL) .. LIMIT 200");
    }
    return !refuse_token(parser) &&
           parser_fail(parser, NULL, "MALFORMED_QUERY", "expected a field, got %s", parser_got(parser, got));
}

/* A word of the grammar: where it stands a field was forgotten. */
static bool is_keyword(const struct token *word)
{
    static const char *const keywords[] = {
        "SELECT", "FROM", "WHERE", "GROUP", "BY",  "HAVING", "ORDER", "LIMIT", "OFFSET", "AND",
        "OR",     "NOT",  "IN",    "LIKE",  "ASC", "DESC",   "NULLS", "NULL",  "TRUE",   "FALSE",
    };

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (token_is(word, keywords[i]))
            return true;
    }
    return false;
}

bool path_read(struct parser *parser, struct path *path)
{
    path->count = 0;
    do {
        if (parser->token.kind != TOKEN_WORD || is_keyword(&parser->token))
            return expected_field(parser);
        if (path->count == sizeof path->words / sizeof *path->words)
            return one_level(parser, path);
        path->words[path->count++] = parser->token;
        parser_step(parser);
    } while (parser_take(parser, "."));
    return true;
}

static const char *nearest(const struct token *word)
{
    const char *names[FIELD_COUNT];
    char text[65];

    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++) {
        if (same(word, synonyms[i].word))
            return synonyms[i].field;
    }
    for (int i = 0; i < FIELD_COUNT; i++)
        names[i] = record_fields[i].name;
    return text_copy(text, sizeof text, word->text, word->size) ? text_nearest(text, names, FIELD_COUNT) : NULL;
}

/* The object itself, by its name or alias. */
static bool is_object(const struct parser *parser, const struct token *word)
{
    return same(word, "BackgroundOperation") || token_same(word, &parser->object_alias);
}

static bool no_field(struct parser *parser, const struct token *word)
{
    const char *near = nearest(word);
    int size = token_width(word);

    if (same(word, LEADER)) {
        return parser_fail(parser, word, "INVALID_FIELD",
                           LEADER " is a relationship: name a field of it, as in " LEADER ".Status");
    }
    if (is_object(parser, word)) {
        return parser_fail(parser, word, "INVALID_FIELD",
                           "%.*s is the object itself: name a field of it, as in %.*s.Status", size, word->text, size,
                           word->text);
    }
    for (size_t i = 0; i < parser->written_count; i++) {
        if (parser->written[i].alias.size && token_same(&parser->written[i].alias, word)) {
            return parser_fail(parser, word, "INVALID_FIELD", "%.*s is an alias: here stands the field itself", size,
                               word->text);
        }
    }
    if (!near)
        return parser_fail(parser, word, "INVALID_FIELD", "no field %.*s on BackgroundOperation", size, word->text);
    return parser_fail(parser, word, "INVALID_FIELD", "no field %.*s; did you mean %s?", size, word->text, near);
}

static bool no_relationship(struct parser *parser, const struct token *word)
{
    const struct token *alias = &parser->object_alias;

    return parser_fail(parser, word, "INVALID_FIELD",
                       "no relationship %.*s on BackgroundOperation; there is " LEADER "%s%.*s", token_width(word),
                       word->text, alias->size ? ", and the alias " : "", token_width(alias), alias->text);
}

bool path_field(struct parser *parser, const struct path *path, struct query_field *field)
{
    const struct token *word = &path->words[path->count - 1];
    int first = path->count > 1 && is_object(parser, &path->words[0]), steps = path->count - first;

    if (steps == 2 && !same(&path->words[first], LEADER))
        return no_relationship(parser, &path->words[first]);
    if (steps > 2)
        return one_level(parser, path);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (same(word, record_fields[i].name)) {
            *field = (struct query_field){ (enum field_index)i, steps == 2 };
            return true;
        }
    }
    return no_field(parser, word);
}

bool field_require(struct parser *parser, const struct path *path, struct query_field field, unsigned property)
{
    const struct record_field *record_field = &record_fields[field.index];

    if (record_field->properties & property)
        return true;
    if (property == FIELD_G) { /* the code is Salesforce's */
        return parser_fail(parser, &path->words[0], "MALFORMED_QUERY",
                           "field %s can not be grouped in a query call (%s, without the property group)",
                           record_field->name, field_type_name(record_field->type));
    }
    return parser_fail(parser, &path->words[0], "INVALID_FIELD", "field %s can not be %s in a query call (property %s)",
                       record_field->name, property == FIELD_F ? "filtered" : "sorted",
                       property == FIELD_F ? "filter" : "sort");
}
