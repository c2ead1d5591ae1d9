/* What a time is compared with: a dateTime, a date, or a date literal such as LAST_N_DAYS:7. */
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/query/parser.h"
#include "common/query/period.h"

enum { TIME_TEXT_MAX = 40, DATE_SIZE = 10 };

static const char expected[] = "a dateTime such as 2026-11-23T10:00:00Z, a date, or TODAY, LAST_N_DAYS:7 ..";

/* ---- date literals ---- */
static bool need_number(struct parser *parser, const struct date_literal *literal, int64_t *n)
{
    int64_t least = literal->kind == PERIOD_TO_NOW || literal->from_n == literal->until_n ? 0 : 1;
    char text[24], got[80];

    if (!parser_take(parser, ":")) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s takes its number behind a colon: %s:7", literal->name,
                           literal->name);
    }
    if (parser->token.kind != TOKEN_LITERAL || !text_copy(text, sizeof text, parser->token.text, parser->token.size) ||
        !text_parse_int64(text, least, PERIOD_NUMBER_MAX, n)) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s takes a whole number from %d to %d, got %s",
                           literal->name, (int)least, PERIOD_NUMBER_MAX, parser_got(parser, got));
    }
    parser_step(parser);
    return true;
}

static const char *nearest_literal(const struct token *word)
{
    const char *names[64];
    char text[65];

    for (size_t i = 0; i < date_literal_count; i++)
        names[i] = date_literals[i].name;
    return text_copy(text, sizeof text, word->text, word->size) ? text_nearest(text, names, date_literal_count) : NULL;
}

/* LAST_7_DAYS is LAST_N_DAYS:7: looked for with N in the place of the digits. */
static const struct date_literal *with_number_inside(const struct token *word, int64_t *n)
{
    char text[65], digits[20];
    size_t from, count;

    if (!text_copy(text, sizeof text, word->text, word->size))
        return NULL;
    from = strcspn(text, "0123456789");
    count = strspn(text + from, "0123456789");
    if (count == 0 || !text_copy(digits, sizeof digits, text + from, count) ||
        !text_parse_int64(digits, 0, PERIOD_NUMBER_MAX, n))
        return NULL;
    text[from] = 'N';
    memmove(text + from + 1, text + from + count, strlen(text + from + count) + 1);
    return date_literal_find(text, strlen(text));
}

static bool is_fiscal(const struct token *word)
{
    static const char fiscal[] = "FISCAL";

    for (size_t i = 0; i + strlen(fiscal) <= word->size; i++) {
        if (strncasecmp(word->text + i, fiscal, strlen(fiscal)) == 0)
            return true;
    }
    return false;
}

static bool no_literal(struct parser *parser, const struct query_item *item)
{
    const struct token *word = &parser->token;
    int64_t n;
    const struct date_literal *meant = with_number_inside(word, &n);
    const char *near = nearest_literal(word);
    int width = token_width(word);

    if (refuse_word(parser, word, REFUSED_VALUE))
        return false;
    if (is_fiscal(word)) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY",
                           "%.*s is not supported: there is no fiscal calendar here; write dates or a period of the "
                           "calendar such as THIS_QUARTER",
                           width, word->text);
    }
    if (meant) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "no date literal %.*s; write %s:%d", width, word->text,
                           meant->name, (int)n);
    }
    if (near) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "no date literal %.*s; did you mean %s?", width, word->text,
                           near);
    }
    return literal_mismatch(parser, item, expected);
}

/* TODAY - 7 */
static bool is_sum(struct parser *parser)
{
    if (parser->token.kind == TOKEN_END || (*parser->token.text != '-' && *parser->token.text != '+'))
        return false;
    parser_fail(parser, NULL, "MALFORMED_QUERY",
                "a date literal is not reckoned with: write N_DAYS_AGO:7, NEXT_N_DAYS:7, LAST_N_HOURS:2");
    return true;
}

static bool read_literal(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    const struct date_literal *literal = date_literal_find(parser->token.text, parser->token.size);

    if (!literal)
        return no_literal(parser, item);
    parser_step(parser);
    *value = (struct query_value){ .kind = QUERY_PERIOD, .literal = literal };
    parser->query->relative = true;
    if (date_literal_takes_number(literal))
        return need_number(parser, literal, &value->number) && !is_sum(parser);
    if (is_sum(parser))
        return false;
    if (token_is(&parser->token, ":") || token_is(&parser->token, "("))
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s takes no number and no parentheses", literal->name);
    return true;
}

/* ---- dates and dateTimes ---- */
static bool read_date(const char *text, struct query_value *value)
{
    char midnight[TIME_TEXT_MAX];

    if (strlen(text) != DATE_SIZE)
        return false;
    snprintf(midnight, sizeof midnight, "%.10sT00:00:00Z", text);
    *value = (struct query_value){ .kind = QUERY_PERIOD };
    return clock_parse(midnight, &value->number);
}

static bool read_time(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    const struct token *token = &parser->token;
    char text[TIME_TEXT_MAX], zoned[TIME_TEXT_MAX + 1];
    bool fits = token->kind == TOKEN_LITERAL && text_copy(text, sizeof text, token->text, token->size);
    int64_t ms;

    value->kind = QUERY_NUMBER;
    if (fits && strchr(text, 'T') && clock_parse(text, &value->number)) {
        parser_step(parser);
        return true;
    }
    snprintf(zoned, sizeof zoned, "%sZ", fits ? text : "");
    if (fits && strchr(text, 'T') && clock_parse(zoned, &ms)) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "a dateTime has a zone: %s or, an hour east, %s+01:00",
                           zoned, text);
    }
    if (!fits || !read_date(text, value))
        return literal_mismatch(parser, item, expected);
    parser_step(parser);
    if (parser->token.kind == TOKEN_LITERAL)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "between date and time stands a T: %sT10:00:00Z", text);
    return true;
}

/* Whether what stands in quotes would be fine without. */
static bool quoted(struct parser *parser, const struct query_item *item)
{
    const char *name = record_fields[item->field.index].name;
    const char *inside = parser->token.text + 1;
    size_t size = strcspn(inside, ":'");

    if (date_literal_find(inside, size)) {
        return parser_fail(parser, NULL, "MALFORMED_QUERY",
                           "%s is compared with a date literal, which stands without "
                           "quotes: %.*s",
                           name, (int)strcspn(inside, "'"), inside);
    }
    return parser_fail(parser, NULL, "MALFORMED_QUERY",
                       "%s is compared with a dateTime, which stands without quotes: 2026-11-23T10:00:00Z", name);
}

bool time_read(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    if (parser->token.kind == TOKEN_TEXT)
        return quoted(parser, item);
    if (parser->token.kind == TOKEN_WORD)
        return read_literal(parser, item, value);
    return read_time(parser, item, value);
}
