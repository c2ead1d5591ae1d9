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
/* Greatest size' <= size, at most three bytes less, behind which no character is cut in two: for a text that was cut by
 * bytes. What is no UTF-8 may be cut anywhere. */
size_t text_utf8_whole(const char *text, size_t size);
/* Copies at most max_characters as one line of UTF-8: a control character (C1 too) becomes a blank, a byte that is no
 * UTF-8 a '?'. to: room for four bytes a character and the NUL. Answers the size. */
size_t text_one_line(char *to, size_t max_characters, const char *text, size_t size);
/* Copies into to[room]; false when it did not fit (then cut). Always NUL-terminated. */
bool text_copy(char *to, size_t room, const char *from, size_t size);
/* Bytes of the character at text (size > 0) when a terminal shows it as itself. 0: it must be escaped, being a control
 * character (C0, DEL, C1), one that turns or breaks the line for what stands around it, or no UTF-8. */
size_t text_plain_size(const char *text, size_t size);
/* The escape of what is not plain: \n, \x1b, \u202e. Returns the bytes of text that it stands for. */
enum { TEXT_ESCAPE_SIZE = 8 };
size_t text_escape(char escape[TEXT_ESCAPE_SIZE], const char *text, size_t size);
/* Puts text in double quotes for an error or a log: what is not plain escaped, the end cut ("...") when room (at least
 * 16) is short. Returns to. */
char *text_quote(char *to, size_t room, const char *text, size_t size);
/* A URL without its secret, which shows as ***: the password, or a login that is one word. Cut to room. Returns to. */
char *text_url_shown(char *to, size_t room, const char *url);
/* The whole text as a decimal number within [min, max]. */
bool text_parse_int64(const char *text, int64_t min, int64_t max, int64_t *value);
/* The candidate nearest to word (edit distance at most a third of its length; letters' case is free), or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

/* Base64 (RFC 4648, with padding). Room for encoding: BASE64_SIZE(n). decode: -1 when it is not base64. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
size_t text_base64_encode(char *to, const void *data, size_t size);
long text_base64_decode(void *to, size_t room, const char *text, size_t size);

#endif
