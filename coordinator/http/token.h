/* Bearer tokens: read from a file once, compared in constant time. */
#ifndef BGOP_COORDINATOR_HTTP_TOKEN_H
#define BGOP_COORDINATOR_HTTP_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { TOKEN_MAX_BYTES = 512 };

struct token {
    char text[TOKEN_MAX_BYTES + 2]; /* empty: nobody has it */
    size_t size;
};

/* One line of printable characters without blanks; option names the path in messages. path "": no token. */
enum status token_read(struct token *token, const char *option, const char *path, struct err *err) MUST_CHECK;
/* Is this the whole token? NULL is not. */
bool token_fits(const struct token *token, const char *given);
/* What stands behind "Bearer" or "OAuth" in an Authorization header; NULL: neither. */
const char *token_of_header(const char *header);
void token_forget(struct token *token);

#endif
