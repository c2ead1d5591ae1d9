/* The logins to Redis and Kafka: a password of its own in the url (which may come from the environment or a flag), or in the
 * property, goes over the file. And the files of TLS, which go into the url: whoever connects has only that. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/options.h"
#include "common/server/redis_address.h"

enum { PASSWORD_MAX_BYTES = 512, URL_MAX_BYTES = 4096 };

/* The text of a file without the line end that editors put behind it. */
static enum status read_password(const char *option, const char *path, char password[PASSWORD_MAX_BYTES + 3],
                                 struct err *err)
{
    FILE *file = fopen(path, "re");
    size_t size;
    bool one_line;

    if (!file)
        return err_set(err, ST_INVALID, "%s: %s: %s", option, path, strerror(errno));
    errno = 0;
    size = fread(password, 1, PASSWORD_MAX_BYTES + 2, file);
    if (ferror(file)) {
        err_set(err, ST_INVALID, "%s: %s: %s", option, path, strerror(errno));
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
        return err_set(err, ST_INVALID, "%s: %s: one line of 1 to %d bytes is expected", option, path,
                       PASSWORD_MAX_BYTES);
    }
    return ST_OK;
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = xstrdup(with);
}

static enum status redis_login(struct config *config, struct err *err)
{
    char password[PASSWORD_MAX_BYTES + 3], url[URL_MAX_BYTES];
    bool fits;

    if (redis_address_has_password(config->redis_url))
        return ST_OK;
    if (!config->redis_password_file[0]) {
        return config->redis_user[0] ? err_set(err, ST_INVALID, "[redis] user: needs a password, see password_file")
                                     : ST_OK;
    }
    if (read_password("[redis] password_file", config->redis_password_file, password, err) != ST_OK)
        return ST_INVALID;
    fits = redis_address_with_login(url, sizeof url, config->redis_url, config->redis_user, password);
    explicit_bzero(password, sizeof password);
    if (!fits)
        return ST_OK; /* no address: its check says so */
    replace(&config->redis_url, url);
    explicit_bzero(url, sizeof url);
    return ST_OK;
}

static enum status sentinel_login(struct config *config, struct err *err)
{
    char password[PASSWORD_MAX_BYTES + 3], url[URL_MAX_BYTES];
    const char *user = config->redis_sentinel_user, *file = config->redis_sentinel_password_file;
    bool fits;

    if (!user[0] && !file[0])
        return ST_OK;
    if (!redis_address_is_sentinel(config->redis_url)) {
        return err_set(err, ST_INVALID,
                       "[redis] %s: is for Sentinels, and the url does not begin with redis+sentinel://",
                       file[0] ? "sentinel_password_file" : "sentinel_user");
    }
    if (!file[0])
        return err_set(err, ST_INVALID, "[redis] sentinel_user: needs a password, see sentinel_password_file");
    if (read_password("[redis] sentinel_password_file", file, password, err) != ST_OK)
        return ST_INVALID;
    fits = redis_address_with_sentinel_login(url, sizeof url, config->redis_url, user, password);
    explicit_bzero(password, sizeof password);
    if (!fits)
        return err_set(err, ST_INVALID, "[redis] sentinel_password_file: too long");
    replace(&config->redis_url, url);
    explicit_bzero(url, sizeof url);
    return ST_OK;
}

static enum status redis_tls_files(struct config *config, struct err *err)
{
    const struct {
        const char *name, *file;
    } files[] = {
        { "tls_ca_file", config->redis_tls_ca_file },
        { "tls_cert_file", config->redis_tls_cert_file },
        { "tls_key_file", config->redis_tls_key_file },
    };
    char url[URL_MAX_BYTES];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i].file[0])
            continue;
        if (!redis_address_is_tls(config->redis_url)) {
            return err_set(err, ST_INVALID,
                           "[redis] %s: is for TLS, and the url does not begin with rediss:// or rediss+sentinel://",
                           files[i].name);
        }
        if (!redis_address_with_file(url, sizeof url, config->redis_url, files[i].name, files[i].file))
            return err_set(err, ST_INVALID, "[redis] %s: too long", files[i].name);
        replace(&config->redis_url, url);
    }
    explicit_bzero(url, sizeof url);
    return ST_OK;
}

static enum status kafka_login(struct config *config, struct err *err)
{
    char password[PASSWORD_MAX_BYTES + 3];
    enum status st;

    if (!config->kafka_password_file[0])
        return ST_OK;
    for (size_t i = 0; i < config->property_count; i++) {
        if (strcmp(config->properties[i].name, "sasl.password") == 0)
            return ST_OK;
    }
    st = read_password("[kafka] password_file", config->kafka_password_file, password, err);
    if (st == ST_OK && config_set(config, "kafka", "sasl.password", password, err) != ST_OK) {
        st = err_set(err, ST_INVALID,
                     "[kafka] password_file: %s: blanks at its ends and a ; behind a blank cannot be part of it",
                     config->kafka_password_file);
    }
    explicit_bzero(password, sizeof password);
    return st;
}

enum status config_login(struct config *config, struct err *err)
{
    enum status st = redis_login(config, err);

    if (st == ST_OK)
        st = sentinel_login(config, err);
    if (st == ST_OK)
        st = redis_tls_files(config, err);
    return st == ST_OK ? kafka_login(config, err) : st;
}
