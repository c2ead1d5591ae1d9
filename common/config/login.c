/* The login to Redis: a password of its own in the url (which may come from the environment or a flag) goes over the file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/options.h"
#include "common/server/redis_address.h"

enum { PASSWORD_MAX_BYTES = 512, URL_MAX_BYTES = 4096 };

/* The text of a file without the line end that editors put behind it. */
static enum status read_password(const char *path, char password[PASSWORD_MAX_BYTES + 3], struct err *err)
{
    FILE *file = fopen(path, "re");
    size_t size;
    bool one_line;

    if (!file)
        return err_set(err, ST_INVALID, "[redis] password_file: %s: %s", path, strerror(errno));
    errno = 0;
    size = fread(password, 1, PASSWORD_MAX_BYTES + 2, file);
    if (ferror(file)) {
        err_set(err, ST_INVALID, "[redis] password_file: %s: %s", path, strerror(errno));
        fclose(file);
        return ST_INVALID;
    }
    fclose(file);
    if (size > 0 && password[size - 1] == '\n')
        size--;
    if (size > 0 && password[size - 1] == '\r')
        size--;
    password[size] = '\0';
    one_line = strlen(password) == size && !strpbrk(password, "\r\n");
    if (size >= 3 && memcmp(password, "\xef\xbb\xbf", 3) == 0)
        memmove(password, password + 3, size - 2); /* a byte order mark */
    if (size == 0 || size > PASSWORD_MAX_BYTES || !one_line) {
        return err_set(err, ST_INVALID, "[redis] password_file: %s: one line of 1 to %d bytes is expected", path,
                       PASSWORD_MAX_BYTES);
    }
    return ST_OK;
}

enum status config_login(struct config *config, struct err *err)
{
    char password[PASSWORD_MAX_BYTES + 3], url[URL_MAX_BYTES];
    bool fits;

    if (redis_address_has_password(config->redis_url))
        return ST_OK;
    if (!config->redis_password_file[0]) {
        return config->redis_user[0] ? err_set(err, ST_INVALID, "[redis] user: needs a password, see password_file")
                                     : ST_OK;
    }
    if (read_password(config->redis_password_file, password, err) != ST_OK)
        return ST_INVALID;
    fits = redis_address_with_login(url, sizeof url, config->redis_url, config->redis_user, password);
    memset(password, 0, sizeof password);
    if (!fits)
        return ST_OK; /* no address: its check says so */
    free(config->redis_url);
    config->redis_url = xstrdup(url);
    return ST_OK;
}
