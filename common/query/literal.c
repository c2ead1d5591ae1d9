/* Literals: what may be compared with a field is decided by the field's type. */
#include "common/query/parser.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/query/match.h"
#include "common/record/id.h"

static bool is_text_type(enum field_type type)
{
    return type == FIELD_STRING || type == FIELD_PICKLIST;
}

static bool hex_digit(char c, unsigned *value)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;

    *value = *value * 16 + (found ? (unsigned)(found - digits) % 16 : 0);
    return found;
}

/* \u and four digits, as UTF-8; the number of bytes written, 0 when it is none (or a half of a surrogate pair). */
static size_t unicode_escape(char *to, const char *digits, size_t size)
{
    unsigned code = 0;

    for (size_t i = 0; i < 4; i++) {
        if (i >= size || !hex_digit(digits[i], &code))
            return 0;
    }
    if (code < 0x80) {
        to[0] = (char)code;
        return code ? 1 : 0;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code >= 0xd800 && code <= 0xdfff)
        return 0;
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* What \c stands for, or 0. */
static char escaped(char c)
{
    static const char escapes[] = "'\\\"nrtbf", meant[] = "'\\\"\n\r\t\b\f";
    const char *found = c ? strchr(escapes, c) : NULL;

    return found ? meant[found - escapes] : '\0';
}

/* The text between the quotes without escapes; a pattern of LIKE keeps \%, \_ and \\. */
static bool text_decode(struct parser *parser, bool pattern, struct query_value *value)
{
    const char *from = parser->token.text + 1, *end = parser->token.text + parser->token.size - 1;
    char *text = query_keep(parser->memory, parser->token.size), *to = text;

    for (; from < end; from++) {
        size_t written;

        if (*from == '\0')
            return parser_fail(parser, NULL, "MALFORMED_QUERY", "a text may not hold the character NUL");
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        from++;
        if (pattern && (*from == '%' || *from == '_' || *from == '\\')) {
            *to++ = '\\';
            *to++ = *from;
        } else if (escaped(*from)) {
            *to++ = escaped(*from);
        } else if (*from == 'u' && (written = unicode_escape(to, from + 1, (size_t)(end - from - 1))) > 0) {
            to += written;
            from += 4;
        } else {
            return parser_fail(parser, NULL, "MALFORMED_QUERY",
                               "unknown escape in a text: \\' \\\\ \\\" \\n \\r \\t \\b \\f \\uXXXX are known%s",
                               pattern ? ", and \\% \\_ in a pattern" : "; \\% and \\_ belong into patterns of LIKE");
        }
    }
    *value = (struct query_value){ .kind = QUERY_TEXT, .text = text, .size = (size_t)(to - text) };
    if (text_utf8_length(text, value->size) < 0)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "a text is not UTF-8");
    return true;
}

bool literal_mismatch(struct parser *parser, const struct query_item *item, const char *expected)
{
    char got[80], name[QUERY_ITEM_TEXT_SIZE];

    if (refuse_token(parser) || refuse_word(parser, &parser->token, REFUSED_VALUE))
        return false;
    if (token_is(&parser->token, "=")) /* == is an operator that is refused; this is = = or < = */
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "an operator stands in one piece: = != < <= > >=");
    return parser_fail(parser, NULL, "MALFORMED_QUERY", "%s is compared with %s, not %s", item_text(name, item),
                       expected, parser_got(parser, got));
}

static bool read_int(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    char text[24];
    bool fits = text_copy(text, sizeof text, parser->token.text, parser->token.size);

    value->kind = QUERY_NUMBER;
    if (parser->token.kind != TOKEN_LITERAL || !fits ||
        !text_parse_int64(text[0] == '+' ? text + 1 : text, -INT64_C(999999999999999), INT64_C(999999999999999),
                          &value->number))
        return literal_mismatch(parser, item, "a whole number");
    return true;
}

/* What an average is compared with. */
static bool read_decimal(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    const struct token *token = &parser->token;
    char text[32], *end = text;

    if (token->kind == TOKEN_LITERAL && text_copy(text, sizeof text, token->text, token->size) &&
        strspn(text, "+-0123456789.") == token->size)
        value->decimal = strtod(text, &end);
    value->kind = QUERY_DECIMAL;
    return (end > text && *end == '\0') || literal_mismatch(parser, item, "a number");
}

static bool read_boolean(struct parser *parser, const struct query_item *item, struct query_value *value)
{
    *value = (struct query_value){ .kind = QUERY_NUMBER, .number = token_is(&parser->token, "true") };
    return value->number || token_is(&parser->token, "false") || literal_mismatch(parser, item, "true or false");
}

static bool read_id(struct parser *parser, struct query_value *value)
{
    struct id_parts parts;
    char *id = query_keep(parser->memory, ID_SIZE), got[80];

    if (!text_decode(parser, false, value))
        return false;
    if (value->size == 0)
        return true;
    if (!id_read(id, value->text, value->size, &parts)) {
        return parser_fail(parser, NULL, "MALFORMED_ID", "%s is not an Id of a BackgroundOperation",
                           parser_got(parser, got));
    }
    value->text = id;
    value->size = ID_LENGTH;
    return true;
}

/* A word where a text is meant. */
static bool unquoted(struct parser *parser)
{
    char got[80];

    return !refuse_word(parser, &parser->token, REFUSED_VALUE) &&
           parser_fail(parser, NULL, "MALFORMED_QUERY", "expected a value, got %s: texts stand in single quotes",
                       parser_got(parser, got));
}

static bool read_text(struct parser *parser, const struct query_item *item, enum query_operator relation,
                      struct query_value *value)
{
    if (parser->token.kind == TOKEN_WORD)
        return unquoted(parser);
    if (parser->token.kind != TOKEN_TEXT)
        return literal_mismatch(parser, item, "a text in single quotes");
    if (is_text_type(record_fields[item->field.index].type))
        return text_decode(parser, relation == QUERY_LIKE, value);
    return read_id(parser, value);
}

bool literal_read(struct parser *parser, const struct query_item *item, enum query_operator relation,
                  struct query_value *value)
{
    bool fine = true, stepped = false;

    *value = (struct query_value){ .kind = QUERY_NULL };
    if (!token_is(&parser->token, "null") || relation == QUERY_LIKE) {
        switch (query_item_type(item)) {
        case FIELD_INT:
            fine = item->function == QUERY_AVG ? read_decimal(parser, item, value) : read_int(parser, item, value);
            break;
        case FIELD_DATETIME:
            fine = time_read(parser, item, value);
            stepped = true;
            break;
        case FIELD_BOOLEAN: fine = read_boolean(parser, item, value); break;
        default: fine = read_text(parser, item, relation, value); break;
        }
    }
    if (fine && value->kind == QUERY_TEXT && value->size == 0 && relation != QUERY_LIKE)
        *value = (struct query_value){ .kind = QUERY_NULL }; /* no field ever holds an empty text */
    if (fine && !stepped)
        parser_step(parser);
    return fine;
}

bool literal_count(struct parser *parser, const char *of, int64_t *count)
{
    char text[24], got[80];

    if (parser->token.kind != TOKEN_LITERAL || !text_copy(text, sizeof text, parser->token.text, parser->token.size) ||
        !text_parse_int64(text, 0, INT64_C(999999999999999), count)) {
        return !refuse_token(parser) &&
               parser_fail(parser, NULL, "MALFORMED_QUERY", "%s takes a whole number from 0, got %s", of,
                           parser_got(parser, got));
    }
    parser_step(parser);
    if (token_is(&parser->token, ",") && strcmp(of, "LIMIT") == 0)
        return parser_fail(parser, NULL, "MALFORMED_QUERY", "LIMIT takes one number: write LIMIT n OFFSET m");
    return true;
}
