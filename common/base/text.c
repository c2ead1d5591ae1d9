/* Text questions; none of them allocates. */
#include "common/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at text, or 0 when there is none. */
static size_t utf8_size(const unsigned char *text, size_t size)
{
    size_t length;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte: RFC 3629, table in section 4 */

    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (size < length)
        return 0;
    if (text[0] == 0xe0)
        low = 0xa0; /* overlong */
    else if (text[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (text[0] == 0xf0)
        low = 0x90; /* overlong */
    else if (text[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

/* Walks at most max_characters; *at is behind the last good one. */
static size_t utf8_walk(const char *text, size_t size, size_t max_characters, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t characters = 0;

    for (*at = 0; *at < size && characters < max_characters; characters++) {
        size_t length = utf8_size(bytes + *at, size - *at);
        if (length == 0)
            break;
        *at += length;
    }
    return characters;
}

long text_utf8_length(const char *text, size_t size)
{
    size_t at;
    size_t characters = utf8_walk(text, size, SIZE_MAX, &at);

    return at == size ? (long)characters : -1;
}

size_t text_utf8_cut(const char *text, size_t size, size_t max_characters)
{
    size_t at;

    utf8_walk(text, size, max_characters, &at);
    return at;
}

size_t text_utf8_whole(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];

        if ((byte & 0xc0) == 0x80)
            continue;
        if (byte < 0xc2 || byte > 0xf4) /* begins no character of several bytes */
            return size;
        return back < (byte < 0xe0 ? 2u : byte < 0xf0 ? 3u : 4u) ? size - back : size;
    }
    return size;
}

size_t text_one_line(char *to, size_t max_characters, const char *text, size_t size)
{
    size_t used = 0;

    for (size_t at = 0, count = 0; at < size && count < max_characters; count++) {
        size_t whole = text_utf8_cut(text + at, size - at, 1);
        const unsigned char *bytes = (const unsigned char *)text + at;
        bool is_c1 = whole == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0;

        if (whole > 1 && !is_c1) {
            memcpy(to + used, bytes, whole);
            used += whole;
        } else {
            to[used++] = whole == 0 ? '?' : is_c1 || bytes[0] < ' ' || bytes[0] == 0x7f ? ' ' : (char)bytes[0];
        }
        at += whole ? whole : 1;
    }
    to[used] = '\0';
    return used;
}

bool text_copy(char *to, size_t room, const char *from, size_t size)
{
    bool fits = size < room;
    size_t part = fits ? size : room ? room - 1 : 0;

    if (part)
        memcpy(to, from, part);
    if (room)
        to[part] = '\0';
    return fits;
}

/* Code point of the valid character of this length at text. */
static uint32_t code_point(const unsigned char *text, size_t length)
{
    uint32_t point = length == 1 ? text[0] : text[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++)
        point = point << 6 | (text[i] & 0x3fu);
    return point;
}

/* Beyond ASCII: C1 (terminals take U+009B for ESC [), and what orders text the other way round or breaks lines. */
static bool is_disturbing(uint32_t point)
{
    return (point >= 0x7f && point < 0xa0) || point == 0x061c || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

size_t text_plain_size(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length;

    if (bytes[0] < 0x7f)
        return bytes[0] >= ' ';
    length = utf8_size(bytes, size);
    return length && !is_disturbing(code_point(bytes, length)) ? length : 0;
}

size_t text_escape(char escape[TEXT_ESCAPE_SIZE], const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = utf8_size(bytes, size);

    if (length > 1)
        snprintf(escape, TEXT_ESCAPE_SIZE, "\\u%04x", code_point(bytes, length) & 0xffffu);
    else
        snprintf(escape, TEXT_ESCAPE_SIZE, bytes[0] == '\n' ? "\\n" : bytes[0] == '\t' ? "\\t" : "\\x%02x", bytes[0]);
    return length ? length : 1;
}

char *text_quote(char *to, size_t room, const char *text, size_t size)
{
    size_t used = 0, at = 0;

    /* Behind every piece there must be room for `..."` and the NUL; the longest piece is \uNNNN. */
    to[used++] = '"';
    while (at < size && used + 6 + 5 <= room) {
        size_t length = text_plain_size(text + at, size - at);
        char escape[TEXT_ESCAPE_SIZE];
        if (length == 0) {
            at += text_escape(escape, text + at, size - at);
            used += (size_t)snprintf(to + used, room - used, "%s", escape);
        } else {
            if (text[at] == '"' || text[at] == '\\')
                to[used++] = '\\';
            memcpy(to + used, text + at, length);
            used += length;
            at += length;
        }
    }
    snprintf(to + used, room - used, at < size ? "...\"" : "\"");
    return to;
}

char *text_url_shown(char *to, size_t room, const char *url)
{
    const char *login = strstr(url, "://"), *at = strrchr(url, '@'), *colon = NULL;
    const char *secret = login ? login + 3 : url;

    if (at && at > secret)
        colon = memchr(secret, ':', (size_t)(at - secret));
    if (colon)
        secret = colon + 1;
    if (at && at > secret)
        snprintf(to, room, "%.*s***%s", (int)(secret - url), url, at);
    else
        snprintf(to, room, "%s", url);
    return to;
}

bool text_parse_int64(const char *text, int64_t min, int64_t max, int64_t *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    char *end;

    if (digits[0] < '0' || digits[0] > '9')
        return false;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || parsed < min || parsed > max)
        return false;
    *value = parsed;
    return true;
}

enum { NEAREST_MAX_LENGTH = 64 };

/* Levenshtein distance, letters' case free, with one row of the matrix. Both at most NEAREST_MAX_LENGTH long. */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t row[NEAREST_MAX_LENGTH + 1];

    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t change = diagonal + !same;
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < gap ? change : gap;
        }
    }
    return row[b_size];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t word_size = strlen(word);
    size_t best = word_size / 3 + 1;
    const char *nearest = NULL;

    if (word_size > NEAREST_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(candidates[i]);
        if (size > NEAREST_MAX_LENGTH)
            continue;
        size_t distance = edit_distance(word, word_size, candidates[i], size);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t text_base64_encode(char *to, const void *data, size_t size)
{
    const unsigned char *from = data;
    char *at = to;

    for (; size >= 3; size -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *at++ = base64_alphabet[bits >> 18];
        *at++ = base64_alphabet[bits >> 12 & 63];
        *at++ = base64_alphabet[bits >> 6 & 63];
        *at++ = base64_alphabet[bits & 63];
    }
    if (size > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (size == 2 ? (uint32_t)from[1] << 8 : 0);
        *at++ = base64_alphabet[bits >> 18];
        *at++ = base64_alphabet[bits >> 12 & 63];
        *at++ = size == 2 ? base64_alphabet[bits >> 6 & 63] : '=';
        *at++ = '=';
    }
    *at = '\0';
    return (size_t)(at - to);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long text_base64_decode(void *to, size_t room, const char *text, size_t size)
{
    unsigned char *out = to;
    size_t padding = size == 0 || text[size - 1] != '=' ? 0 : size > 1 && text[size - 2] == '=' ? 2 : 1;
    size_t used = 0;

    if (size % 4 != 0 || size / 4 * 3 - padding > room)
        return -1;
    for (size_t i = 0; i < size; i += 4) {
        size_t bytes = i + 4 == size ? 3 - padding : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j <= bytes ? base64_value(text[i + j]) : 0;
            if (value < 0)
                return -1;
            bits = bits << 6 | (uint32_t)value;
        }
        if (bytes < 3 && (bits & ((1u << (8 * (3 - bytes))) - 1)) != 0)
            return -1; /* bits that no encoder sets: two texts for the same bytes */
        for (size_t j = 0; j < bytes; j++)
            out[used++] = (unsigned char)(bits >> (16 - 8 * j));
    }
    return (long)used;
}
