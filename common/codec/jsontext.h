/* JSON text taken apart without a tree: what the queue does not look into (a payload) keeps every byte of its text,
 * numbers above all, and hostile input costs no memory but for a string with escapes. */
#ifndef BGOP_CODEC_JSONTEXT_H
#define BGOP_CODEC_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { JSONTEXT_DEPTH_MAX = 512 };

struct jsontext {
    const char *text;
    size_t size;
}; /* one value's text, blanks around it cut off */

/* Calls on_member for each member of the one object in text, in order; its status other than ST_OK ends the walk.
 * The whole text is checked to be JSON (RFC 8259) of at most JSONTEXT_DEPTH_MAX levels, but for UTF-8 inside strings:
 * that is left to on_member, which can name the member. */
typedef enum status jsontext_on_member(void *arg, const char *name, size_t name_size, struct jsontext value,
                                       struct err *err);
enum status jsontext_walk(const char *text, size_t size, jsontext_on_member *on_member, void *arg,
                          struct err *err) MUST_CHECK;

/* The same for each value of the one array in text. on_value is called before what follows is known to be JSON. */
typedef void jsontext_on_value(void *arg, struct jsontext value);
enum status jsontext_each(const char *text, size_t size, jsontext_on_value *on_value, void *arg,
                          struct err *err) MUST_CHECK;

/* Of values that these gave: */
bool jsontext_is_null(struct jsontext value);
bool jsontext_is_string(struct jsontext value);
/* The characters of a string: in place when it has no escapes, else in *memory, which the caller frees (NULL
 * otherwise). ST_INVALID: not Unicode text (half a surrogate pair, not UTF-8); ST_AGAIN: out of memory. */
enum status jsontext_string(struct jsontext value, const char **text, size_t *size, char **memory) MUST_CHECK;
/* Bytes that the value's text takes without its blanks; the same as value.size when there are none. */
size_t jsontext_compact_size(struct jsontext value);
void jsontext_compact(struct jsontext value, char *to);

#endif
