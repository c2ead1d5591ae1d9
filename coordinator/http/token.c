#include "coordinator/http/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum status token_read(struct token *token, const char *option, const char *path, struct err *err)
{
    FILE *file;
    size_t size;

    *token = (struct token){ .size = 0 };
    if (!path[0])
        return ST_OK;
    errno = 0;
    file = fopen(path, "re");
    size = file ? fread(token->text, 1, sizeof token->text - 1, file) : 0;
    if (!file || ferror(file)) {
        err_set(err, ST_INVALID, "%s: %s: %s", option, path, strerror(errno));
        if (file)
            fclose(file);
        return ST_INVALID;
    }
    fclose(file);
    if (size > 0 && token->text[size - 1] == '\n')
        size--;
    token->text[size] = '\0';
    for (const char *c = token->text; *c; c++)
        size = *c > ' ' && *c <= '~' ? size : 0;
    if (size == 0 || size > TOKEN_MAX_BYTES || strlen(token->text) != size) {
        token_forget(token);
        return err_set(err, ST_INVALID,
                       "%s: %s: one line of 1 to %d printable ASCII characters without blanks is expected", option,
                       path, TOKEN_MAX_BYTES);
    }
    token->size = size;
    return ST_OK;
}

/* Every character is looked at, whichever is the first that is wrong. */
bool token_fits(const struct token *token, const char *given)
{
    size_t size = given ? strlen(given) : 0;
    unsigned different = size != token->size || size == 0;

    for (size_t i = 0; i < size; i++)
        different |= (unsigned char)(given[i] ^ token->text[i < token->size ? i : token->size]);
    return different == 0;
}

const char *token_of_header(const char *header)
{
    static const char *const schemes[] = { "Bearer ", "OAuth " };

    for (size_t i = 0; header && i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);

        if (strncasecmp(header, schemes[i], size) == 0)
            return header + size + strspn(header + size, " ");
    }
    return NULL;
}

void token_forget(struct token *token)
{
    explicit_bzero(token, sizeof *token);
}
