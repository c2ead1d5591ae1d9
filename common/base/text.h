/* Small text questions that the C library does not answer. */
#ifndef BGOP_BASE_TEXT_H
#define BGOP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of Unicode code points, or -1 when the bytes are not UTF-8 (RFC 3629: no overlong forms, surrogates
 * or values beyond U+10FFFF; NUL bytes are valid characters). */
long text_utf8_length(const char *text, size_t size);
/* Greatest size' <= size that holds at most max_characters whole characters of valid UTF-8. */
size_t text_utf8_cut(const char *text, size_t size, size_t max_characters);
/* Copies into to[room]; false when it did not fit (then cut). Always NUL-terminated. */
bool text_copy(char *to, size_t room, const char *from, size_t size);
/* Puts text in double quotes for an error or a log: control characters and bytes that are not UTF-8 escaped (\n,
 * \xNN), the end cut ("...") when room (at least 16) is short. Returns to. */
char *text_quote(char *to, size_t room, const char *text, size_t size);
/* The whole text as a decimal number within [min, max]. */
bool text_parse_int64(const char *text, int64_t min, int64_t max, int64_t *value);
/* The candidate nearest to word (edit distance at most a third of its length; letters' case is free), or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

/* Base64 (RFC 4648, with padding). Room for encoding: BASE64_SIZE(n). decode: -1 when it is not base64. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
size_t text_base64_encode(char *to, const void *data, size_t size);
long text_base64_decode(void *to, size_t room, const char *text, size_t size);

#endif
