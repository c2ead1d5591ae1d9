/* One pass over the text with a stack of bits for the nesting: nothing is allocated, nothing recurses. */
#include "common/codec/jsontext.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

struct scanner {
    const char *text;
    size_t size, at;
    const char *expected; /* set when the text is broken at `at` */
    bool in_object[JSONTEXT_DEPTH_MAX];
};

static bool broken(struct scanner *scanner, const char *expected)
{
    if (!scanner->expected)
        scanner->expected = expected;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The character at hand; NUL at the end (and for a NUL in the text, which is wrong everywhere as well). */
static char look(const struct scanner *scanner)
{
    return scanner->at < scanner->size ? scanner->text[scanner->at] : '\0';
}

static void skip_blanks(struct scanner *scanner)
{
    while (is_blank(look(scanner)))
        scanner->at++;
}

static bool take(struct scanner *scanner, char c)
{
    if (look(scanner) != c)
        return false;
    scanner->at++;
    return true;
}

static bool scan_escape(struct scanner *scanner)
{
    char c = look(scanner);

    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return broken(scanner, "one of \" \\ / b f n r t u after a backslash");
    scanner->at++;
    for (int i = 0; c == 'u' && i < 4; i++, scanner->at++) {
        char digit = look(scanner);
        if (!is_digit(digit) && !(digit >= 'a' && digit <= 'f') && !(digit >= 'A' && digit <= 'F'))
            return broken(scanner, "four hexadecimal digits after \\u");
    }
    return true;
}

static bool scan_string(struct scanner *scanner)
{
    if (!take(scanner, '"'))
        return broken(scanner, "a string");
    while (scanner->at < scanner->size) {
        char c = scanner->text[scanner->at];
        if ((unsigned char)c < ' ')
            return broken(scanner, "an escape instead of a control character");
        scanner->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(scanner))
            return false;
    }
    return broken(scanner, "the end of a string");
}

static bool scan_digits(struct scanner *scanner)
{
    if (!is_digit(look(scanner)))
        return broken(scanner, "a digit");
    while (is_digit(look(scanner)))
        scanner->at++;
    return true;
}

static bool scan_number(struct scanner *scanner)
{
    take(scanner, '-');
    if (!take(scanner, '0') && !scan_digits(scanner))
        return false;
    if (take(scanner, '.') && !scan_digits(scanner))
        return false;
    if (take(scanner, 'e') || take(scanner, 'E')) {
        if (!take(scanner, '+'))
            take(scanner, '-');
        return scan_digits(scanner);
    }
    return true;
}

static bool scan_plain(struct scanner *scanner)
{
    static const char *const words[] = { "true", "false", "null" };
    char c = look(scanner);

    if (c == '"')
        return scan_string(scanner);
    if (c == '-' || is_digit(c))
        return scan_number(scanner);
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if (scanner->size - scanner->at >= length && memcmp(scanner->text + scanner->at, words[i], length) == 0) {
            scanner->at += length;
            return true;
        }
    }
    return broken(scanner, "a value");
}

/* A member's name with its quotes (name may be NULL) and the colon. */
static bool scan_name(struct scanner *scanner, struct jsontext *name)
{
    skip_blanks(scanner);
    size_t start = scanner->at;
    if (look(scanner) != '"')
        return broken(scanner, "a member's name in double quotes");
    if (!scan_string(scanner))
        return false;
    if (name)
        *name = (struct jsontext){ scanner->text + start, scanner->at - start };
    skip_blanks(scanner);
    return take(scanner, ':') || broken(scanner, "a colon");
}

/* Behind a value: closes what ends here. false: broken, or *more values follow. */
static bool scan_closing(struct scanner *scanner, int *depth)
{
    while (*depth > 0) {
        bool in_object = scanner->in_object[*depth - 1];
        skip_blanks(scanner);
        if (take(scanner, ','))
            return !in_object || scan_name(scanner, NULL);
        if (!take(scanner, in_object ? '}' : ']'))
            return broken(scanner, in_object ? "a comma or }" : "a comma or ]");
        (*depth)--;
    }
    return true;
}

/* Over one value, however deep. */
static bool scan_value(struct scanner *scanner)
{
    int depth = 0;

    do {
        skip_blanks(scanner);
        char c = look(scanner);
        if (c == '{' || c == '[') {
            if (depth == JSONTEXT_DEPTH_MAX)
                return broken(scanner, "fewer levels of nesting (at most 512)");
            scanner->at++;
            scanner->in_object[depth++] = c == '{';
            skip_blanks(scanner);
            if (look(scanner) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !scan_name(scanner, NULL))
                    return false;
                continue;
            }
        } else if (!scan_plain(scanner)) {
            return false;
        }
        if (!scan_closing(scanner, &depth))
            return false;
    } while (depth > 0);
    return true;
}

static bool scan_member(struct scanner *scanner, struct jsontext *name, struct jsontext *value)
{
    if (!scan_name(scanner, name))
        return false;
    skip_blanks(scanner);
    size_t start = scanner->at;
    if (!scan_value(scanner))
        return false;
    *value = (struct jsontext){ scanner->text + start, scanner->at - start };
    skip_blanks(scanner);
    return true;
}

static enum status tell_member(struct jsontext raw_name, struct jsontext value, jsontext_on_member *on_member,
                               void *arg, struct err *err)
{
    const char *name;
    size_t size;
    char *memory;

    enum status st = jsontext_string(raw_name, &name, &size, &memory);
    if (st != ST_OK) {
        return st == ST_AGAIN ? err_set(err, ST_AGAIN, "out of memory")
                              : err_set(err, ST_INVALID, "not JSON: a member's name must be Unicode text");
    }
    st = on_member(arg, name, size, value, err);
    free(memory);
    return st;
}

static enum status say_broken(const struct scanner *scanner, struct err *err)
{
    char found[24] = "the end";

    if (scanner->at < scanner->size) {
        text_quote(found, sizeof found, scanner->text + scanner->at,
                   text_utf8_cut(scanner->text + scanner->at, scanner->size - scanner->at, 1));
    }
    return err_set(err, ST_INVALID, "not JSON: expected %s at byte %zu, found %s", scanner->expected, scanner->at,
                   found);
}

enum status jsontext_walk(const char *text, size_t size, jsontext_on_member *on_member, void *arg, struct err *err)
{
    struct scanner scanner;
    struct jsontext name, value;

    scanner.text = text, scanner.size = size, scanner.at = 0, scanner.expected = NULL;
    skip_blanks(&scanner);
    if (!take(&scanner, '{')) {
        broken(&scanner, "{");
        return say_broken(&scanner, err);
    }
    skip_blanks(&scanner);
    if (!take(&scanner, '}')) {
        do {
            if (!scan_member(&scanner, &name, &value))
                return say_broken(&scanner, err);
            enum status st = tell_member(name, value, on_member, arg, err);
            if (st != ST_OK)
                return st;
        } while (take(&scanner, ','));
        if (!take(&scanner, '}')) {
            broken(&scanner, "a comma or }");
            return say_broken(&scanner, err);
        }
    }
    skip_blanks(&scanner);
    if (scanner.at == size)
        return ST_OK;
    broken(&scanner, "nothing behind the object");
    return say_broken(&scanner, err);
}

enum status jsontext_each(const char *text, size_t size, jsontext_on_value *on_value, void *arg, struct err *err)
{
    struct scanner scanner;

    scanner.text = text, scanner.size = size, scanner.at = 0, scanner.expected = NULL;
    skip_blanks(&scanner);
    if (!take(&scanner, '[')) {
        broken(&scanner, "[");
        return say_broken(&scanner, err);
    }
    skip_blanks(&scanner);
    if (!take(&scanner, ']')) {
        do {
            skip_blanks(&scanner);
            size_t start = scanner.at;
            if (!scan_value(&scanner))
                return say_broken(&scanner, err);
            on_value(arg, (struct jsontext){ text + start, scanner.at - start });
            skip_blanks(&scanner);
        } while (take(&scanner, ','));
        if (!take(&scanner, ']')) {
            broken(&scanner, "a comma or ]");
            return say_broken(&scanner, err);
        }
    }
    skip_blanks(&scanner);
    if (scanner.at == size)
        return ST_OK;
    broken(&scanner, "nothing behind the array");
    return say_broken(&scanner, err);
}

bool jsontext_is_null(struct jsontext value)
{
    return value.text[0] == 'n';
}

bool jsontext_is_string(struct jsontext value)
{
    return value.text[0] == '"';
}

/* ---- the characters of a string: own code, because jansson ends the process when it has no memory for them ---- */

static unsigned read_hex(const char *digits)
{
    char text[5];

    memcpy(text, digits, 4);
    text[4] = '\0';
    return (unsigned)strtoul(text, NULL, 16);
}

/* Appends a code point as UTF-8. */
static char *put_character(char *to, unsigned point)
{
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *to++ = (char)(0xe0 | point >> 12);
        } else {
            *to++ = (char)(0xf0 | point >> 18);
            *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (point & 0x3f));
    return to;
}

/* The escape at text, whose form was scanned. Answers its bytes, or 0: half a surrogate pair. */
static size_t read_escape(const char *text, size_t size, unsigned *point)
{
    static const char letters[] = "bfnrt", stand_for[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, text[1]);
    unsigned low;

    *point = letter ? (unsigned char)stand_for[letter - letters] : (unsigned char)text[1];
    if (text[1] != 'u')
        return 2;
    *point = read_hex(text + 2);
    if (*point < 0xd800 || *point > 0xdfff)
        return 6;
    if (*point > 0xdbff || size < 12 || text[6] != '\\' || text[7] != 'u')
        return 0;
    low = read_hex(text + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* An escape is never shorter than what it stands for. false: half a surrogate pair. */
static bool unescape(char *to, size_t *used, const char *text, size_t size)
{
    char *begin = to;
    unsigned point;

    for (size_t at = 0, taken = 1; at < size; at += taken) {
        taken = 1;
        if (text[at] != '\\') {
            *to++ = text[at];
            continue;
        }
        taken = read_escape(text + at, size - at, &point);
        if (!taken)
            return false;
        to = put_character(to, point);
    }
    *to = '\0';
    *used = (size_t)(to - begin);
    return true;
}

enum status jsontext_string(struct jsontext value, const char **text, size_t *size, char **memory)
{
    const char *escaped = value.text + 1;

    *memory = NULL;
    *text = escaped;
    *size = value.size - 2;
    if (!memchr(escaped, '\\', *size))
        return ST_OK;
    if (text_utf8_length(escaped, *size) < 0)
        return ST_INVALID;
    *memory = malloc(*size + 1);
    if (!*memory)
        return ST_AGAIN;
    *text = *memory;
    if (unescape(*memory, size, escaped, value.size - 2))
        return ST_OK;
    free(*memory);
    *memory = NULL;
    return ST_INVALID;
}

/* Counts, and copies when there is a place to copy to. */
static size_t walk_compact(struct jsontext value, char *to)
{
    size_t used = 0;
    bool quoted = false;

    for (size_t at = 0; at < value.size; at++) {
        char c = value.text[at];
        if (!quoted && is_blank(c))
            continue;
        if (to)
            to[used] = c;
        used++;
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\') { /* only inside strings; what it escapes may be a quote */
            at++;
            if (to)
                to[used] = value.text[at];
            used++;
        }
    }
    return used;
}

size_t jsontext_compact_size(struct jsontext value)
{
    return walk_compact(value, NULL);
}

void jsontext_compact(struct jsontext value, char *to)
{
    walk_compact(value, to);
}
